"""The AvatarPoser-like transformer: its window, what it is blind to, that it learns, streams and never looks ahead."""

from dataclasses import replace

import pytest
import torch
from moving import swaying
from strangers import REST, library

from avatarlab.core.errors import InputError
from avatarlab.learn.trainer import Schedule
from avatarlab.motion.baselines import train_avatarposer
from avatarlab.motion.baselines.avatarposer import WINDOW, AvatarPoser, AvatarPoserPredictor, AvatarPoserSettings
from avatarlab.motion.evaluate import leaks
from avatarlab.motion.predictor import streamed
from avatarlab.motion.skeleton import HEAD, Skeleton
from avatarlab.motion.trackers import Trackers, seen_from

SKELETON = Skeleton(torch.tensor(REST, dtype=torch.float32))
SMALL = AvatarPoserSettings(width=16, inner=32, layers=2, heads=2, dropout=0.0)
QUICK = Schedule(steps=60, batch=16, learning_rate=5e-3)


@pytest.fixture(scope="module")
def trackers() -> Trackers:
    return Trackers.of(*SKELETON.fk(*swaying(SKELETON, 90, turns=0.5)))


@pytest.fixture(scope="module", params=[False, True], ids=["published", "normalised"])
def taught(request, tmp_path_factory):
    """Trained for a moment; the predictor of its weights file and the losses."""
    folder, told = tmp_path_factory.mktemp("avatarposer"), []
    train_avatarposer.run(
        library(), "heldout", folder, QUICK, settings=replace(SMALL, normalised=request.param),
        tell=lambda step, steps, loss: told.append(loss),
    )  # fmt: skip
    return AvatarPoserPredictor.load(folder / "motion_avatarposer_heldout.safetensors", SKELETON), told


def test_size_and_form_are_as_said():
    network = AvatarPoser(AvatarPoserSettings()).eval()
    assert sum(p.numel() for p in network.parameters()) < 1_500_000
    assert network(torch.zeros(2, WINDOW, 54)).shape == (2, 22, 6)


def test_frames_have_no_order_but_the_last():
    """Published without positions: what came before the last frame is a set."""
    torch.manual_seed(0)
    network, seen = AvatarPoser(SMALL).eval(), torch.randn(2, WINDOW, 54)
    shuffled = torch.cat([seen[:, torch.randperm(WINDOW - 1)], seen[:, -1:]], 1)
    torch.testing.assert_close(network(seen), network(shuffled), atol=1e-5, rtol=0)
    assert (network(seen) - network(seen.flip(1))).abs().max() > 1e-3


def test_it_learns_and_the_head_is_where_it_is_tracked(taught, trackers):
    model, told = taught
    share = sum(told[-10:]) / sum(told[:10])
    assert share < 0.8, f"after {len(told)} steps the loss is still {share:.2f} of the first"
    positions = SKELETON.fk(*model.predict(trackers))[1]
    assert (positions[:, HEAD] - trackers.positions[:, 0]).norm(dim=-1).max() < 1e-5


def test_only_the_normalised_one_is_blind_to_where_and_whither(taught, trackers):
    model, _ = taught
    there = seen_from(
        trackers.rotations, trackers.positions, torch.full((90, 3), 1.0), torch.tensor([2.0, 1.0, 0.0])
    )
    here, elsewhere = (
        model.predict(trackers),
        model.predict(replace(trackers, rotations=there[0], positions=there[1])),
    )
    apart = (here.rotations[:, 1:] - elsewhere.rotations[:, 1:]).abs().max()
    assert apart < 1e-3 if model.network.settings.normalised else apart > 1e-2


def test_never_knows_the_future_and_streams_as_it_predicts(taught, trackers):
    model, _ = taught
    assert not leaks(model, trackers, 50)
    whole, live = model.predict(trackers), streamed(model, trackers)
    torch.testing.assert_close(whole.rotations, live.rotations, atol=1e-4, rtol=0)
    torch.testing.assert_close(whole.trans, live.trans, atol=1e-4, rtol=0)


def test_a_frame_is_the_last_of_its_window_and_the_start_is_repeated(taught, trackers):
    """The slow twin: each window gathered by hand, frames before the first being the first."""
    model, _ = taught
    whole = model.predict(trackers)
    for last in (0, 7, 89):
        rows = [max(0, last - back) for back in range(WINDOW, -1, -1)]
        alone = model.windows(trackers.rotations[rows][None], trackers.positions[rows][None])
        torch.testing.assert_close(alone.rotations[0], whole.rotations[last], atol=1e-4, rtol=0)


def test_no_frame_is_no_recording(taught, trackers):
    nothing = Trackers(trackers.rotations[:0], trackers.positions[:0], trackers.tracked[:0])
    with pytest.raises(InputError, match="no frame"):
        taught[0].predict(nothing)
