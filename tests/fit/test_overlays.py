"""The overlay and the row table of a fit."""

import numpy as np
import pytest

from avatarlab.fit.overlays import overlay_body, row_table
from avatarlab.measure import MEASURES, population
from avatarlab.measure.definitions import FLEXED_M
from avatarlab.synthetic.rendered import measured_cm, rendered_person, sample


def test_overlay_is_drawn_over_the_person(body, person, observed, fitted):
    rgb = person.shots["front"].photo.rgb
    found = overlay_body(
        rgb, observed["front"].mask, body, fitted.person.betas(), fitted.poses[0], fitted.cameras[0]
    )
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


def test_rendered_people_have_drawn_tapes_whatever_the_components(body):
    """They are defined by what is measured, so another basis of the same bodies renders the same people."""
    drawn = population.sample("female", 1, 11)
    cm = measured_cm(body, sample(body, "female", 11))
    for name in MEASURES:
        assert cm[name] == pytest.approx(100 * (drawn[name][0] - FLEXED_M["female"].get(name, 0)), abs=0.5), name
