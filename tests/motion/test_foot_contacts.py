"""Feet that stand: locks and their slow yielding in closed form, fading, the floor, and the head that never moves."""

import pytest
import torch
from moving import swaying

from avatarlab.motion.evaluate.metrics import floor_penetration, foot_skate
from avatarlab.motion.foot_contacts import FEET, ContactSettings, FootContacts
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import HEAD, Skeleton
from avatarlab.motion.two_bone_ik import LEGS

TOES, ANKLES = list(FEET[2:]), list(FEET[:2])


@pytest.fixture(scope="module")
def skeleton(open_body) -> Skeleton:
    return Skeleton.of(open_body)


def sliding(skeleton: Skeleton, frames: int, speed: float) -> Motion:
    """Somebody with bent knees who slides sideways, m/s."""
    motion = swaying(skeleton, 1)
    trans = motion.trans + torch.arange(frames)[:, None] / 60 * torch.tensor([speed, 0.0, 0.0])
    return Motion(motion.rotations.expand(frames, -1, -1, -1), trans)


@pytest.mark.parametrize(
    ("contact", "joints"), [((0, 0, 1, 1), TOES), ((1, 1, 0, 0), ANKLES), ((1, 1, 1, 1), TOES)]
)
def test_a_standing_foot_stays_and_yields_as_said(skeleton, contact, joints):
    """The shift s obeys s' = k (s - step) with k = 1 - 1 / (yield_s * 60)."""
    speed, manner = 0.06, ContactSettings(yield_s=0.5, apart_m=0.3)
    motion = sliding(skeleton, 40, speed)
    there = skeleton.fk(*FootContacts(skeleton, manner).clip(motion, torch.tensor(contact).expand(40, 4).float()))[
        1
    ]
    shift, shifts = 0.0, [0.0]
    for _ in range(39):
        shift = (1 - 1 / 30) * (shift - speed / 60)
        shifts.append(shift)
    moved = (there - skeleton.fk(*motion)[1])[:, joints, 0]
    assert torch.allclose(moved, torch.tensor(shifts)[:, None].expand(-1, 2), atol=2e-4)


def test_a_foot_in_the_air_is_left_alone(skeleton):
    motion = swaying(skeleton, 120)
    motion = Motion(motion.rotations, motion.trans + torch.tensor([0.0, 0.0, 0.5]))
    cleaned = FootContacts(skeleton).clip(motion, torch.zeros(120, 4))
    assert (skeleton.fk(*cleaned)[1] - skeleton.fk(*motion)[1]).abs().max() < 2e-4


def test_only_legs_move_and_never_the_head(skeleton):
    motion = swaying(skeleton, 60)
    cleaned = FootContacts(skeleton).clip(motion, torch.ones(60, 4))
    legs = [*LEGS.root, *LEGS.hinge, *LEGS.end]
    rest = [j for j in range(22) if j not in legs]
    assert torch.equal(cleaned.rotations[:, rest], motion.rotations[:, rest])
    assert torch.equal(cleaned.trans, motion.trans)
    assert torch.equal(skeleton.fk(*cleaned)[1][:, HEAD], skeleton.fk(*motion)[1][:, HEAD])


def test_a_released_foot_goes_back_without_a_jump(skeleton):
    motion = sliding(skeleton, 120, 0.3)
    contact = torch.ones(120, 4)
    contact[30:] = 0
    there = skeleton.fk(*FootContacts(skeleton).clip(motion, contact))[1]
    apart = (there - skeleton.fk(*motion)[1])[:, TOES].norm(dim=-1)
    assert apart[29].min() > 0.1 and apart[-1].max() < 1e-3
    fade = 1 - 1 / (ContactSettings().fade_s * 60)
    assert torch.allclose(apart[31:60], apart[30:59] * fade, atol=5e-4)


def test_a_lock_is_never_further_off_than_allowed(skeleton):
    motion = sliding(skeleton, 120, 0.5)
    manner = ContactSettings(apart_m=0.08, yield_s=100.0)
    there = skeleton.fk(*FootContacts(skeleton, manner).clip(motion, torch.ones(120, 4)))[1]
    assert (there - skeleton.fk(*motion)[1])[:, TOES].norm(dim=-1).max() < 0.08 + 1e-3


def test_feet_come_up_to_the_floor(skeleton):
    motion = swaying(skeleton, 120)
    motion = Motion(motion.rotations, motion.trans - torch.tensor([0.0, 0.0, 0.18]))
    before, after = (
        skeleton.fk(*x)[1] for x in (motion, FootContacts(skeleton).clip(motion, torch.zeros(120, 4)))
    )
    assert floor_penetration(before) > 1 and floor_penetration(after) < 0.01
    assert after.diff(dim=0).norm(dim=-1).max() < 2 * before.diff(dim=0).norm(dim=-1).max()


def test_contact_has_hysteresis(skeleton):
    motion, feet = sliding(skeleton, 1, 0.0), FootContacts(skeleton)
    said = []
    for probability in (0.5, 0.7, 0.5, 0.3, 0.5):
        feet.push(motion, torch.full((4,), probability))
        said.append(bool(feet.standing.all()))
    assert said == [False, True, True, False, False]


def test_without_probabilities_slow_low_feet_stand(skeleton):
    low = -float(skeleton.fk(*sliding(skeleton, 1, 0.0))[1][0, TOES, 2].min()) + 0.03
    for speed, height, stands in ((0.1, 0.0, True), (0.4, 0.0, False), (0.1, 0.5, False)):
        motion, feet = sliding(skeleton, 20, speed), FootContacts(skeleton)
        feet.clip(Motion(motion.rotations, motion.trans + torch.tensor([0.0, 0.0, low + height])))
        assert bool(feet.standing[2:].any()) == stands, (speed, height)


def test_frame_by_frame_is_the_clip_and_the_future_is_not_seen(skeleton):
    motion = swaying(skeleton, 90)
    contact = torch.rand(90, 4, generator=torch.Generator().manual_seed(1))
    whole, feet = FootContacts(skeleton).clip(motion, contact), FootContacts(skeleton)
    pushed = [
        feet.push(Motion(motion.rotations[t : t + 1], motion.trans[t : t + 1]), contact[t]) for t in range(90)
    ]
    assert (torch.cat([x.rotations for x in pushed]) - whole.rotations).abs().max() < 1e-5
    changed = torch.where(torch.arange(90)[:, None] < 50, contact, 1 - contact)
    other = FootContacts(skeleton).clip(motion, changed)
    assert torch.equal(other.rotations[:50], whole.rotations[:50])
    assert not torch.equal(other.rotations[50:], whole.rotations[50:])


def test_less_skating_and_no_more_error(skeleton):
    """Somebody who stands, said by a model whose legs drift slowly to and fro."""
    truth = sliding(skeleton, 300, 0.0)
    drift = 0.05 * torch.sin(torch.arange(300) / 60 * 2.5)
    said = Motion(truth.rotations, truth.trans + drift[:, None] * torch.tensor([1.0, 0.3, 0.0]))
    cleaned = FootContacts(skeleton).clip(said, torch.full((300, 4), 0.9))
    true, before, after = (skeleton.fk(*x)[1] for x in (truth, said, cleaned))
    standing = torch.ones(299, 4, dtype=torch.bool)
    assert foot_skate(after, standing) < 0.5 * foot_skate(before, standing)
    assert (after - true).norm(dim=-1).mean() <= 1.01 * (before - true).norm(dim=-1).mean()
