"""Baselines against slow twins and closed forms; what they may not learn from; lost devices; streams."""

from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from strangers import library, waving

from avatarlab.core.errors import InputError
from avatarlab.motion.baselines import NAMES, learned
from avatarlab.motion.baselines.floors import REFERENCE, floors
from avatarlab.motion.baselines.frame_models import NEIGHBOURS, Mean, Nearest, Ridge, std
from avatarlab.motion.baselines.frames import FEATURES, TURNS, TrainingFrames, held, lesson, seen
from avatarlab.motion.data.library import SPLITS
from avatarlab.motion.predictor import streamed
from avatarlab.motion.rotations import about_vertical
from avatarlab.motion.skeleton import HEAD, Skeleton
from avatarlab.motion.trackers import Trackers


@pytest.fixture(scope="module")
def known():
    return library()


@pytest.fixture(scope="module")
def skeleton(known):
    return Skeleton(torch.as_tensor(known.rest).float())


@pytest.fixture(scope="module")
def recording(skeleton):
    """Trackers of somebody whom nobody has learned from."""
    poses = waving(50, np.random.default_rng(99))
    trans = torch.tensor([1.0, 2.0, 0.95]).expand(50, 3)
    return Trackers.of(*skeleton.fk(roma.rotvec_to_rotmat(torch.as_tensor(poses).float()), trans))


@pytest.fixture(scope="module")
def numbers():
    """A lesson of 60 random frames, its targets a straight line of the features."""
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(60, 4, generator=generator) * torch.tensor([1.0, 5.0, 0.2, 2.0])
    line = torch.randn(4, 7, generator=generator)
    return TrainingFrames(features, features @ line + 3.0)


def lost(trackers, device, begin, end):
    """A device said to be lost in some frames, and nonsense in its place."""
    tracked, positions = trackers.tracked.clone(), trackers.positions.clone()
    tracked[begin:end, device], positions[begin:end, device] = False, 77.0
    return replace(trackers, tracked=tracked, positions=positions)


def test_ridge_finds_a_line_and_the_mean_does_not_care(numbers):
    left = Ridge.learn(numbers)(numbers.features) - numbers.targets
    assert float(left.abs().max()) < 0.1 * float(numbers.targets.std(0).max())
    assert torch.allclose(
        Mean.learn(numbers)(numbers.features[:2]), numbers.targets.mean(0).expand(2, -1), atol=1e-5
    )


def test_ridge_minimises_what_it_says(numbers):
    """No coefficient can be moved a little to a smaller cost: the gradient of the cost is zero."""
    found = Ridge.learn(numbers)
    slope, level = found.slope.double().requires_grad_(), found.level.double().requires_grad_()
    x = ((numbers.features - found.middle) * found.scale).double()
    cost = (x @ slope + level - numbers.targets).square().sum() + slope.square().sum()
    for gradient in torch.autograd.grad(cost, (slope, level)):
        assert float(gradient.abs().max()) < 1e-2


def test_the_nearest_are_the_nearest(numbers):
    found = Nearest.learn(numbers)
    asked = numbers.features[:9] + 0.1
    scale = numbers.features.std(0)
    for one, answer in zip(asked, found(asked), strict=True):
        far = [(float(((one - x) / scale).norm()), k) for k, x in enumerate(numbers.features)]
        chosen = [k for _, k in sorted(far)[:NEIGHBOURS]]
        assert torch.allclose(answer, numbers.targets[chosen].mean(0), atol=1e-5)


def test_a_feature_that_never_changes_does_not_divide_by_zero():
    assert std(torch.tensor([[1.0, 2.0], [1.0, 4.0]])).tolist() == pytest.approx([1.0, 2**0.5])


def test_too_few_frames_for_neighbours():
    with pytest.raises(ValueError, match="at least 5"):
        Nearest.learn(TrainingFrames(torch.zeros(4, 2), torch.zeros(4, 2)))


