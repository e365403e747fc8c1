"""Repeatability: the spread in closed form, one real photo end to end, one that is no photo."""

import numpy as np
import pytest

from avatarlab import DATA
from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit.evaluate import repeatability
from avatarlab.fit.evaluate.repeatability import Sitter, photographs, repeated, spread_mm
from avatarlab.measure import MEASURES

PHOTOS = DATA / "photos"


def test_spread_is_that_of_a_sample():
    assert spread_mm([0.98, 1.0, 1.02]) == pytest.approx(20)
    assert spread_mm([1.0, 1.0]) == 0
    with pytest.raises(InputError, match="got 1 photo"):
        spread_mm([1.0])


def test_no_folder_no_photos(tmp_path):
    assert photographs(tmp_path / "absent") == []
    (tmp_path / "ibm_yogait_b.jpg").touch()
    (tmp_path / "ibm_yogait_a.jpg").touch()
    (tmp_path / "somebody_else.jpg").touch()
    assert [path.stem for path in photographs(tmp_path)] == ["ibm_yogait_a", "ibm_yogait_b"]


def test_the_person_is_cut_out_at_one_height():
    picture, mask = np.zeros((400, 300, 3), np.uint8), np.zeros((200, 150), bool)
    mask[50:150, 60:80] = True
    picture[100:300, 120:160] = 255  # the same person, twice as large
    part = repeatability._around(picture, mask)
    assert part.shape[0] == repeatability.TALL_PX
    assert part.mean() / 255 == pytest.approx(200 * 40 / (212 * 52), abs=0.03)  # pads of 3 % of the height
    assert part[repeatability.TALL_PX // 2, part.shape[1] // 2].tolist() == [255, 255, 255]


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"{PHOTOS} is absent: no photographs of one man")
def test_the_ten_photographs_are_there():
    assert len(photographs(PHOTOS)) == 10


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"{PHOTOS} is absent: no photographs of one man")
def test_a_photo_is_fitted_alone_and_a_bad_one_is_named(open_body, tmp_path):
    bad, heard = tmp_path / "ibm_yogait_bad.jpg", []
    bad.write_text("no photo")
    paths = [photographs(PHOTOS)[2], bad]
    taken, refused = repeated(
        paths, Sitter(Subject(1.78, sex="male"), "pretrained"), workers=0, progress=heard.append
    )
    assert [one.name for one in taken] == [paths[0].stem] and list(refused) == [bad.stem]
    assert taken[0].tapes_m.keys() == set(MEASURES) <= taken[0].mesh_m.keys()
    assert taken[0].tapes_m["stature"] == pytest.approx(1.78, abs=1e-3)
    assert taken[0].picture.shape[0] == repeatability.TALL_PX and len(heard) == 2
