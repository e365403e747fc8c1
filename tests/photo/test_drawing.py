import dataclasses

import numpy as np
import pytest
from sitters import astronaut_photo, real, seen

from avatarlab.photo import Hands, picture


@pytest.mark.parametrize("name", ["astronaut", "ibm_yogait_apose_wide"])
def test_picture_is_large_and_captioned(name):
    photo = astronaut_photo() if name == "astronaut" else real(name)
    drawn = picture(photo.rgb, seen(name))
    high, wide = photo.rgb.shape[:2]
    assert drawn.dtype == np.uint8 and max(drawn.shape[1], drawn.shape[1] * high // wide) == 1000
    caption = drawn[round(drawn.shape[1] * high / wide) :]
    assert 40 < len(caption) < 300 and (caption == 255).mean() > 0.7 and (caption < 100).any()


def test_missing_things_are_left_out():
    bare = dataclasses.replace(seen("astronaut"), face=None, skin=None, hands=Hands(), findings=())
    full = picture(astronaut_photo().rgb, seen("astronaut"))
    assert picture(astronaut_photo().rgb, bare).shape[0] < full.shape[0]


def test_the_photo_itself_is_untouched():
    rgb = astronaut_photo().rgb.copy()
    picture(rgb, seen("astronaut"))
    assert np.array_equal(rgb, astronaut_photo().rgb)