def test_features_do_not_know_where_somebody_stands_or_faces(recording):
    turn = about_vertical(torch.tensor(1.1))
    away = replace(
        recording,
        rotations=turn @ recording.rotations,
        positions=(turn @ recording.positions[..., None])[..., 0] + torch.tensor([3.0, -2.0, 0.0]),
    )
    assert seen(recording).shape == (50, FEATURES)
    assert torch.allclose(seen(away), seen(recording), atol=1e-5)
    higher = replace(recording, positions=recording.positions + torch.tensor([0.0, 0.0, 0.1]))
    assert torch.allclose(seen(higher)[:, 18] - seen(recording)[:, 18], torch.tensor(0.1), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_pose_turns_and_moves_with_its_trackers_and_keeps_the_head(name, known, skeleton, recording):
    model = learned(name, known, "heldout")
    turn, step = about_vertical(torch.tensor(-2.0)), torch.tensor([0.5, 4.0, 0.0])
    away = replace(
        recording,
        rotations=turn @ recording.rotations,
        positions=(turn @ recording.positions[..., None])[..., 0] + step,
    )
    one, other = (skeleton.fk(*model.predict(x))[1] for x in (recording, away))
    assert torch.allclose((turn @ one[..., None])[..., 0] + step, other, atol=1e-4)
    assert torch.allclose(one[:, HEAD], recording.positions[:, 0], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_says_what_the_whole_says(name, known, recording):
    model, gappy = learned(name, known, "heldout"), lost(recording, 1, 20, 35)
    whole, live = model.predict(gappy), streamed(model, gappy)
    assert torch.allclose(whole.rotations, live.rotations, atol=1e-4)
    assert torch.allclose(whole.trans, live.trans, atol=1e-4)


@pytest.mark.parametrize("split", SPLITS)
def test_nothing_of_the_test_segments_is_learned(split, known, recording):
    train, test = known.split(split)
    assert test and not {known.clips[k] for k in train} & {known.clips[k] for k in test}
    poses = known.poses.copy()
    for k in test:
        poses[known.frames(k)] = np.nan
    for name in NAMES:
        before, after = (learned(name, x, split).predict(recording) for x in (known, replace(known, poses=poses)))
        assert torch.equal(before.rotations, after.rotations)


def test_neighbours_know_what_they_have_learned(known, skeleton):
    """A trained frame asked again is answered by frames about it: a tenth of a second apart, far nearer than the mean."""
    train, _ = known.split("heldout")
    there = lesson(known, train)
    errors = {}
    for name, kind in (("mean", Mean), ("knn", Nearest), ("ridge", Ridge)):
        errors[name] = float((kind.learn(there)(there.features) - there.targets)[:, TURNS:].abs().mean())
    assert errors["knn"] < errors["mean"] and errors["ridge"] < errors["mean"]


def test_floors_are_the_distances_by_hand(known):
    train, test = known.split("heldout")
    there, asked = lesson(known, train), lesson(known, test, 1)
    apart = (asked.targets - there.targets.mean(0))[:, TURNS:].reshape(-1, 22, 3).norm(dim=-1)
    found = floors(known, "heldout", 1)
    assert found["mean"]["mpjpe_cm"] == pytest.approx(100 * float(apart.mean()), rel=1e-4)
    assert found["mean"]["root_cm"] == pytest.approx(100 * float(apart[:, 0].mean()), rel=1e-4)
    assert {*found} == {*NAMES} == {*REFERENCE["heldout"]}


def test_a_lost_wrist_stays_where_the_head_saw_it(recording):
    taken = held(lost(recording, 2, 10, 30))
    hand, head = taken.positions[:, 2], taken.positions[:, 0]
    apart = seen(taken)[:, 22:25]
    assert torch.allclose(apart[10:30], apart[9].expand(20, 3), atol=1e-5)
    assert torch.equal(hand[30:], recording.positions[30:, 2]) and torch.equal(head, recording.positions[:, 0])
    assert held(recording) is recording


def test_a_lost_head_stays_and_a_device_never_seen_is_taken_as_it_comes(recording):
    taken = held(lost(recording, 0, 10, 30))
    assert torch.allclose(taken.positions[10:30, 0], recording.positions[9, 0].expand(20, 3))
    early = held(lost(recording, 1, 0, 5))
    assert torch.isfinite(early.positions).all() and torch.equal(early.positions[5:], recording.positions[5:])


def test_an_unknown_baseline_is_refused(known):
    with pytest.raises(InputError, match="mean, knn, ridge"):
        learned("median", known, "heldout")
