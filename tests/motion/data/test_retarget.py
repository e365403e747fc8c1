import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from strangers import REST

from avatarlab import DATA
from avatarlab.core.errors import InputError
from avatarlab.motion.data.agreement import limb_angles
from avatarlab.motion.data.recordings import takes_in, unpack
from avatarlab.motion.data.retarget.retarget import (
    LIMBS,
    halfway,
    leg_ratio,
    recorded_bones,
    rest_turns,
    retarget,
    smallest_turn,
)
from avatarlab.motion.data.retarget.tables import ASF, ASF_JOINTS, DAZ_FILE, DAZ_JOINTS, daz, table_for
from avatarlab.motion.formats import asf
from avatarlab.motion.formats.recording import Recording
from avatarlab.motion.rotations import UPRIGHT
from avatarlab.motion.skeleton import JOINT, MIRRORED, NAMES, PARENT, Skeleton

SKELETON = Skeleton(torch.tensor(REST))
SPREAD = np.deg2rad(20)


def recorded(rest=REST, rotations=None, root=None, scale=1.0, form="asf") -> Recording:
    """A recording with ASF names, one joint for each of ours, on the given rest (22, 3)."""
    names = tuple(ASF_JOINTS[name][0] for name in NAMES)
    rest = scale * np.asarray(rest, float)
    offsets = rest - rest[[max(p, 0) for p in PARENT]]
    rotations = np.tile(np.eye(3), (1, 22, 1, 1)) if rotations is None else rotations
    root = np.zeros((len(rotations), 3)) if root is None else root
    return Recording(names, PARENT, offsets, rotations, root, 120.0, form=form)


def astride() -> np.ndarray:
    """REST with legs spread by 20 degrees, as ASF files have them; the feet turn with the legs."""
    rest = REST.copy()
    for side, sign in (("left", 1), ("right", -1)):
        turn = Rotation.from_rotvec([0, 0, sign * SPREAD])
        hip = rest[JOINT[f"{side}_hip"]].copy()
        for name in ("knee", "ankle", "foot"):
            rest[JOINT[f"{side}_{name}"]] = hip + turn.apply(REST[JOINT[f"{side}_{name}"]] - hip)
    return rest


def wild(frames=5, seed=0) -> np.ndarray:
    return Rotation.random(frames * 22, random_state=seed).as_matrix().reshape(frames, 22, 3, 3)


@pytest.mark.parametrize("seed", range(3))
def test_smallest_turn_is_the_one_that_scipy_finds(seed):
    a, b = np.random.default_rng(seed).normal(size=(2, 3))
    turn = smallest_turn(a, b)
    assert np.allclose(turn @ a / np.linalg.norm(a), b / np.linalg.norm(b))
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert np.isclose(Rotation.from_matrix(turn).magnitude(), angle)


def test_smallest_turn_of_opposite_directions_is_half_a_turn():
    turn = smallest_turn(np.array([0, 1.0, 0]), np.array([0, -2.0, 0]))
    assert np.allclose(turn @ [0, 1, 0], [0, -1, 0]) and np.isclose(np.linalg.det(turn), 1)


def test_the_same_skeleton_keeps_every_rotation_and_place():
    turns, root = wild(), np.random.default_rng(1).normal(size=(5, 3))
    take = recorded(rotations=turns, root=root)
    world, positions = SKELETON.fk(*retarget(take, SKELETON))
    assert np.allclose(world.numpy(), np.array(UPRIGHT) @ turns, atol=1e-5)
    ours = positions.numpy() @ np.array(UPRIGHT)  # back to y up
    hips = [JOINT["left_hip"], JOINT["right_hip"]]
    assert np.allclose(ours[:, hips].mean(1), take.positions[:, hips].mean(1), atol=1e-5)
    assert np.allclose(ours, take.positions, atol=1e-5)


def test_limbs_point_where_the_recorded_ones_point_whatever_the_rest():
    take = recorded(astride(), wild(20, 3))
    assert limb_angles(take, SKELETON).max() < 1e-4


def test_a_recorded_bone_that_is_astray_would_show():
    crooked = astride()
    crooked[JOINT["left_knee"]] += [0.1, 0, 0]
    bones = recorded_bones(recorded(astride()), ASF)
    turns = rest_turns(SKELETON, recorded_bones(recorded(crooked), ASF))
    thigh = REST[JOINT["left_knee"]] - REST[JOINT["left_hip"]]
    off = turns[JOINT["left_hip"]] @ thigh / np.linalg.norm(thigh)
    true = bones["left_hip"] / np.linalg.norm(bones["left_hip"])
    assert np.degrees(np.arccos(off @ true)) > 5


