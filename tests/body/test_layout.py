"""The facts against the packages that hard-code them, and labels against a case that is clear by hand."""

import numpy as np
import pytest

from avatarlab.body import layout


def test_joints_and_keypoints_are_those_of_the_smplx_package():
    names = pytest.importorskip("smplx.joint_names").JOINT_NAMES
    numbers = pytest.importorskip("smplx.vertex_ids").vertex_ids["smplx"]
    assert list(layout.JOINT_NAMES) == names[:55]
    assert numbers == layout.KEYPOINTS


def test_parents_come_first_and_keep_their_side():
    for joint, parent in enumerate(layout.PARENTS[1:], start=1):
        assert 0 <= parent < joint
        sides = {layout.JOINT_NAMES[k].split("_")[0] for k in (joint, parent)}
        assert not {"left", "right"} <= sides


def test_arkit_names_are_52_and_in_order():
    assert len(layout.ARKIT_NAMES) == len(set(layout.ARKIT_NAMES)) == 52
    assert list(layout.ARKIT_NAMES) == sorted(layout.ARKIT_NAMES)


def test_arkit_names_are_those_of_anny():
    actions = pytest.importorskip("anny.models.facial_actions").FACIAL_ACTION_LABELS
    assert list(layout.ARKIT_NAMES) == actions


def test_identity_blocks_do_not_overlap():
    spans = sorted(layout.BLOCK_SLOTS.values())
    assert spans[0][0] == 0 and spans[-1][1] == 144
    assert all(stop == start for (_, stop), (start, _) in zip(spans, spans[1:], strict=False))


@pytest.mark.parametrize(
    ("joint", "part"),
    [("pelvis", "trunk"), ("left_collar", "trunk"), ("right_thumb3", "r_hand"), ("left_foot", "l_foot")]
    + [("jaw", "jaw"), ("neck", "neck"), ("right_eye_smplhf", "r_eye"), ("left_shoulder", "l_upper_arm")],
)
def test_part_is_that_of_the_heaviest_joint(joint, part):
    weights = np.full((1, 55), 0.01)
    weights[0, layout.JOINT[joint]] = 0.5
    assert layout.PARTS[layout.parts_from_weights(weights)[0]] == part
