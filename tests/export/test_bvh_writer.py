"""BVH files: closed forms of the angles, and what our own reader makes of them."""

import numpy as np
import pytest
import roma
import torch
from dance import clip
from tube import ELBOW_X, LENGTH, person

from avatarlab.export.bvh import angles_zxy, write_bvh
from avatarlab.export.posed_clip import pose_clip
from avatarlab.motion.formats import bvh
from avatarlab.motion.formats.euler import euler

QUARTER = np.pi / 2


def positions(path) -> dict[str, np.ndarray]:
    """Joint name -> positions (T, 3) m, as our reader has them."""
    said = bvh.read(path)
    return {name: said.positions[:, k] for k, name in enumerate(said.names)}


def test_angles_come_back():
    rng = np.random.default_rng(0)
    asked = rng.uniform([-3, -1.5, -3], [3, 1.5, 3], (200, 4, 3))
    rotations = np.stack([euler("ZXY", asked[:, k]) for k in range(4)], 1)
    said = angles_zxy(rotations)
    assert np.stack([euler("ZXY", said[:, k]) for k in range(4)], 1) == pytest.approx(rotations, abs=1e-9)


def test_angles_run_on_over_half_a_turn_and_over_the_pole():
    share = np.linspace(0, 4 * np.pi, 241)[:, None, None]
    about_z = angles_zxy(roma.rotvec_to_rotmat(torch.tensor(share * [0, 0, 1.0])).numpy())
    assert about_z[:, 0, 0] == pytest.approx(share[:, 0, 0], abs=1e-9)
    about_x = angles_zxy(roma.rotvec_to_rotmat(torch.tensor(share * [1.0, 0, 0])).numpy())
    assert about_x[:, 0, 1] == pytest.approx(share[:, 0, 0], abs=1e-5), "past 90 degrees no flip of the others"


def test_locked_angles_still_make_the_rotation():
    turn = euler("ZXY", np.array([[0.7, QUARTER, 0.4], [0.7, -QUARTER, 0.4]]))[:, None]
    said = angles_zxy(turn)
    assert np.stack([euler("ZXY", row) for row in said]) == pytest.approx(turn, abs=1e-5)


def test_elbow_that_turns_a_quarter_ends_where_it_must(tube, tmp_path):
    said = write_bvh(tmp_path / "a.bvh", tube, person(), clip(left_elbow=(0, 0, QUARTER)))
    assert said == {"joints": 22, "frames": 61}
    wrist = positions(tmp_path / "a.bvh")["left_wrist"]
    assert wrist[0] == pytest.approx([LENGTH, 0, 0], abs=1e-5)
    assert wrist[60] == pytest.approx([ELBOW_X, LENGTH - ELBOW_X, 0], abs=1e-5)


def test_reader_finds_the_bodys_joints(open_body, woman, tmp_path):
    rng = np.random.default_rng(1)
    names = [name for name in open_body.joint_names[1:22] if "foot" not in name]
    rotations = {name: rng.uniform(-1.5, 1.5, 3) for name in (*names, "left_index2", "jaw")}
    moves = clip(trans=np.linspace([0, 0, 1], [3, -2, 1], 61), **rotations)
    said = write_bvh(tmp_path / "a.bvh", open_body, woman, moves)
    found, acted = positions(tmp_path / "a.bvh"), pose_clip(open_body, woman, moves)
    truth = dict(zip(open_body.joint_names, acted.joints(open_body).double().numpy().swapaxes(0, 1), strict=True))
    shared = [name for name in found if not name.endswith("_end")]
    assert said["joints"] == len(shared) == 22 + 3, "index1 is there because index2 turns"
    for name in shared:
        assert found[name] == pytest.approx(truth[name], abs=1e-5)
    assert bvh.read(tmp_path / "a.bvh").rate == pytest.approx(60, abs=1e-4)


def test_bones_end_at_the_crown_and_at_the_toes(open_body, woman, tmp_path):
    write_bvh(tmp_path / "a.bvh", open_body, woman, clip())
    found = positions(tmp_path / "a.bvh")
    assert np.linalg.norm(found["head_end"] - found["head"], axis=1).max() < 0.25
    assert found["head_end"][0, 1] - found["left_foot_end"][0, 1] == pytest.approx(woman.stature_m, abs=0.02)


def test_same_bytes_twice_and_plain_text(tube, tmp_path):
    for name in "ab":
        write_bvh(tmp_path / name, tube, person(), clip(left_elbow=(0.3, 0.2, 0.1)))
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    assert (
        data.startswith(b"HIERARCHY\nROOT pelvis\n{\n\tOFFSET 0.00000 0.00000 0.00000\n")
        and b"-0.00000" not in data
    )
