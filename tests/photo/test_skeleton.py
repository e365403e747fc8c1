import numpy as np
import pytest
from stick import stick

from avatarlab.photo import skeleton


@pytest.mark.parametrize("mirror", [False, True])
def test_trunk_axes(mirror):
    points, _ = stick()
    points = points * [-1, 1] + [480, 0] if mirror else points
    trunk = skeleton.trunk(points)
    assert trunk.length == pytest.approx(140)
    assert np.allclose(trunk.down, [0, 1]) and np.allclose(trunk.left, [-1 if mirror else 1, 0])
    assert np.allclose(trunk.lateral(1), -trunk.left)


def test_trunk_of_coinciding_points_is_finite():
    assert np.isfinite(skeleton.trunk(np.zeros((33, 2))).down).all()


def test_limbs_start_at_the_body():
    points, _ = stick()
    assert np.allclose(skeleton.arm(points, 0)[:3], points[[11, 13, 15]])
    assert np.allclose(skeleton.leg(points, 1), points[[24, 26, 28, 32]])
    assert skeleton.arm(points, 0)[3, 0] > points[19, 0]


def test_distance_to_a_line():
    away = skeleton.distance_to((60, 80), [np.array([[10, 30], [70, 30]])])
    assert away[30, 40] == 0 and away[50, 40] == pytest.approx(20, rel=0.03)


def test_reach_covers_the_person_and_not_the_wall():
    points, mask = stick()
    near = skeleton.reach(mask.shape, points)
    assert near[mask].all() and not near[:4].any() and not near[500:, :60].any()
