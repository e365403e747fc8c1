"""Animated avatars: joints end where closed forms say, the body's own posing is reproduced, other programs agree."""

import numpy as np
import pytest
import roma
import torch
from dance import clip
from scipy.spatial import cKDTree
from test_viewers import issues, spotless
from tube import ELBOW_X, LENGTH, person

from avatarlab.body.layout import ARKIT_NAMES, JOINT
from avatarlab.export import whole_body
from avatarlab.export.animated_glb import smooth_quaternions, write_animated_glb
from avatarlab.export.glb_reader import Glb
from avatarlab.export.posed_clip import pose_clip
from avatarlab.motion.clip import Clip

QUARTER = np.pi / 2


def joint(glb: Glb, name: str, frame: int) -> np.ndarray:
    return glb.world({}, frame)[1 + JOINT[name]][:3, 3]


def test_elbow_that_turns_a_quarter_ends_where_it_must(tube, tmp_path):
    said = write_animated_glb(
        tmp_path / "a.glb", tube, person(), clip(left_elbow=(0, 0, QUARTER)), lod=whole_body(tube)
    )
    glb = Glb(tmp_path / "a.glb")
    assert said["frames"] == 61 and glb.times == pytest.approx(np.arange(61) / 60)
    assert joint(glb, "left_wrist", 0) == pytest.approx([LENGTH, 0, 0], abs=1e-5)
    assert joint(glb, "left_wrist", 60) == pytest.approx([ELBOW_X, LENGTH - ELBOW_X, 0], abs=1e-5)
    half = np.sqrt(0.5) * (LENGTH - ELBOW_X)
    assert joint(glb, "left_wrist", 30) == pytest.approx([ELBOW_X + half, half, 0], abs=1e-5)


def test_only_what_moves_and_the_root_have_a_channel(tube, tmp_path):
    said = write_animated_glb(
        tmp_path / "a.glb", tube, person(), clip(left_elbow=(0, 0, 1.0)), lod=whole_body(tube)
    )
    glb = Glb(tmp_path / "a.glb")
    moved = {(1 + JOINT["left_elbow"], "rotation"), (1, "translation")}
    assert said["channels"] == 2 and set(glb.keyframe(3)) == moved
    still = write_animated_glb(tmp_path / "b.glb", tube, person(), clip(), lod=whole_body(tube))
    assert still["channels"] == 1


def test_world_is_laid_from_z_up_to_y_up(tube, tmp_path):
    walk = clip(trans=np.linspace([0, 0, 0], [1.0, 2.0, 3.0], 61))
    write_animated_glb(tmp_path / "a.glb", tube, person(), walk, lod=whole_body(tube))
    glb = Glb(tmp_path / "a.glb")
    assert joint(glb, "pelvis", 60) - joint(glb, "pelvis", 0) == pytest.approx([1, 3, -2], abs=1e-5)
    assert glb.posed(frame=0)[:, 0].max() == pytest.approx(LENGTH, abs=1e-5), "upright, facing +z, left = +x"


def test_facial_actions_become_weights(tube, tmp_path):
    shown = np.zeros((61, 52))
    shown[:, ARKIT_NAMES.index("mouthSmileLeft")] = np.linspace(0, 0.5, 61)
    write_animated_glb(tmp_path / "a.glb", tube, person(), clip(expression=shown), lod=whole_body(tube))
    glb = Glb(tmp_path / "a.glb")
    assert glb.keyframe(60)[0, "weights"] == pytest.approx([0, 0.5])
    moved = glb.posed(frame=60) - glb.posed(frame=0)
    assert moved[:, 2].max() == pytest.approx(0.5 * 0.02, abs=1e-5)


def test_quaternions_take_the_short_way():
    rotations = torch.tensor(np.linspace([0, 0, 0], [0, 0, 4 * np.pi], 97))[:, None]
    quaternions = smooth_quaternions(roma.rotvec_to_rotmat(rotations))
    assert (quaternions[1:] * quaternions[:-1]).sum(-1).min() > 0.99
    assert quaternions[48, 0] == pytest.approx([0, 0, 0, -1], abs=1e-5), "one whole turn is minus one"


