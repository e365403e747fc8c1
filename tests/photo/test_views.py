import numpy as np
import pytest
from sitters import seen, seen_rendered

from avatarlab.photo import views


def turned(degrees):
    """Keypoints and world points of a body turned about the vertical."""
    world, keypoints = np.zeros((33, 3)), np.ones((33, 3))
    turn = np.radians(degrees)
    for pair, half, y in ((views.skeleton.SHOULDERS, 0.165, -0.5), (views.skeleton.HIPS, 0.11, 0.0)):
        for number, sign in zip(pair, (1, -1), strict=True):
            world[number] = [sign * half * np.cos(turn), y, sign * half * np.sin(turn)]
            keypoints[number, :2] = 200 + 300 * world[number, :2]
    return keypoints, world


@pytest.mark.parametrize("degrees", [0, 20, -20, 45, 90, -90, 150, 180])
def test_yaw_of_made_points(degrees):
    off = views.yaw(*turned(degrees)) - degrees
    assert abs((off + 180) % 360 - 180) < 1


def test_unseen_hips_leave_it_to_3d():
    keypoints, world = turned(30)
    keypoints[[23, 24], 2] = 0
    keypoints[11, 0] += 500
    assert views.yaw(keypoints, world) == pytest.approx(30, abs=1)


@pytest.mark.parametrize(
    ("degrees", "view"), [(0, "front"), (-40, "front"), (80, "side"), (-100, "side"), (180, "front")]
)
def test_view(degrees, view):
    assert views.view_of(degrees) == view


@pytest.mark.parametrize("degrees", [0, 20, -20, 90, -90])
def test_rendered(degrees):
    observation = seen_rendered("apose", float(degrees))
    assert observation.yaw_deg == pytest.approx(degrees, abs=15)
    assert observation.view == ("side" if abs(degrees) == 90 else "front")


def test_real_profile_and_real_front():
    assert seen("ibm_maxod_dog_human_profile").yaw_deg == pytest.approx(85, abs=12)
    assert abs(seen("ibm_yogait_apose_wide").yaw_deg) < 8
