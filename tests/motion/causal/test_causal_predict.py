"""The causal model at work: it never knows the future, streams as it predicts, and outlives lost devices."""

from dataclasses import replace

import pytest
import roma
import torch
from moving import swaying
from strangers import REST, library

from avatarlab.core.errors import InputError
from avatarlab.learn.trainer import Schedule
from avatarlab.motion.causal import train
from avatarlab.motion.causal.predict import CausalPredictor, Finish
from avatarlab.motion.evaluate import leaks
from avatarlab.motion.predictor import streamed
from avatarlab.motion.skeleton import HEAD, Skeleton, mirror
from avatarlab.motion.trackers import Trackers
from avatarlab.motion.wrist_targets import RETURN_S

SKELETON = Skeleton(torch.tensor(REST, dtype=torch.float32))
SETTINGS = dict(width=32, core=64, heads=2, dropout=0.0)
CALM = Schedule(steps=200, batch=6, learning_rate=5e-3, weight_decay=0.0)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A small network that has seen one clip's subjects for seconds; and the folder of its weights."""
    folder = tmp_path_factory.mktemp("causal")
    told = []
    network = train.run(
        library(frames=240), "heldout", folder, CALM, commit="0", settings=SETTINGS,
        tell=lambda step, steps, loss: told.append(loss),
    )  # fmt: skip
    return network, folder, told


@pytest.fixture(scope="module")
def predictor(taught) -> CausalPredictor:
    return CausalPredictor.load(taught[1] / "motion_causal_heldout.safetensors", SKELETON)


@pytest.fixture(scope="module")
def trackers() -> Trackers:
    return Trackers.of(*SKELETON.fk(*swaying(SKELETON, 120, turns=0.5)))


def losing(trackers: Trackers, device: int, first: int, last: int) -> Trackers:
    flags = trackers.tracked.clone()
    flags[first:last, device] = False
    return replace(trackers, tracked=flags)


def test_learns_a_clip_by_heart(taught, tmp_path):
    """Within four centimetres after one round of CALM's steps, or after a few more."""
    network, folder, told = taught
    assert sum(told[-20:]) < 0.7 * sum(told[:20])
    lib, name, off_m = library(frames=240), "motion_causal_heldout.safetensors", []
    part = lib.frames(2)
    motion = roma.rotvec_to_rotmat(torch.as_tensor(lib.poses[part])), torch.as_tensor(lib.trans[part])
    world, positions = SKELETON.fk(*motion)
    while len(off_m) < 4:
        pred = SKELETON.fk(*CausalPredictor(network, SKELETON).predict(Trackers.of(world, positions)))[1]
        off_m.append(round(float((pred - positions).norm(dim=-1).mean()), 4))
        if off_m[-1] < 0.04:
            break
        onward = tmp_path / str(len(off_m))
        network = train.run(lib, "heldout", onward, CALM, folder / name, settings=SETTINGS)
        folder = onward
    assert off_m[-1] < 0.04, f"mean error after each {CALM.steps} steps: {off_m} m"


def test_saved_weights_answer_alike(taught, predictor, trackers):
    network, folder, _ = taught
    before, after = CausalPredictor(network, SKELETON).predict(trackers), predictor.predict(trackers)
    torch.testing.assert_close(before.rotations, after.rotations, atol=0.02, rtol=0)  # float16 on disk
    again = train.run(
        library(frames=240), "heldout", folder, replace(CALM, steps=2), start=None, settings=SETTINGS
    )
    onward = train.run(
        library(frames=240), "common", folder, replace(CALM, steps=1),
        start=folder / "motion_causal_heldout.safetensors",
    )  # fmt: skip
    assert onward.settings == again.settings == network.settings


@pytest.mark.parametrize("finish", [Finish(), Finish(follow=0.7), Finish(both=False, hands=False, feet=False)])
@pytest.mark.parametrize("at", [0, 61])
def test_never_knows_the_future(predictor, trackers, finish, at):
    model = CausalPredictor(predictor.network, SKELETON, finish)
    assert not leaks(model, trackers, at)
    assert not leaks(model, losing(trackers, 2, 30, 60), at)


