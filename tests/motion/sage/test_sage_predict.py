"""The stratified model at work: causal, the same offline and live, its head on the headset."""

from dataclasses import replace

import pytest
import roma
import torch

from avatarlab.core.errors import InputError
from avatarlab.motion.predictor import streamed
from avatarlab.motion.rotations import about_vertical, upright
from avatarlab.motion.sage import PAPER, TINY
from avatarlab.motion.sage.model import Sage
from avatarlab.motion.sage.predict import SagePredictor
from avatarlab.motion.skeleton import HEAD, Skeleton
from avatarlab.motion.trackers import Trackers

FRAMES = 30


def skeleton() -> Skeleton:
    """Joints at made-up positions."""
    return Skeleton(torch.randn(22, 3, generator=torch.Generator().manual_seed(5)) * 0.2)


def recording(seed: int = 0, frames: int = FRAMES) -> Trackers:
    """Smooth wandering of three devices."""
    generator = torch.Generator().manual_seed(seed)
    steps = 0.05 * torch.randn(frames, 3, 6, generator=generator).cumsum(0)
    rotations = roma.rotvec_to_rotmat(steps[..., :3].float()) @ upright(steps)
    return Trackers(rotations, steps[..., 3:] + 1.2, torch.ones(frames, 3, dtype=torch.bool))


def predictor(settings=TINY, **more) -> SagePredictor:
    """A model that has learned nothing but says something."""
    torch.manual_seed(1)
    model = Sage(settings)
    with torch.no_grad():
        for part in (model.decoder.root[-1], model.decoder.body[-1], model.refiner.outputs):
            part.weight.normal_(0, 0.1)
    return SagePredictor(model, skeleton(), **more)


SMALL_PAPER = replace(
    PAPER, width=32, blocks=1, heads=2, time_width=16, decoder_width=32, decoder_blocks=1, code_width=32,
    code_blocks=1, entry_size=4, refiner_width=16, decoder_known=32,
)  # fmt: skip
"""The paper's ways, small."""


@pytest.mark.parametrize("settings", [TINY, SMALL_PAPER])
def test_the_future_changes_nothing(settings):
    model, trackers, t = predictor(settings), recording(), 17
    other = recording(9)
    changed = Trackers(
        torch.cat([trackers.rotations[: t + 1], other.rotations[t + 1 :]]),
        torch.cat([trackers.positions[: t + 1], other.positions[t + 1 :]]),
        trackers.tracked,
    )
    one, two = model.predict(trackers), model.predict(changed)
    assert torch.equal(one.rotations[: t + 1], two.rotations[: t + 1])
    assert torch.equal(one.trans[: t + 1], two.trans[: t + 1])
    assert not torch.equal(one.rotations[t + 1 :], two.rotations[t + 1 :])


@pytest.mark.parametrize("settings", [TINY, SMALL_PAPER])
@pytest.mark.parametrize("refined", [True, False])
def test_live_says_what_offline_says(settings, refined):
    model, trackers = predictor(settings, refined=refined), recording()
    for live, whole in zip(streamed(model, trackers), model.predict(trackers), strict=True):
        torch.testing.assert_close(live, whole, rtol=1e-4, atol=1e-5)


def test_the_refiner_remembers():
    model, trackers = predictor(), recording()
    late = Trackers(trackers.rotations[5:], trackers.positions[5:], trackers.tracked[5:])
    whole, cut = (model.predict(x).rotations[-1] for x in (trackers, late))
    assert (whole - cut).abs().max() > 1e-7  # 25 frames on, the window is the same
    model.refined = False
    whole, cut = (model.predict(x).rotations[-1] for x in (trackers, late))
    torch.testing.assert_close(whole, cut, rtol=1e-5, atol=1e-6)


def test_head_is_where_the_headset_is():
    model, trackers = predictor(), recording()
    pred = model.predict(trackers)
    _, positions = model.skeleton.fk(pred.rotations, pred.trans)
    assert (positions[:, HEAD] - trackers.positions[:, 0]).norm(dim=-1).max() < 1e-5


def test_first_frame_stands_still_before_the_begin():
    model, trackers = predictor(refined=False), recording()
    padded = Trackers(
        *(torch.cat([x[:1].expand(19, *x.shape[1:]), x]) for x in (trackers.rotations, trackers.positions)),
        torch.ones(FRAMES + 19, 3, dtype=torch.bool),
    )
    torch.testing.assert_close(
        model.predict(padded).rotations[19:], model.predict(trackers).rotations, rtol=1e-4, atol=1e-5
    )


def test_place_and_heading_do_not_matter():
    model, trackers = predictor(), recording()
    turn, shift = about_vertical(torch.tensor(2.0)), torch.tensor([3.0, -7.0, 0.0])
    moved = Trackers(turn @ trackers.rotations, trackers.positions @ turn.T + shift, trackers.tracked)
    one, two = model.predict(trackers), model.predict(moved)
    torch.testing.assert_close(two.rotations[:, 1:], one.rotations[:, 1:], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(two.rotations[:, 0], turn @ one.rotations[:, 0], rtol=1e-3, atol=1e-4)


def test_paper_sees_the_world():
    model, trackers = predictor(SMALL_PAPER), recording()
    moved = Trackers(trackers.rotations, trackers.positions + torch.tensor([3.0, 0.0, 0.0]), trackers.tracked)
    assert (model.predict(moved).rotations - model.predict(trackers).rotations).abs().max() > 1e-4


def test_a_single_frame_and_none():
    assert predictor().predict(recording(frames=1)).rotations.shape == (1, 22, 3, 3)
    with pytest.raises(InputError, match="no frame"):
        predictor().predict(recording(frames=0))
