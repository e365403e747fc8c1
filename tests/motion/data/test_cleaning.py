import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from avatarlab.core.errors import InputError
from avatarlab.motion.data.cleaning import (
    FASTEST_M_S,
    LIMITS,
    MARGIN_S,
    SHORTEST,
    check_floor,
    cleaned,
    floor_height,
    low_passed,
    smoothed,
    speeds,
    spoilt,
    steady,
    stretches,
)
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import JOINT, NAMES


def turning(angle, joint="left_elbow", axis=2) -> Motion:
    """A motion whose one joint is turned by ``angle`` (T,) rad about an axis, the pelvis at rest."""
    rotations = np.tile(np.eye(3), (len(angle), 22, 1, 1))
    vectors = np.zeros((len(angle), 3))
    vectors[:, axis] = angle
    rotations[:, JOINT[joint]] = Rotation.from_rotvec(vectors).as_matrix()
    return Motion(torch.from_numpy(rotations), torch.zeros(len(angle), 3, dtype=torch.float64))


def angle_of(motion, joint="left_elbow", axis=2) -> np.ndarray:
    return Rotation.from_matrix(motion.rotations[:, JOINT[joint]].numpy()).as_rotvec()[:, axis]


def middle(values, part=0.25):
    edge = int(part * len(values))
    return values[edge:-edge]


@pytest.mark.parametrize(
    ("hertz", "least", "most"), [(1, 0.99, 1.01), (3, 0.98, 1.01), (8, 0.4, 0.6), (25, 0, 0.01)]
)
def test_low_pass_keeps_motion_and_takes_noise(hertz, least, most):
    t = np.arange(480) / 120
    angle = 0.2 * np.sin(2 * np.pi * hertz * t)
    again = angle_of(smoothed(turning(angle), 120))
    gain = np.abs(middle(again)).max() / 0.2
    assert least <= gain <= most
    if hertz <= 3:  # no delay
        assert np.abs(middle(again - angle[::2])).max() < 0.005


def test_half_the_amplitude_is_left_at_the_cutoff():
    t = np.arange(1200) / 120
    assert np.abs(middle(low_passed(np.sin(2 * np.pi * 8 * t), 120))).max() == pytest.approx(0.5, abs=0.01)


def test_a_full_turn_is_filtered_without_a_seam():
    t = np.arange(360) / 120
    turns = angle_of(smoothed(turning(4 * t), 120))
    assert np.abs(np.diff(np.unwrap(turns)) - 4 / 60)[5:-5].max() < 1e-3


def test_steady_undoes_flipped_signs():
    quaternions = Rotation.random(1, random_state=0).as_quat()[None] * np.ones((6, 3, 1))
    flipped = quaternions * np.array([1, -1, -1, 1, -1, 1.0])[:, None, None]
    assert np.allclose(steady(flipped), quaternions)


@pytest.mark.parametrize("rate", [50, 60, 100, 120, 119.88])
def test_any_rate_comes_to_sixty_truly(rate):
    count = int(3 * rate) + 1
    again = smoothed(turning(1.3 * np.arange(count) / rate), rate, None)
    assert np.allclose(np.unwrap(angle_of(again)), 1.3 * np.arange(len(again.trans)) / 60, atol=1e-5)
    assert abs(len(again.trans) - 181) <= 1


def test_a_rate_of_zero_is_refused():
    with pytest.raises(InputError, match="rate: got 0"):
        smoothed(turning(np.zeros(100)), 0)


def test_speeds_are_those_of_a_steady_turn():
    turned, moved = speeds(turning(3.0 * np.arange(50) / 120), 120)
    assert np.allclose(turned[:, JOINT["left_elbow"]], 3.0) and np.allclose(
        np.delete(turned, JOINT["left_elbow"], 1), 0
    )
    assert np.allclose(moved, 0)


def test_a_flip_cuts_the_take_in_two_and_takes_a_margin():
    angle = np.zeros(400)
    angle[200:] = np.pi
    pieces = cleaned(turning(angle), 120)
    assert [len(p.motion.trans) for p in pieces] == pytest.approx([97, 97], abs=1)
    assert pieces[0].begin_s == 0 and pieces[1].begin_s == pytest.approx(200 / 120 + MARGIN_S, abs=0.01)
    assert all(np.ptp(angle_of(p.motion)) < 1e-9 for p in pieces)


@pytest.mark.parametrize("joint", NAMES)
def test_each_joint_has_its_limit(joint):
    limit = LIMITS[JOINT[joint]]
    for share in (0.9, 1.1):
        angle = share * min(limit, 100.0) * np.arange(10) / 60
        assert spoilt(turning(angle, joint), 60).any() == (share > 1 and np.isfinite(limit))


def test_a_leap_of_the_pelvis_and_nan_are_cut():
    motion = turning(np.zeros(300))
    motion.trans[150:] += 2 * FASTEST_M_S / 60
    assert len(cleaned(motion, 60)) == 2
    motion.trans[:] = 0
    motion.rotations[150, 3, 0, 0] = float("nan")
    pieces = cleaned(motion, 60)
    assert len(pieces) == 2 and all(torch.isfinite(p.motion.rotations).all() for p in pieces)


def test_pieces_shorter_than_a_second_are_dropped():
    assert cleaned(turning(np.zeros(SHORTEST - 1)), 60) == []
    assert len(cleaned(turning(np.zeros(SHORTEST)), 60)) == 1
    assert cleaned(turning(np.zeros(2 * SHORTEST - 4)), 120) == []


def test_stretches_by_hand():
    assert stretches(np.array([0, 0, 1, 0, 1, 1, 0, 0, 0], bool)) == [(0, 2), (3, 4), (6, 9)]
    assert stretches(np.ones(3, bool)) == [] and stretches(np.zeros(3, bool)) == [(0, 3)]


def test_the_floor_is_under_the_lower_ball_and_far_ones_are_refused():
    positions = np.zeros((100, 22, 3))
    positions[:, JOINT["left_foot"], 2], positions[:, JOINT["right_foot"], 2] = 0.08, np.linspace(0.5, 0.6, 100)
    assert floor_height(positions, 0.03) == pytest.approx(0.05)
    check_floor(0.11)
    with pytest.raises(InputError, match=r"floor is at -0\.81 m"):
        check_floor(-0.81)