@pytest.mark.parametrize("finish", [Finish(), Finish(follow=0.7)])
def test_streams_as_it_predicts(predictor, trackers, finish):
    model = CausalPredictor(predictor.network, SKELETON, finish)
    for devices in (trackers, losing(losing(trackers, 1, 20, 50), 0, 40, 44)):
        whole, live = model.predict(devices), streamed(model, devices)
        torch.testing.assert_close(whole.rotations, live.rotations, atol=1e-4, rtol=0)
        torch.testing.assert_close(whole.trans, live.trans, atol=1e-4, rtol=0)


def test_head_and_wrists_are_where_the_devices_are(predictor, trackers):
    world, positions = SKELETON.fk(*predictor.predict(trackers))
    assert (positions[:, HEAD] - trackers.positions[:, 0]).norm(dim=-1).max() < 1e-5
    assert (positions[:, 20:] - trackers.positions[:, 1:]).norm(dim=-1).max() < 0.005
    torch.testing.assert_close(world[:, 20:], trackers.rotations[:, 1:], atol=1e-3, rtol=0)


def test_a_lost_controller_costs_nothing_before_and_comes_back_without_a_jump(predictor, trackers):
    """The wrist goes over between answer and controller within RETURN_S, by 3/2 of the mean pace at most."""
    lost = losing(trackers, 1, 40, 70)
    pred, true = (SKELETON.fk(*predictor.predict(devices))[1] for devices in (lost, trackers))
    assert torch.equal(pred[:40], true[:40]) and torch.isfinite(pred).all()
    free = CausalPredictor(predictor.network, SKELETON, Finish(hands=False)).predict(lost)
    wrist = SKELETON.fk(*free)[1][:, 20]
    gap = (wrist - trackers.positions[:, 1]).norm(dim=-1)[70:80].max()
    own = max(x[69:80].diff(dim=0).norm(dim=-1).max() for x in (wrist, trackers.positions[:, 1]))
    assert pred[69:80, 20].diff(dim=0).norm(dim=-1).max() < 1.5 * gap / (RETURN_S * 60) + 2 * own
    assert (pred[80:, 20] - trackers.positions[80:, 1]).norm(dim=-1).max() < 0.005


@pytest.mark.parametrize("device", [0, 1, 2])
def test_a_device_lost_from_the_start_keeps_it_finite(predictor, trackers, device):
    motion = predictor.predict(losing(trackers, device, 0, 120))
    assert torch.isfinite(motion.rotations).all() and torch.isfinite(motion.trans).all()


def test_what_a_lost_device_says_does_not_matter(predictor, trackers):
    lost = losing(losing(trackers, 1, 30, 80), 0, 50, 55)
    positions, rotations = lost.positions.clone(), lost.rotations.clone()
    positions[~lost.tracked], rotations[~lost.tracked] = 7.0, torch.eye(3)
    for a, b in zip(
        predictor.predict(lost), predictor.predict(Trackers(rotations, positions, lost.tracked)), strict=True
    ):
        assert torch.equal(a, b)


def test_left_for_right_is_left_for_right(predictor, trackers):
    model = CausalPredictor(predictor.network, SKELETON, Finish(hands=False, feet=False))
    other = Trackers(*mirror(trackers.rotations, trackers.positions), trackers.tracked)
    pred, reflected = model.predict(trackers).rotations, model.predict(other).rotations
    torch.testing.assert_close(mirror(pred), reflected, atol=1e-4, rtol=0)


def test_no_frame_is_no_recording(predictor, trackers):
    nothing = Trackers(trackers.rotations[:0], trackers.positions[:0], trackers.tracked[:0])
    with pytest.raises(InputError, match="no frame"):
        predictor.predict(nothing)


def test_a_frame_costs_one_look_of_one_frame_however_long_the_stream(trackers):
    """The published size; bench/bench_motion.py times it. Nothing of the past is looked at again, nothing piles up."""
    torch.manual_seed(0)
    network = train.Network()
    stream, looks, kept = CausalPredictor(network, SKELETON).stream(), [], []
    network.register_forward_hook(lambda module, given, pred: looks.append(given[0].head.shape[:2]))
    for frame in zip(trackers.rotations[:30], trackers.positions[:30], trackers.tracked[:30], strict=True):
        stream.push(*frame)
        kept.append(sum(x.numel() for pair in stream.state for x in pair))
    assert looks == [(2, 1)] * 30 and len({*kept[1:]}) == 1
