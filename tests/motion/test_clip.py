"""``Clip``: what it refuses, what it keeps on disk, and resampling against constant and cubic motion."""

import numpy as np
import pytest
import roma
import torch

from avatarlab.core.errors import InputError
from avatarlab.motion.clip import Clip
from avatarlab.motion.data.resampling import positions_at, rotations_at, ticks
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import Skeleton

AXIS = np.array([0.3, 0.5, -0.8]) / np.linalg.norm([0.3, 0.5, -0.8])


def turning(frames=145, rate=72.0, speed=4.0, joint=18) -> Clip:
    """One joint turns at ``speed`` rad/s; the pelvis moves on a cubic's arc."""
    t = np.arange(frames) / rate
    poses = np.zeros((frames, 55, 3))
    poses[:, joint] = AXIS * np.remainder(speed * t + np.pi, 2 * np.pi)[:, None] - AXIS * np.pi
    return Clip(poses.reshape(frames, 165), np.stack([t, 1 - 2 * t, 0.5 * t**2], 1), mocap_frame_rate=rate)


def angle_deg(a, b) -> float:
    return float(np.degrees(roma.rotmat_geodesic_distance(torch.as_tensor(a), torch.as_tensor(b)).max()))


@pytest.mark.parametrize(("rate", "new"), [(72, 60), (90, 60), (100, 60), (120, 60), (60, 90), (120.00004577, 60)])
def test_a_constant_turn_is_resampled_to_a_tenth_of_a_degree(rate, new):
    speed, seconds = 4.0, 2.0
    clip = turning(round(rate * seconds) + 1, rate, speed)
    found = clip.resampled(new)
    t = np.arange(len(found)) / new
    truth = roma.rotvec_to_rotmat(torch.tensor(AXIS * (speed * t)[:, None])).float()
    assert len(found) == round(seconds * new) + 1 and found.mocap_frame_rate == new
    assert angle_deg(truth, found.rotations[:, 18]) < 0.1
    assert np.allclose(found.trans, np.stack([t, 1 - 2 * t, 0.5 * t**2], 1), atol=2e-5)


def test_halving_an_exact_rate_takes_every_second_frame_and_the_same_rate_changes_nothing():
    clip = turning(101, 120)
    half = clip.resampled(60)
    assert angle_deg(half.rotations, clip.rotations[::2]) < 0.05 and np.allclose(half.trans, clip.trans[::2])
    assert np.array_equal(clip.resampled(120).poses, clip.poses)


def test_the_ends_are_the_ends_and_a_single_frame_stays():
    clip = turning(6, 50)
    found = clip.resampled(100)
    assert len(found) == 11 and np.allclose(found.trans[[0, -1]], clip.trans[[0, -1]], atol=1e-5)
    one = clip.frames(slice(2, 3)).resampled(60)
    assert len(one) == 1 and np.allclose(one.poses, clip.poses[2:3], atol=1e-5)
    two = clip.frames(slice(0, 2))
    assert np.allclose(two.resampled(100).trans[1], two.trans.mean(0), atol=1e-5)


def test_ticks_end_inside_and_take_slightly_odd_rates_for_round_ones():
    assert ticks(121, 120, 60).tolist() == list(range(0, 121, 2))
    assert len(ticks(121, 120.00004577, 60)) == 61 and ticks(121, 120.00004577, 60).max() <= 120
    assert len(ticks(120, 120, 60)) == 60
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match="rate"):
            ticks(10, wrong, 60)
        with pytest.raises(InputError, match="rate"):
            turning().resampled(wrong)


def test_no_corners_in_the_speed_where_slerp_has_them():
    t = np.arange(0, 40) / 30
    path = np.stack([np.sin(3 * t), np.cos(3 * t), t], 1)
    fine = positions_at(path, np.arange(0, 39, 0.25))
    truth = np.arange(0, 39, 0.25) / 30
    truth = np.stack([np.sin(3 * truth), np.cos(3 * truth), truth], 1)
    inner = slice(8, -8)
    line = np.stack([np.interp(np.arange(0, 39, 0.25), np.arange(40), path[:, k]) for k in range(3)], 1)
    assert np.abs(fine - truth)[inner].max() < 0.1 * np.abs(line - truth)[inner].max()
    vectors = np.stack([np.sin(3 * t), 0 * t, 0.5 * t], 1)
    turns = roma.rotvec_to_rotmat(torch.tensor(vectors)).numpy()
    found = rotations_at(turns[:, None], np.array([10.5]))[0, 0]
    exact = roma.rotvec_to_rotmat(torch.tensor([np.sin(3 * 10.5 / 30), 0, 0.5 * 10.5 / 30])).numpy()
    slerp = roma.rotmat_slerp(torch.tensor(turns[10]), torch.tensor(turns[11]), torch.tensor(0.5)).numpy()
    assert angle_deg(found, exact) < 0.1 * angle_deg(slerp, exact)


