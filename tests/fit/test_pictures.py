"""The overlay and the row table of a fit."""

import numpy as np

from avatarlab.fit.pictures import overlaid, row_table
from avatarlab.people.rendered import rendered_person


def test_overlay_is_drawn_over_the_person(body, person, observed, fitted):
    rgb = person.shots["front"].photo.rgb
    found = overlaid(rgb, observed["front"].mask, body, fitted.person.betas(), fitted.poses[0], fitted.cameras[0])
    assert found.dtype == np.uint8 and max(found.shape) == 900


def test_rows_of_the_fit_are_those_of_the_photo(body, observed, fitted):
    table = row_table(body, observed["front"], fitted.person.betas(), fitted.poses[0], fitted.cameras[0])
    assert len(table.level) == 24 and np.isfinite(table.photo_mm).sum() > 12
    assert np.nanmedian(np.abs(table.photo_mm - table.body_mm)) < 8


def test_rendered_person_is_the_same_each_time(body, person):
    again = rendered_person(body, seed=3)
    for view, shot in again.shots.items():
        assert np.array_equal(shot.photo.rgb, person.shots[view].photo.rgb)
    assert again.tapes_cm == person.tapes_cm