def test_validator_finds_nothing_and_bytes_are_steady(npm, tube, tmp_path):
    smile = np.linspace(0, 0.2, 61)[:, None] * np.ones(52)
    moves = clip(left_elbow=(0, 0, QUARTER), pelvis=(0.3, 0.2, 2.0), expression=smile)
    for name in "ab":
        write_animated_glb(tmp_path / f"{name}.glb", tube, person(), moves, lod=whole_body(tube))
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()
    found = issues(npm, tmp_path / "a.glb")
    assert spotless(found), found["messages"]


def test_still_clip_and_one_frame_are_fine_too(npm, tube, tmp_path):
    for number, still in enumerate((clip(), clip(frames=1))):
        path = tmp_path / f"{number}.glb"
        write_animated_glb(path, tube, person(), still, lod=whole_body(tube))
        assert spotless(issues(npm, path))


def test_other_rates_become_sixty(tube, tmp_path):
    quick = clip(frames=121, rate=120.0, left_elbow=(0, 0, QUARTER))
    said = write_animated_glb(tmp_path / "a.glb", tube, person(), quick, lod=whole_body(tube))
    glb = Glb(tmp_path / "a.glb")
    assert said["frames"] == 61 and glb.times[-1] == pytest.approx(1)
    half = np.sqrt(0.5) * (LENGTH - ELBOW_X)
    assert joint(glb, "left_wrist", 30) == pytest.approx([ELBOW_X + half, half, 0], abs=1e-5)


@pytest.fixture(scope="module")
def squat():
    """Somebody who turns about, bends knees, hips, elbows and sinks."""
    bend = {"left_knee": (1.2, 0, 0), "right_knee": (1.2, 0, 0), "left_hip": (-1, 0, 0), "right_hip": (-1, 0, 0)}
    sinking = np.linspace([0, 0, 1.0], [0.2, -0.4, 0.8], 61)
    return clip(trans=sinking, left_shoulder=(0, 0, -1.2), right_elbow=(0, 1.5, 0), spine2=(0.3, 0.2, 0), **bend)


def test_the_bodys_own_posing_is_reproduced(npm, open_body, open_lod, woman, squat, tmp_path):
    path = tmp_path / "a.glb"
    said = write_animated_glb(path, open_body, woman, squat, lod=open_lod)
    glb, acted = Glb(path), pose_clip(open_body, woman, squat)
    for frame in (0, 33, 60):
        positions = np.stack([glb.world({}, frame)[j][:3, 3] for j in glb.gltf.skins[0].joints])
        assert np.abs(positions - acted.joints(open_body)[frame].numpy()).max() < 1e-4
        shown, truth = glb.posed(frame=frame), acted.vertices(open_body, frame).numpy()[open_lod.keep]
        off = cKDTree(truth).query(shown)[0]
        assert off.mean() < 0.001 and off.max() < 0.015
    assert said["bytes"] < 2_000_000 and spotless(issues(npm, path))


def test_soles_keep_their_height_on_another_body(open_body, woman):
    """The mean body's hips at their resting height over the floor: the woman stands on it, too, and walks shorter."""
    rest = open_body()
    hips = rest.joints[0].numpy()
    above = float(rest.joints[0, 1] - rest.vertices[: open_body.skin_count, 1].min())
    acted = pose_clip(open_body, woman, clip(trans=np.linspace([0, 0, above], [0, -1.0, above], 61) - hips))
    assert float(acted.vertices(open_body, 0)[: open_body.skin_count, 1].min()) == pytest.approx(0, abs=1e-4)
    assert 0.8 < float(acted.pelvis[-1, 2] - acted.pelvis[0, 2]) < 0.98


def test_clip_without_betas_is_of_the_mean_body(open_body, woman, squat):
    bare = Clip.of(squat.motion)
    assert torch.equal(pose_clip(open_body, woman, bare).pelvis, pose_clip(open_body, woman, squat).pelvis)


def test_pictures_take_fewer_frames(open_body, woman, squat):
    acted = pose_clip(open_body, woman, squat)
    fewer = acted.sampled(30)
    assert len(fewer) == 31 and torch.equal(fewer.pelvis, acted.pelvis[::2]) and fewer.rate == 30
