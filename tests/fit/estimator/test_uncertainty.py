"""A fitted person's file alone says what fit and report said: intervals, reasons, what each measure rests on."""

from dataclasses import replace

import pytest
import skimage.data

from avatarlab.body import Person
from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit import fit, fitting, placeholder
from avatarlab.fit.fitting import AVERAGE, rests_on
from avatarlab.measure import DEFINITIONS, MEASURES, measure
from avatarlab.photo import Finding, Photo, observe


@pytest.fixture(scope="module")
def astronaut(body):
    """The README's fit."""
    return fit(observe(Photo(skimage.data.astronaut(), None, "astronaut")), Subject(1.68), body)


def test_the_file_alone_measures_as_the_fit_did(body, astronaut, tmp_path):
    astronaut.person.save(tmp_path / "person.npz")
    again = Person.load(tmp_path / "person.npz", body)
    for definition in DEFINITIONS:
        assert measure(body, again, definition) == measure(body, astronaut.person, definition)
    found, quality = measure(body, again), astronaut.quality
    withheld = {name: one.reason for name, one in found.measures.items() if one.reason}
    assert withheld == quality.withheld and len(withheld) == 15
    assert all(found.measures[name].value is None for name in withheld)
    shown = measure(body, again, withhold=False)
    assert {name: one.interval for name, one in shown.measures.items()} == quality.interval_cm
    assert found.calibrated == quality.calibrated


def test_the_stature_that_was_given_is_exact(body, astronaut):
    stature = measure(body, astronaut.person).measures["stature"]
    assert stature.value == 168.0 and stature.interval == (168.0, 168.0) and stature.rests_on == ("stature given",)


def test_without_its_uncertainty_the_covariance_says_nearly_the_same(body, fitted):
    told = measure(body, fitted.person, withhold=False).measures
    bare = measure(body, replace(fitted.person, uncertainty=None)).measures
    assert bare["stature"].interval == told["stature"].interval
    for name in MEASURES:
        assert bare[name].value == told[name].value
        assert bare[name].interval == pytest.approx(told[name].interval, abs=0.5)


def test_whole_photos_are_what_a_fit_rests_on(body, person, fitted):
    found = fitted.person.uncertainty.measures
    assert found["waist"].rests_on == ("front outline", "side outline", "stature given", "population")
    assert found["stature"].rests_on == ("stature given",) and fitted.person.weight_kg is None
    assert {name for name, one in found.items() if one.withheld} == {*fitted.quality.withheld}


def test_another_shape_s_uncertainty_is_refused(body, fitted):
    other = placeholder(body, Subject(1.5))
    with pytest.raises(InputError, match="uncertainty: .* but the body measures .*another shape's"):
        measure(body, replace(other, uncertainty=fitted.person.uncertainty))


def cut(observation, *codes):
    return replace(observation, findings=tuple(Finding(code, "...") for code in codes))


def test_evidence_is_what_the_photos_show(observed):
    both = (cut(observed["front"], "legs_cut"), cut(observed["side"]))
    found = rests_on(both, ("head",), {"waist": "clothes stand off the body by 40 mm"}, weighed=True)
    given = ("stature given", "weight given", "population")
    assert found["hip"] == ("front outline", "side outline", *given)
    assert found["thigh"] == ("side outline", *given), "the front photo does not show it"
    assert found["waist"] == ("front outline over clothes", "side outline over clothes", *given)
    assert found["head"] == given, "as vague as before the photos"
    assert found["stature"] == ("stature given",)
    alone = rests_on(both[:1], (), {}, weighed=False)
    assert alone["thigh"] == ("stature given", "population") and {*alone} == {*MEASURES}


def test_of_a_placeholder_only_the_stature_is_known(body):
    average = placeholder(body, Subject(1.8055, sex="male"))
    found = measure(body, average).measures
    assert found["stature"].value == 180.55 and found["stature"].interval == (180.55, 180.55)
    assert {name for name, one in found.items() if one.reason == AVERAGE} == {*MEASURES} - {"stature"}
    wide = measure(body, average, withhold=False).measures["waist"]
    assert wide.interval[1] - wide.interval[0] > 10 and wide.rests_on == ("stature given", "population")


def test_an_interval_reaches_to_the_body_that_is_shipped():
    assert fitting._holding((70.0, 80.0), 75.0) == (70.0, 80.0)
    assert fitting._holding((70.0, 70.0), 70.004) == (70.0, 70.0), "rounding leaves what is exact exact"
    assert fitting._holding((70.0, 80.0), 80.1234) == (70.0, 80.12)
