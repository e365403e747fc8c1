"""AMASS files of both kinds, in all the ways in which real ones differ; AIST++; and the one door for all files."""

import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from avatarlab.core.errors import InputError
from avatarlab.motion.clip import Clip
from avatarlab.motion.formats import aist, opening
from avatarlab.motion.formats.recording import Recording

POSES = np.random.default_rng(0).normal(size=(6, 165)) * 0.3
TRANS = np.random.default_rng(1).normal(size=(6, 3))


def smplh(**changed) -> dict:
    """What an "SMPL+H G" file holds, marker lists as Python objects included."""
    poses = np.concatenate([POSES[:, :66], POSES[:, 75:]], 1)
    return {
        "poses": poses, "trans": TRANS, "betas": np.ones(16), "dmpls": np.zeros((6, 8)), "gender": np.array("male"),
        "mocap_framerate": np.array(120.00004577636719), "marker_labels": np.array(["a", None], dtype=object),
    } | changed  # fmt: skip


def stageii(**changed) -> dict:
    """What an SMPL-X "stageii" file holds."""
    return {
        "root_orient": POSES[:, :3], "pose_body": POSES[:, 3:66], "pose_jaw": POSES[:, 66:69],
        "pose_eye": POSES[:, 69:75], "pose_hand": POSES[:, 75:], "poses": POSES, "trans": TRANS, "betas": np.ones(16),
        "gender": np.array("neutral"), "mocap_frame_rate": np.array(100), "surface_model_type": np.array("smplx"),
    } | changed  # fmt: skip


def saved(tmp_path, arrays, name="a.npz"):
    path = tmp_path / name
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def test_both_kinds_hold_the_same_motion(tmp_path):
    old, new = (Clip.load(saved(tmp_path, made)) for made in (smplh(), stageii()))
    assert np.allclose(new.poses, POSES, atol=1e-5) and np.allclose(old.trans, TRANS, atol=1e-5)
    assert np.array_equal(old.poses[:, :66], new.poses[:, :66]) and np.array_equal(
        old.poses[:, 75:], new.poses[:, 75:]
    )
    assert not old.poses[:, 66:75].any()
    assert old.mocap_frame_rate == 120.00004577636719 and new.mocap_frame_rate == 100
    assert old.betas.shape == (16,) and not old.expression.any()


def test_the_parts_alone_will_do(tmp_path):
    clip = Clip.load(saved(tmp_path, stageii(poses=None, pose_eye=None)))
    assert np.allclose(clip.poses[:, :69], POSES[:, :69], atol=1e-5) and not clip.poses[:, 69:75].any()
    with pytest.raises(InputError, match=r"pose_jaw is \(4, 3\), expected \(6, 3\)"):
        Clip.load(saved(tmp_path, stageii(poses=None, pose_jaw=np.zeros((4, 3)))))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (np.array("female"), "female"),
        (np.array(b"female"), "female"),
        (np.array("b'female'"), "female"),
        (np.array(["male"]), "male"),
        (np.array("Male "), "male"),
        (np.array("unknown"), "neutral"),
        (np.array(b"female", dtype=object), "neutral"),  # would need pickle
        (np.array([], dtype="S6"), "neutral"),
        (None, "neutral"),
    ],
)
def test_gender_comes_as_text_bytes_or_not_at_all(tmp_path, said, meant):
    assert Clip.load(saved(tmp_path, smplh(gender=said))).gender == meant