def test_soles_are_flat_when_spread_legs_are_brought_together():
    turns = np.tile(np.eye(3), (1, 22, 1, 1))
    for side, sign in (("left", 1), ("right", -1)):
        back = Rotation.from_rotvec([0, 0, -sign * SPREAD]).as_matrix()
        turns[:, [JOINT[f"{side}_{part}"] for part in ("hip", "knee", "ankle", "foot")]] = back
    world, _ = SKELETON.fk(*retarget(recorded(astride(), turns), SKELETON))
    feet = world[0, [JOINT["left_ankle"], JOINT["right_foot"]]]
    assert np.allclose(feet, np.array(UPRIGHT), atol=1e-5)


def test_the_way_is_scaled_by_the_legs_and_y_up_becomes_z_up():
    root = np.array([[1.0, 2.0, 3.0]])
    take = recorded(root=root, scale=0.8)
    assert leg_ratio(take, ASF, SKELETON) == pytest.approx(1.25)
    _, positions = SKELETON.fk(*retarget(take, SKELETON))
    hips = REST[[JOINT["left_hip"], JOINT["right_hip"]]].mean(0)
    expected = np.array(UPRIGHT) @ (1.25 * root[0] + hips)
    assert np.allclose(positions[0, [1, 2]].mean(0), expected, atol=1e-5)
    assert expected[2] == pytest.approx(2.5 + hips[1])


def test_left_stays_left_and_the_face_looks_along_minus_y():
    turns = np.tile(np.eye(3), (1, 22, 1, 1))
    turns[:, JOINT["left_shoulder"]] = turns[:, JOINT["left_elbow"]] = Rotation.from_rotvec(
        [0, 0, 1.0]
    ).as_matrix()
    _, positions = SKELETON.fk(*retarget(recorded(rotations=turns), SKELETON))
    left, right = positions[0, JOINT["left_wrist"]], positions[0, JOINT["right_wrist"]]
    assert left[0] > 0 > right[0] and left[2] > right[2] + 0.3
    assert positions[0, JOINT["left_foot"], 1] < positions[0, JOINT["left_ankle"], 1]


def test_halfway_is_in_the_middle():
    a, b = wild(2, 5)
    middle = halfway(a, b)
    to_a, to_b = (Rotation.from_matrix(np.swapaxes(middle, -1, -2) @ x).magnitude() for x in (a, b))
    assert np.allclose(to_a, to_b)


@pytest.mark.parametrize("scale", [1000.0, 0.0254])
def test_another_unit_is_refused(scale):
    with pytest.raises(InputError, match="leg is .* give the file's unit"):
        retarget(recorded(scale=scale), SKELETON)


@pytest.mark.parametrize("form", ["bvh", "daz"])
def test_a_skeleton_without_table_is_refused(form):
    with pytest.raises(InputError, match="need a table"):
        table_for(recorded(form=form))


def test_daz_offsets_are_rotations_alike_on_both_sides_and_say_where_they_are_from():
    content = json.loads(DAZ_FILE.read_text())
    assert "subject 02" in content["from"]
    offsets = np.array([content["offsets"][name] for name in NAMES])
    assert np.allclose(offsets @ np.swapaxes(offsets, -1, -2), np.eye(3), atol=1e-5)
    flip = np.array([-1.0, 1, 1])
    assert np.allclose((offsets * flip[:, None] * flip)[list(MIRRORED)], offsets, atol=0.02)
    assert daz().drop == 4 and {*daz().bones} == {*LIMBS} and {*DAZ_JOINTS} == {*NAMES}


@pytest.fixture(scope="module")
def hdm(tmp_path_factory):
    archive = DATA / "mocap" / "hdm05_asfamc.tar.xz"
    if not archive.is_file():
        pytest.skip("../shared/data/mocap has no hdm05_asfamc.tar.xz")
    return takes_in(unpack(archive, tmp_path_factory.mktemp("mocap") / "hdm05_asfamc"))[0]


def test_real_takes_keep_their_limbs_and_stand_on_the_floor(hdm, open_body):
    skeleton = Skeleton.of(open_body)
    for take in hdm[::45]:
        recording = asf.read(take.skeleton, take.path)
        assert limb_angles(recording, skeleton).max() < 1
        _, positions = skeleton.fk(*retarget(recording, skeleton))
        feet = positions[:, [JOINT["left_foot"], JOINT["right_foot"]], 2].amin(1)
        assert abs(np.percentile(feet, 2)) < 0.1
        assert (positions[:, JOINT["head"], 2] > positions[:, JOINT["left_foot"], 2]).all()
