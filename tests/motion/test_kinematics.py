import pytest
import torch

from avatarlab.motion.kinematics import CONTACT_HEIGHT_M, jerk, stands
from avatarlab.motion.trackers import RATE


def test_jerk_of_a_cubic_is_six_times_its_factor():
    time = torch.arange(20, dtype=torch.float64) / RATE
    positions = torch.zeros(2, 20, 3, 3, dtype=torch.float64)
    positions[0, :, :, 0], positions[1, :, :, 1] = 7 * time[:, None] ** 3, 5 * time[:, None] ** 2
    assert jerk(positions, (-2, -1)).tolist() == pytest.approx([42, 0], abs=1e-6)
    assert float(jerk(positions)) == pytest.approx(21)


def test_a_joint_stands_where_it_is_slow_and_if_heights_are_known_low():
    speed, height = torch.tensor([0.1, 0.3, 0.1, 0.1]), torch.tensor([0.14, 0.0, 0.12, 0.09])
    assert stands(speed, 0.2).tolist() == [True, False, True, True]
    assert stands(speed, 0.2, height, torch.tensor(CONTACT_HEIGHT_M)).tolist() == [True, False, False, True]