def test_smpl_and_sage_widths_are_read_too(tmp_path):
    for width in (66, 72):
        clip = Clip.load(saved(tmp_path, smplh(poses=np.ones((6, width)) * 0.1)))
        assert clip.poses[:, :66].all() and not clip.poses[:, 66:].any()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (smplh(poses=None), "shape-only"),
        (smplh(mocap_framerate=None), "does not say its rate"),
        (smplh(mocap_framerate=np.array(0.0)), "a.npz: clip: mocap_frame_rate: got 0"),
        (smplh(mocap_framerate=np.array("fast")), "rate is no number"),
        (smplh(trans=None), "has no trans"),
        (smplh(trans=TRANS * 1000), "are they millimetres"),
        (smplh(trans=TRANS[:3]), "trans are"),
        (smplh(poses=POSES[:, :100]), r"poses are \(6, 100\)"),
        (smplh(poses=POSES[:0], trans=TRANS[:0]), "at least one frame"),
        (smplh(poses=POSES * np.nan), "NaN"),
        (smplh(poses=np.array([[None] * 156], dtype=object)), "not a readable npz of plain arrays"),
        (smplh(betas=np.array([np.nan])), "betas hold NaN"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(tmp_path, made, said):
    with pytest.raises(InputError, match=said):
        Clip.load(saved(tmp_path, made))


def test_a_rate_may_be_given_where_the_file_says_none(tmp_path):
    assert Clip.load(saved(tmp_path, smplh(mocap_framerate=None)), rate=60).mocap_frame_rate == 60
    assert Clip.load(saved(tmp_path, stageii()), rate=60).mocap_frame_rate == 100


def test_pickles_are_refused_with_the_way_to_convert_them(tmp_path):
    path = tmp_path / "dance.pkl"
    path.write_bytes(pickle.dumps({"smpl_poses": [1]}))
    (tmp_path / "dance.npz").write_bytes(path.read_bytes())
    for name in ("dance.pkl", "dance.npz"):
        with pytest.raises(InputError, match="is a pickle.*numpy.savez"):
            opening.read(tmp_path / name)


def test_converted_aist_stands_up_in_metres(tmp_path):
    poses = np.zeros((3, 72))
    poses[:, 1] = 0.5  # about the vertical of its own world
    arrays = {"smpl_poses": poses, "smpl_trans": np.array([[0, 90, 180.0]] * 3), "smpl_scaling": np.array([90.0])}
    clip = opening.read(saved(tmp_path, arrays))
    turn = Rotation.from_euler("x", 90, degrees=True) * Rotation.from_euler("y", 0.5)
    assert np.allclose(Rotation.from_rotvec(clip.poses[:, :3]).as_matrix(), turn.as_matrix(), atol=1e-5)
    up = clip.trans + aist.PELVIS  # the pelvis: 1 m up and 2 m off in the file's y-up world
    assert np.allclose(up, [[0, -(2 + aist.PELVIS[2]), 1 + aist.PELVIS[1]]] * 3, atol=1e-5)
    assert clip.mocap_frame_rate == 60


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("smpl_scaling", np.array([0.0]), "scaling is 0"),
        ("smpl_scaling", None, "has no smpl_scaling"),
        ("smpl_poses", np.zeros((3, 24)), r"poses \(3, 24\)"),
        ("smpl_poses", np.full((3, 72), np.nan), "NaN"),
    ],
)
def test_odd_aist_files_are_refused(tmp_path, key, value, said):
    arrays = {"smpl_poses": np.zeros((3, 72)), "smpl_trans": np.zeros((3, 3)), "smpl_scaling": np.ones(1)}
    with pytest.raises(InputError, match=said):
        aist.read(saved(tmp_path, arrays | {key: value}))


def test_the_door_knows_every_kind(tmp_path):
    assert isinstance(opening.read(saved(tmp_path, smplh())), Clip)
    bvh = "HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n}\nMOTION\nFrames: 1\nFrame Time: 0.01\n5\n"
    (tmp_path / "a.bvh").write_text(bvh)
    (tmp_path / "a.txt").write_text("\n".join([",".join(["0"] * 117)] * 2))
    for name in ("a.bvh", "a.txt"):
        assert isinstance(opening.read(tmp_path / name), Recording)


def test_the_door_finds_the_skeleton_beside_a_motion(tmp_path):
    asf = (
        ":units\n length 0.45\n angle deg\n:root\n order TX TY TZ RX RY RZ\n axis XYZ\n"
        ":bonedata\n begin\n name a\n direction 1 0 0\n length 1\n axis 0 0 0 XYZ\n end\n"
        ":hierarchy\n begin\n root a\n end\n"
    )
    (tmp_path / "01_02.amc").write_text(":DEGREES\n1\nroot 0 0 0 0 0 0\n")
    with pytest.raises(InputError, match="no skeleton"):
        opening.read(tmp_path / "01_02.amc")
    (tmp_path / "01.asf").write_text(asf)
    assert opening.read(tmp_path / "01_02.amc").names == ("root", "a", "a_end")
    assert opening.read(tmp_path / "01_02.amc", rate=60).rate == 60


@pytest.mark.parametrize(
    ("name", "said"), [("a.fbx", "'.fbx' is none"), ("a", "without ending"), ("a.npz", "npz")]
)
def test_the_door_says_what_it_cannot_read(tmp_path, name, said):
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=said):
        opening.read(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        opening.read(tmp_path / "none.bvh")
