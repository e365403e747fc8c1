"""Widths at the body's levels, on boxes."""

import pytest
import torch

from avatarlab.fit.regressor.crop import CHANNELS, COLUMNS, PERSON_PX, ROWS
from avatarlab.fit.regressor.model import BETWEEN, LEVELS, PROFILES, levels, profiles, row_profiles, sample_rows
from avatarlab.photo import skeleton


@pytest.fixture
def points():
    """A person's keypoints: shoulders at 30, hips at 64, knees at 92, ankles at 116 px."""
    found = torch.zeros(1, 33, 3)
    knots = (skeleton.SHOULDERS, skeleton.HIPS, skeleton.KNEES, skeleton.ANKLES)
    for pair, height in zip(knots, (30.0, 64.0, 92.0, 116.0), strict=True):
        found[0, list(pair), 1] = height
    return found


def test_levels_stand_between_the_knots(points):
    heights = levels(points)[0]
    assert heights.shape == (LEVELS,) and (heights.diff() > 0).all()
    chest = heights[BETWEEN[0] : BETWEEN[0] + BETWEEN[1]]
    assert chest.min() > 30 and chest.max() < 64
    assert heights[0] > (ROWS - PERSON_PX) / 2


def test_a_box_is_as_wide_as_it_is(points):
    image = torch.zeros(1, CHANNELS, ROWS, COLUMNS)
    image[:, 0, 10:120, 20:52] = 1.0
    seen = profiles(image, points)[0]
    assert seen.shape == (PROFILES, LEVELS)
    assert torch.allclose(16 * seen[0, 5:60], torch.full((55,), 32.0))
    assert torch.allclose(
        16 * seen[4, 5:60] / (16 * seen[0, 5:60]) * 16, torch.full((55,), 36.0 - 48.0), atol=1e-4
    )


def test_legs_balance_tells_left_from_right():
    image = torch.zeros(1, CHANNELS, ROWS, COLUMNS)
    image[:, 3, 90, :8], image[:, 3, 90, 8:12] = -1.0, 1.0
    rows = row_profiles(image)[0, :, 90]
    assert (16 * rows[3], 16 * rows[6]) == (12.0, -4.0)


def test_reading_between_rows_is_linear():
    rows = torch.arange(ROWS).float().expand(1, 1, ROWS)
    assert torch.allclose(
        sample_rows(rows, torch.tensor([[10.5, 10.75, 64.0]])), torch.tensor([[[10.0, 10.25, 63.5]]])
    )
