"""Poses do to the arms what their names say."""

import math

import pytest
import torch

from avatarlab.body import poses
from avatarlab.body.layout import JOINT
from avatarlab.core.errors import InputError


def arm_direction(joints, side, start="shoulder", end="elbow"):
    d = joints[JOINT[f"{side}_{end}"]] - joints[JOINT[f"{side}_{start}"]]
    return d / d.norm()


def below_horizontal_deg(direction):
    return math.degrees(math.atan2(-direction[1], direction[0].abs()))


@pytest.mark.parametrize("down_deg", [0, 30, 45, 90])
@pytest.mark.parametrize("side", ["left", "right"])
def test_apose_lowers_both_arms_by_the_angle(made_body, down_deg, side):
    straight = made_body.joints_only()
    posed = made_body.joints_only(pose=poses.apose(down_deg))
    before, after = (arm_direction(joints, side)[:2] for joints in (straight, posed))
    turned = torch.nn.functional.cosine_similarity(before, after, dim=0).clamp(-1, 1)
    assert math.degrees(math.acos(turned)) == pytest.approx(down_deg, abs=0.05)
    assert after[1] < before[1] or down_deg == 0


def test_standing_is_symmetric_bends_forward_and_leaves_the_legs(open_body):
    joints = open_body.joints_only(pose=poses.standing())
    for side, sign in (("left", 1), ("right", -1)):
        upper, fore = arm_direction(joints, side), arm_direction(joints, side, "elbow", "wrist")
        assert below_horizontal_deg(upper) > 70 and sign * upper[0] > 0
        assert fore[2] > upper[2] + 0.05, "the forearm points further forward than the upper arm"
    legs = [JOINT[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee", "ankle")]
    assert torch.equal(poses.standing()[legs], torch.zeros(6, 3))


def test_named_gives_each_pose():
    assert torch.equal(poses.named("tpose"), torch.zeros(55, 3))
    assert torch.equal(poses.named("standing"), poses.standing())
    assert torch.equal(poses.named("apose", 30), poses.apose(30))
    assert torch.equal(poses.named("apose"), poses.apose(45))


@pytest.mark.parametrize("angle", [-1, 91, float("nan"), "steep", None])
def test_angle_outside_the_range_is_refused(angle):
    with pytest.raises(InputError, match="arm_down_deg"):
        poses.apose(angle)


def test_unknown_pose_is_refused_by_name():
    with pytest.raises(InputError, match="'tree'.*standing"):
        poses.named("tree")


def test_an_angle_for_a_pose_with_fixed_arms_is_refused():
    with pytest.raises(InputError, match="arm_down_deg.*standing"):
        poses.named("standing", 30)