def test_on_disk_it_is_itself_and_has_the_keys_of_both_kinds_of_amass(tmp_path):
    chance = np.random.default_rng(0)
    clip = Clip(
        chance.normal(size=(7, 165)), chance.normal(size=(7, 3)), chance.normal(size=16), "female", 59.94,
        chance.random((7, 52)), {"from": "here"},
    )  # fmt: skip
    for name in ("a.npz", "b.npz"):
        clip.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = Clip.load(tmp_path / "a.npz")
    assert all(
        np.array_equal(getattr(again, k), getattr(clip, k)) for k in ("poses", "trans", "betas", "expression")
    )
    assert (again.gender, again.mocap_frame_rate, again.header) == ("female", 59.94, {"from": "here"})
    with np.load(tmp_path / "a.npz", allow_pickle=False) as raw:
        assert float(raw["mocap_framerate"]) == float(raw["mocap_frame_rate"]) == 59.94
        assert np.array_equal(raw["root_orient"], clip.poses[:, :3]) and raw["pose_body"].shape == (7, 63)
        assert np.array_equal(raw["pose_hand"], clip.poses[:, 75:]) and str(raw["gender"]) == "female"
        assert raw["pose_jaw"].shape == (7, 3) and raw["pose_eye"].shape == (7, 6)


def test_sages_result_without_pickle(tmp_path):
    clip = turning(9)
    clip.save_sage(tmp_path / "sage.npz")
    with np.load(tmp_path / "sage.npz", allow_pickle=False) as raw:
        assert raw["poses"].shape == (9, 66) and raw["poses"].dtype == np.float32 and raw["trans"].shape == (9, 3)
    again = Clip.load(tmp_path / "sage.npz", rate=60)
    assert np.array_equal(again.poses[:, :66], clip.poses[:, :66])


def test_a_motion_goes_in_and_comes_out():
    rotations = roma.random_rotmat((5, 22), dtype=torch.float64)
    motion = Motion(rotations, torch.rand(5, 3))
    clip = Clip.of(motion, [0.5], "male", 60, made="up")
    assert angle_deg(clip.motion.rotations.double(), rotations) < 0.05 and torch.equal(
        clip.motion.trans, motion.trans
    )
    assert clip.header == {"made": "up"} and clip.seconds == pytest.approx(4 / 60) and not clip.poses[:, 66:].any()


def test_joints_are_the_skeletons(open_body):
    clip = turning(4)
    positions = Skeleton.of(open_body).fk(*clip.motion)[1]
    assert float((clip.joints(open_body)[:, :22] - positions).abs().max()) < 1e-5


def test_it_cannot_be_changed():
    clip = turning(3)
    with pytest.raises(ValueError, match="read-only"):
        clip.poses[0] = 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"poses": np.zeros((0, 165))}, "at least one frame"),
        ({"poses": np.zeros((3, 66))}, r"poses are \(3, 66\)"),
        ({"poses": np.full((3, 165), np.nan)}, "poses hold NaN"),
        ({"poses": np.full((3, 165), 90.0)}, "are they degrees"),
        ({"trans": np.zeros((2, 3))}, "trans are"),
        ({"trans": np.full((3, 3), 900.0)}, "are they millimetres"),
        ({"trans": np.full((3, 3), np.inf)}, "trans hold NaN"),
        ({"betas": np.zeros((2, 2))}, "betas are"),
        ({"betas": ["tall"]}, "betas are no numbers"),
        ({"expression": np.zeros((3, 50))}, "expression are"),
        ({"gender": "man"}, "gender: got 'man'"),
        ({"mocap_frame_rate": 0}, "mocap_frame_rate: got 0"),
        ({"mocap_frame_rate": np.nan}, "mocap_frame_rate"),
    ],
)
def test_what_is_no_motion_is_refused(changed, said):
    with pytest.raises(InputError, match=said):
        Clip(**({"poses": np.zeros((3, 165)), "trans": np.zeros((3, 3))} | changed))
