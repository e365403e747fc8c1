import numpy as np
import pytest
import roma
import torch
from tube import BULGE, ELBOW_X, LENGTH, RADIUS, elbow_bent, person

from avatarlab.body.layout import JOINT
from avatarlab.core.errors import InputError
from avatarlab.export import displayed_vertices, whole_body
from avatarlab.export.rig import bind_vertices, heaviest, make_rig, skin, skinning_transforms


def test_heaviest_keeps_four_and_sums_to_one():
    weights = np.array([[0.1, 0.3, 0.05, 0.2, 0.35], [0, 1, 0, 0, 0]])
    owners, kept = heaviest(weights)
    assert owners.tolist() == [[4, 1, 3, 0], [1, 0, 0, 0]]
    assert kept[0] == pytest.approx(np.array([0.35, 0.3, 0.2, 0.1]) / 0.95)
    assert kept[1].tolist() == [1, 0, 0, 0]


def test_transforms_of_two_joints_in_closed_form():
    """Shoulder by 90 degrees about z, elbow (1 m out) by another 90: a point 1 m beyond comes back to (-1, 1)."""
    joints, parents = np.array([[0, 0, 0], [1.0, 0, 0]]), np.array([-1, 0])
    quarter = roma.rotvec_to_rotmat(torch.tensor([[0, 0, np.pi / 2]] * 2)).numpy()
    transforms = skinning_transforms(joints, parents, quarter)
    posed = skin(np.array([[2.0, 0, 0], [0.5, 0, 0]]), np.array([[1], [0]]), np.ones((2, 1)), transforms)
    assert posed == pytest.approx(np.array([[-1, 1, 0], [0, 0.5, 0]]), abs=1e-12)


def test_display_pose_is_exact_with_correctives_and_only_four_weights(tube):
    someone = person(pose=elbow_bent(60))
    someone.state["pose"].setflags(write=False)  # as a Person's arrays are
    rig = make_rig(tube, someone, whole_body(tube), "photo")
    transforms = skinning_transforms(rig.joints, rig.parents, rig.rotations)
    shown = skin(rig.positions, rig.owners, rig.weights, transforms) + [0, rig.lift, 0]
    assert np.abs(shown - displayed_vertices(tube, someone, "photo")).max() < 1e-5
    assert (np.count_nonzero(tube.weights.numpy(), axis=1) > 4).any(), "the made body must need more than four"


def test_bind_mesh_swells_by_the_corrective_of_the_display_pose(tube):
    rig = make_rig(tube, person(pose=elbow_bent(60)), whole_body(tube), "photo")
    ring = np.flatnonzero(np.abs(tube.template[: tube.skin_count, 0].numpy() - ELBOW_X) < 1e-5)
    radius = np.linalg.norm((rig.positions - rig.joints[0])[ring, 1:], axis=1)
    assert radius.max() == pytest.approx(RADIUS + BULGE * np.pi / 3, abs=1.5e-3)


def test_tpose_needs_no_rotation_and_no_correction(tube):
    rig = make_rig(tube, person(), whole_body(tube), "tpose")
    assert np.allclose(rig.rotations, np.eye(3)) and rig.lift == pytest.approx(0, abs=1e-6)
    assert rig.positions == pytest.approx(tube.template[: tube.skin_count].numpy() + [0, RADIUS, 0], abs=1e-5)
    assert rig.positions[:, 1].min() == pytest.approx(0, abs=1e-6)


def test_arms_straight_down_turn_the_tube_on_end(tube):
    wall = np.asarray(tube.part)[: tube.skin_count] == tube.parts.index("l_upper_arm")
    shown = displayed_vertices(tube, person(), "apose", arm_down_deg=90)[wall]
    assert np.ptp(shown[:, 1]) == pytest.approx(LENGTH, abs=1e-5)
    assert shown[:, 1].min() == pytest.approx(0, abs=1e-6)


def test_inverting_a_singular_blend_is_bounded():
    """Half a turn shared equally by two joints flattens the vertex's plane: no bind position can undo that."""
    turn = roma.rotvec_to_rotmat(torch.tensor([[0, 0, 0.0], [0, 0, np.pi - 1e-4]]).double()).numpy()
    transforms = np.concatenate([turn, np.zeros((2, 3, 1))], axis=2)
    rest, shown = np.array([[0.1, 0, 0]]), np.array([[0.05, 0.05, 0]])
    bind = bind_vertices(rest, shown[None], np.array([[0, 1]]), np.full((1, 2), 0.5), transforms[None])
    assert np.linalg.norm(bind - rest) == pytest.approx(0.04)


def test_morph_offsets_and_their_normals(tube):
    rig = make_rig(tube, person(), whole_body(tube), "tpose")
    assert rig.morphs.shape == (2, tube.skin_count, 3)
    assert rig.morphs == pytest.approx(tube.offsets[:, : tube.skin_count].numpy(), abs=1e-6)
    assert np.linalg.norm(rig.normals + rig.morph_normals[0], axis=1) == pytest.approx(1, abs=1e-5)
    assert not rig.morph_normals[:, tube.template[: tube.skin_count, 0].numpy() < 0.4].any()


def test_photo_pose_shows_the_fitted_expression(tube):
    someone = person(pose=elbow_bent(0))
    someone.state["expression"] = np.array([0.25, 0.5, 0.1], dtype=np.float32)
    assert make_rig(tube, someone, whole_body(tube), "photo").morph_weights == pytest.approx([0.25, 0.5])
    assert not make_rig(tube, someone, whole_body(tube), "tpose").morph_weights.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"display_pose": "sitting"}, "display_pose: got 'sitting', expected one of apose, tpose, photo"),
        ({"display_pose": "photo"}, "needs a fitted pose"),
        ({"arm_down_deg": float("nan")}, "arm_down_deg: got nan, expected 0 to 90"),
        ({"arm_down_deg": 120}, "arm_down_deg: got 120, expected 0 to 90"),
    ],
)
def test_impossible_wishes_are_named(tube, arguments, message):
    with pytest.raises(InputError, match=message):
        make_rig(tube, person(), whole_body(tube), **arguments)


def test_open_body_shows_exactly_what_the_body_poses(open_body, open_lod, woman):
    rig = make_rig(open_body, woman, open_lod, "apose", 45)
    transforms = skinning_transforms(rig.joints, rig.parents, rig.rotations)
    shown = skin(rig.positions, rig.owners, rig.weights, transforms) + [0, rig.lift, 0]
    truth = displayed_vertices(open_body, woman, "apose", 45)[open_lod.keep]
    assert np.abs(shown - truth).max() < 1e-4
    still = rig.joints[JOINT["left_wrist"]] - rig.joints[JOINT["left_elbow"]]
    assert abs(still[0]) > 0.98 * np.linalg.norm(still), "animators expect a T-pose bind"
