import numpy as np
from sitters import astronaut_photo

from avatarlab.photo import detectors


def test_pose_is_quiet_and_repeats(capfd):
    rgb = astronaut_photo().rgb
    first, second = detectors.pose(rgb), detectors.pose(rgb)
    assert capfd.readouterr() == ("", "")
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b)
    assert first.keypoints.shape == first.world.shape == (33, 3)
    assert first.confidence.shape == rgb.shape[:2] and 0 <= first.confidence.min() <= first.confidence.max() <= 1


def test_nobody():
    wall = np.full((300, 300, 3), 120, np.uint8)
    assert detectors.pose(wall) is None and detectors.face(wall) is None and detectors.hand(wall) is None


def test_crop_returns_photo_pixels():
    def corner(crop):
        assert crop.shape == (200, 200, 3)
        return np.float32([[0, 0, 0], [200, 200, 10]])

    points = detectors.in_crop(corner, np.zeros((400, 300, 3), np.uint8), np.array([150, 90]), 50, 200)
    assert np.allclose(points, [[125, 65, 0], [175, 115, 2.5]])


def test_crop_passes_nothing_on():
    assert detectors.in_crop(lambda crop: None, np.zeros((40, 40, 3), np.uint8), np.array([9, 9]), 20, 50) is None
