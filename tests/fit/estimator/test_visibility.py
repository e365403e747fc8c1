"""What is withheld: cut, covered, hardly in the picture; not what another photo shows, not what is merely vague."""

from dataclasses import replace

import pytest

from avatarlab.fit.estimator.visibility import CUT, VAGUE, hidden_measures
from avatarlab.measure import MEASURES
from avatarlab.photo import Finding

BEFORE = {name: 0.0 if name == "stature" else 0.05 for name in MEASURES}
SURE = {name: 0.2 * sd for name, sd in BEFORE.items()}


def with_findings(observation, *codes):
    return replace(observation, findings=tuple(Finding(code, "...") for code in codes))


@pytest.fixture
def front(observed):
    return observed["front"]


def test_a_whole_person_hides_nothing(front):
    assert hidden_measures((with_findings(front),), SURE, BEFORE) == ({}, ())


@pytest.mark.parametrize("code", CUT)
def test_what_is_cut_is_withheld_and_no_evidence(front, code):
    why, unread = hidden_measures((with_findings(front, code),), SURE, BEFORE)
    assert set(why) == set(CUT[code][1]) == set(unread)
    assert set(why.values()) == {CUT[code][0]}


def test_what_another_photo_shows_is_seen(front):
    seen = (with_findings(front, "legs_cut", "arms_cut"), with_findings(front, "arms_cut"))
    assert set(hidden_measures(seen, SURE, BEFORE)[0]) == set(CUT["arms_cut"][1])


def test_what_an_arm_covers_is_withheld_but_evidence(front):
    why, unread = hidden_measures((with_findings(front, "arms_against_body"),), SURE, BEFORE)
    assert set(why) == {"chest", "waist"} and "arm" in why["waist"] and unread == ()


def test_half_a_person_hides_what_stays_unsure(front):
    unsure = SURE | {"hip": 0.045, "stature": 0.0}
    why, unread = hidden_measures((with_findings(front, "feet_cut"),), unsure, BEFORE)
    assert why["hip"] == VAGUE and set(unread) == {"hip", "ankle"} and "stature" not in why


def test_a_head_under_hair_is_only_vague(front):
    assert hidden_measures((with_findings(front),), SURE | {"head": 0.05}, BEFORE) == ({}, ())
