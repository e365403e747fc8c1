import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avatarlab.body import Block, MeasureUncertainty, Person, Uncertainty
from avatarlab.core.errors import InputError
from avatarlab.measure import DEFINITIONS, MEASURES, Measure, Measurements, compare, measure


def person(mean: float = 0.0, sd: float = 0.1, stature_m: float = 1.6, **changes) -> Person:
    """Somebody whose first component, the doll's size, is known to ``sd``; the doll is 1.75 m tall at 0."""
    variance = np.full(48, 1e-12)
    variance[0] = sd**2
    return Person({"body": Block(np.eye(48)[0] * mean, variance)}, stature_m=stature_m, **changes)


def told(definition: str = "ansur", **entries) -> Person:
    """The doll's person, who says of some measures how far to trust them: name -> (low, high) or (low, high, reason)."""
    known = {
        name: MeasureUncertainty(tuple(one[:2]), 1.0, ("front outline",), *one[2:])
        for name, one in entries.items()
    }
    return person(uncertainty=Uncertainty(known, definition, coverage=0.8, calibrated=True))


def test_values_are_centimetres(doll):
    found = measure(doll, torch.zeros(10))
    assert set(found.measures) == set(MEASURES) and found.definition == "ansur" and found.unit == "cm"
    assert found.measures["stature"] == Measure(175.0)
    assert found.weight_kg == pytest.approx(60, abs=30)


def test_intervals_follow_the_person_s_covariance(doll):
    found = measure(doll, person(sd=0.1)).measures["stature"]
    half = 1.6449 * 175.0 * 0.1 * 0.1  # the doll grows by a tenth per unit of its component
    assert found.interval == pytest.approx((175 - half, 175 + half), abs=0.02)


def test_a_person_is_measured_in_the_shape_they_have(doll):
    assert measure(doll, person(mean=1.0)).values()["stature"] == pytest.approx(192.5, abs=0.01)


def test_a_stature_that_the_body_has_is_exact_and_fixes_what_goes_with_it(doll):
    found = measure(doll, person(sd=0.1, stature_m=1.75)).measures
    assert found["stature"] == Measure(175.0, (175.0, 175.0), None, ("stature given",))
    low, high = found["waist"].interval
    assert high - low < 0.03, "on the doll everything goes with the stature"
    assert not np.ptp(measure(doll, person(sd=0.1, stature_m=1.75), "iso8559").measures["stature"].interval)


def test_somebody_without_a_shape_has_no_intervals(doll):
    found = measure(doll, Person({}, 1.75)).measures
    assert all(one.interval is None for one in found.values())


def test_blocks_of_tomorrow_are_measured_today(doll):
    more = {
        "face": Block(np.ones(64), np.ones(64), "face", "cd" * 32),
        "ears": Block([1.0], [1.0], "ears", "ef" * 32),
    }
    plain = person()
    grown = Person({**plain.blocks, **more}, plain.stature_m)
    assert measure(doll, grown) == measure(doll, plain)


def test_what_the_person_says_is_taken_as_it_is(doll):
    waist = measure(doll, person()).values()["waist"]
    low, high = round(waist - 3, 2), round(waist + 9, 2)
    found = measure(doll, told(waist=(low, high)))
    assert found.measures["waist"] == Measure(waist, (low, high), None, ("front outline",))
    assert found.measures["hip"].interval is None and (found.coverage, found.calibrated) == (0.8, True)
    assert measure(doll, person()).coverage == 0.9 and not measure(doll, person()).calibrated


def test_reasons_stand_beside_the_value_or_instead_of_it(doll, tmp_path):
    why = "feet out of the picture"
    somebody = told(ankle=(0, 99, why))
    kept, left_out = (measure(doll, somebody, withhold=withhold) for withhold in (False, True))
    assert kept.measures["ankle"].reason == why and kept.measures["ankle"].interval == (0, 99)
    assert kept.measures["ankle"].value == measure(doll, person()).values()["ankle"]
    assert left_out.measures["ankle"] == Measure(None, None, why, ("front outline",))
    left_out.save(tmp_path / "m.json")
    assert Measurements.load(tmp_path / "m.json") == left_out and left_out.lacks == ()


