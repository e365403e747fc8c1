"""Loose clothes: a body inside a larger outline, and the words for it."""

import pytest

from avatarlab.fit.estimator.map_estimate import FEWEST, LOOSE_M, Region, clothing_gaps, regions, search


@pytest.fixture(scope="module")
def found(body, person, observed):
    return search((observed["front"],), person.subject, body, guess="starts", steps=3)


def test_a_fitted_body_fills_its_outline(found):
    seen = regions(found.search, found.state, 0)
    assert {"trunk", "thigh", "calf"} <= set(seen) and seen["trunk"].points > 40
    assert max(abs(region.off_m) for region in seen.values()) < 0.01 and found.clothed == {}


def test_a_body_too_small_for_its_outline_is_clothed(found):
    view = found.state.views[0]
    far = type(view)(view.rotation, view.shift * 1.03, view.log_focal, view.pose)
    small = type(found.state)(found.state.betas, (far,))
    off, before = (regions(found.search, state, 0)["thigh"].off_m for state in (small, found.state))
    assert off > before + 0.001


def test_only_loose_and_well_seen_regions_count():
    loose, tight, few = Region(FEWEST, LOOSE_M + 0.003), Region(99, LOOSE_M - 0.001), Region(FEWEST - 1, 0.05)
    assert clothing_gaps([{"trunk": tight, "thigh": few}]) == {}
    said = clothing_gaps([{"trunk": tight, "thigh": few}, {"trunk": loose}])
    assert said == dict.fromkeys(("chest", "waist", "hip"), "clothes stand off the body by 18 mm")
