"""The crop's geometry, on rectangles."""

import numpy as np
import pytest
import torch

from avatarlab.fit.regressor.crop import COLUMNS, PERSON_PX, ROWS, channels, cut, signs, window
from avatarlab.photo.observation import PART_NAMES


def rectangle(shape, top, left, height, width):
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


@pytest.mark.parametrize("height", (90, 116, 240, 420))
def test_the_person_fills_the_crop_alike_at_every_size(height):
    here = window(rectangle((500, 400), 30, 100, height, 60))
    assert here.scale * height == pytest.approx(PERSON_PX, rel=2.5 / height)
    assert here.size[0] * ROWS == here.size[1] * COLUMNS


def test_inside_and_outside_are_inverses_for_arrays_and_tensors():
    here = window(rectangle((500, 400), 30, 100, 333, 60))
    pixels = np.array([[0.0, 0.0], [123.4, 56.7]])
    assert here.outside(here.inside(pixels)) == pytest.approx(pixels)
    assert torch.allclose(here.inside(torch.tensor(pixels)), torch.tensor(here.inside(pixels)))


def test_the_person_stands_in_the_middle():
    here = window(rectangle((500, 400), 30, 100, 320, 60))
    middle = here.inside(np.array([130.0, 190.0]))
    assert middle == pytest.approx([COLUMNS / 2, ROWS / 2], abs=0.5)


def test_cutting_keeps_the_area():
    mask = rectangle((500, 400), 30, 100, 321, 61)
    here = window(mask)
    assert cut(mask.astype(np.float32), here).sum() / here.scale**2 == pytest.approx(321 * 61, rel=1e-3)


def test_what_lies_beyond_the_picture_is_empty():
    mask = rectangle((200, 50), 0, 0, 200, 50)
    shown = cut(mask.astype(np.float32), window(mask))
    assert shown[:, 0].max() == 0 and shown[0].max() == 0 and shown[ROWS // 2, COLUMNS // 2] == 1


def test_signs_tell_left_from_right():
    parts = np.array(
        [[PART_NAMES.index(name) for name in ("head", "trunk", "left_arm", "right_arm", "right_leg")]]
    )
    assert signs(parts)[:, 0].tolist() == [[0, 1, 0, 0, 0], [0, 0, 1, -1, 0], [0, 0, 0, 0, -1]]


def test_an_empty_mask_has_no_parts():
    nothing = channels(np.zeros((ROWS, COLUMNS), np.float32), np.zeros((33, 2)), "front")
    assert nothing.shape == (4, ROWS, COLUMNS) and not nothing.any()