def test_intervals_move_with_the_definition(doll):
    somebody = told(inside_leg=(0.0, 99.0))
    plain, other = (measure(doll, somebody, d).measures for d in ("ansur", "smpl-anthropometry"))
    less = other["inside_leg"].value - plain["inside_leg"].value
    assert less < -1, "that inside leg ends at the ankle"
    assert other["inside_leg"].interval == pytest.approx((less, 99.0 + less), abs=0.011)
    same = measure(doll, told("smpl-anthropometry", inside_leg=(0.0, 99.0)), "smpl-anthropometry")
    assert same.measures["inside_leg"].interval == (0.0, 99.0)


def test_a_value_is_in_its_interval_to_the_last_digit(doll):
    value = measure(doll, person()).values()["waist"]
    edge = (round(value + 0.01, 2), round(value + 5, 2))
    assert measure(doll, told(waist=edge)).measures["waist"].value == edge[0]


@pytest.mark.parametrize(
    ("somebody", "says"),
    [
        (lambda: told(knee=(1.0, 2.0)), "uncertainty: 'knee' is not a measure; known are head"),
        (
            lambda: told(waist=(1.0, 2.0)),
            "uncertainty: waist is 1.00 to 2.00 cm, but the body measures.*fit the person",
        ),
        (lambda: told("tailor", waist=(1.0, 200.0)), "definition: got 'tailor'"),
    ],
)
def test_what_cannot_be_said_of_this_body_is_refused(doll, somebody, says):
    with pytest.raises(InputError, match=says):
        measure(doll, somebody())


def test_an_older_file_is_read_and_says_what_it_lacks(tmp_path, caplog):
    old = {"measures": {"waist": {"value": 80.1, "interval": [79, 81.5], "reason": None}}, "definition": "iso8559"}
    old |= {"unit": "cm", "coverage": 0.9, "weight_kg": 70.5, "schema": "avatarlab.measurements/1"}
    (tmp_path / "m.json").write_text(json.dumps(old))
    found = Measurements.load(tmp_path / "m.json")
    assert found.measures["waist"] == Measure(80.1, (79, 81.5)) and found.weight_kg == 70.5
    assert "older file (avatarlab.measurements/1) without what each measure rests on; measure again" in caplog.text
    assert found.lacks == ("what each measure rests on",)


def test_json_says_definition_and_unit_and_repeats(doll, tmp_path):
    for name in ("one.json", "two.json"):
        measure(doll, person()).save(tmp_path / name)
    text = (tmp_path / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text()
    table = json.loads(text)
    assert table["definition"] == "ansur" and table["unit"] == "cm" and table["coverage"] == 0.9
    assert set(table["measures"]["waist"]) == {"value", "interval", "reason", "rests_on"}


@pytest.mark.parametrize(
    "text,sentence",
    [
        (None, "no such file"),
        ("not JSON", "not a JSON file"),
        ("[1]", "not a measurements file"),
        ('{"schema": "other"}', "not a measurements file"),
        ('{"schema": "avatarlab.measurements/2"}', "not whole measurements"),
        ('{"schema": "avatarlab.measurements/2", "measures": {"a": 1}, "definition": "ansur"}', "not whole"),
        ('{"schema": "avatarlab.measurements/2", "measures": {}, "definition": "x", "colour": 1}', "not whole"),
    ],
)
def test_broken_files_are_refused(tmp_path, text, sentence):
    path = tmp_path / "m.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        Measurements.load(path)


@pytest.mark.parametrize("betas", [torch.zeros(2, 10), torch.full((10,), float("nan"))])
def test_bad_betas_are_refused(doll, betas):
    with pytest.raises(InputError, match="betas: got shape"):
        measure(doll, betas)


def test_an_unknown_definition_is_refused_before_anything_else():
    with pytest.raises(InputError, match="definition: got 'tailor'"):
        measure(SimpleNamespace(), torch.zeros(10), "tailor")


def test_compare_lists_every_definition(doll):
    table = compare(doll, person())
    assert list(table) == list(MEASURES) and all(set(row) == set(DEFINITIONS) for row in table.values())
    assert table["shoulder_breadth"]["iso8559"] > table["shoulder_breadth"]["ansur"]
