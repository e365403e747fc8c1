import math

import hostile
import pytest
from PIL import Image

from avatarlab.photo import decode

FILM, FOCAL, X_RESOLUTION, UNIT, WIDE, HIGH = 41989, 37386, 41486, 41488, 40962, 40963


def focal(tags, turned=False):
    """The focal length (px) that ``decode`` reads from a 128 x 96 picture with these EXIF tags."""
    exif = Image.Exif()
    if turned:
        exif[274] = 6
    exif.get_ifd(34665).update(tags)
    return decode(hostile.encoded(exif=exif)).focal_px


def test_film_equivalent_goes_by_the_diagonal():
    expected = 26 / math.hypot(36, 24) * math.hypot(128, 96)
    assert focal({FILM: 26}) == pytest.approx(expected)
    assert focal({FILM: 26}, turned=True) == pytest.approx(expected)


@pytest.mark.parametrize(("unit", "mm"), [(2, 25.4), (3, 10.0), (4, 1.0)])
def test_sensor_resolution(unit, mm):
    tags = {FOCAL: 4.25, X_RESOLUTION: 30.0 * mm, UNIT: unit}
    assert focal(tags) == pytest.approx(4.25 * 30, rel=1e-3)


def test_a_scaled_picture_scales_the_focal_length():
    tags = {FOCAL: 4.25, X_RESOLUTION: 300.0, UNIT: 4, WIDE: 1280, HIGH: 960}
    assert focal(tags) == pytest.approx(4.25 * 30, rel=1e-3)
    assert focal(tags, turned=True) == pytest.approx(4.25 * 30, rel=1e-3)


def test_a_cropped_picture_tells_nothing():
    assert focal({FILM: 26, WIDE: 1920, HIGH: 960}) is None


@pytest.mark.parametrize(
    "tags", [{}, {FILM: 0}, {FILM: 1}, {FILM: 4000}, {FOCAL: 4.2}, {FOCAL: 4.2, X_RESOLUTION: 0.0}, {FILM: "wide"}]
)
def test_silent_or_absurd_tags_tell_nothing(tags):
    assert focal(tags) is None
