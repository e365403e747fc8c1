import numpy as np
import pytest
import torch

from avatarlab.render import Camera
from avatarlab.synthetic import conditions, scenes

FLOOR, BEHIND = -1.0, 1.5


@pytest.fixture(scope="module")
def camera():
    return Camera.look_at((1.0, 0.4, 3.0), (0, 0, 0), focal_px=500, width=300, height=400)


@pytest.fixture(scope="module")
def place(camera):
    return scenes._place(camera, FLOOR, BEHIND, height_m=1.4)


def axes(camera):
    away = -camera.eye.numpy() * [1, 0, 1]
    away = away / np.linalg.norm(away)
    return away, np.array([-away[2], 0.0, away[0]])


@pytest.mark.parametrize("across, along", [(0.0, 0.5), (-0.4, 1.2), (0.3, -0.4)])
def test_the_floor_is_where_it_is_drawn(camera, place, across, along):
    away, right = axes(camera)
    point = across * right + along * away + [0, FLOOR, 0]
    x, y = (int(v) for v in camera.project(torch.from_numpy(point).float()[None])[0][0])
    assert place.surface[y, x] == 2
    assert (place.across[y, x], place.along[y, x]) == pytest.approx((across, along), abs=0.03)


@pytest.mark.parametrize("across, up, surface", [(0.2, 0.6, 1), (-0.5, 1.2, 1), (0.0, 1.7, 0)])
def test_the_wall_stands_behind_and_ends_at_its_height(camera, place, across, up, surface):
    away, right = axes(camera)
    point = across * right + BEHIND * away + [0, FLOOR + up, 0]
    x, y = (int(v) for v in camera.project(torch.from_numpy(point).float()[None])[0][0])
    assert place.surface[y, x] == surface
    assert (place.across[y, x], place.along[y, x]) == pytest.approx((across, up), abs=0.03)


def test_places_differ_and_come_back_with_their_seed(camera):
    feet = np.array([[0.1, FLOOR, 0.0], [-0.1, FLOOR, 0.0]])
    pictures = [scenes.scene(camera, feet, np.random.default_rng(seed)) for seed in (0, 0, 1, 2)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])
    for picture in pictures:
        assert picture.shape == (400, 300, 3) and picture.min() >= 0 and picture.max() <= 1
        assert picture.std() > 0.03


def test_development_keeps_the_picture_and_roughens_it():
    grey = np.full((120, 90, 3), 128, np.uint8)
    stored = [conditions.developed(grey, np.random.default_rng(seed)) for seed in range(8)]
    assert all(s.shape == grey.shape and s.dtype == np.uint8 for s in stored)
    assert np.mean([s.std() for s in stored]) > 0.5
    assert all(0.7 * 128 < s.mean() < 1.3 * 128 for s in stored)
