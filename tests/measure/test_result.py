import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avatarlab.body import Person
from avatarlab.body.person import Block
from avatarlab.errors import InputError
from avatarlab.measure import DEFINITIONS, MEASURES, Measure, Measurements, compare, measure


def person(mean: float = 0.0, sd: float = 0.1) -> Person:
    """Somebody whose first component, the doll's size, is known to ``sd``."""
    variance = np.full(48, 1e-12)
    variance[0] = sd**2
    return Person({"body": Block(np.eye(48)[0] * mean, np.log(variance))}, stature_m=1.75)


def test_values_are_centimetres(doll):
    found = measure(doll, torch.zeros(10))
    assert set(found.measures) == set(MEASURES) and found.definition == "ansur" and found.unit == "cm"
    assert found.measures["stature"] == Measure(175.0)
    assert found.weight_kg == pytest.approx(60, abs=30)


def test_intervals_follow_the_person_s_variance(doll):
    found = measure(doll, person(sd=0.1)).measures["stature"]
    half = 1.6449 * 175.0 * 0.1 * 0.1  # the doll grows by a tenth per unit of its component
    assert found.interval == pytest.approx((175 - half, 175 + half), abs=0.02)


def test_a_person_is_measured_in_the_shape_they_have(doll):
    assert measure(doll, person(mean=1.0)).values()["stature"] == pytest.approx(192.5, abs=0.01)


def test_given_spreads_go_before_the_person_s_own(doll):
    found = measure(doll, person(), sd_cm={"waist": 1.0})
    value = found.measures["waist"].value
    assert found.measures["waist"].interval == pytest.approx((value - 1.645, value + 1.645), abs=0.011)
    assert found.measures["hip"].interval is None
    with pytest.raises(InputError, match="sd_cm: 'knee' is not a measure"):
        measure(doll, person(), sd_cm={"knee": 1.0})


def test_reasons_stand_beside_the_value_or_instead_of_it(doll, tmp_path):
    why = {"ankle": "feet out of the picture"}
    kept, left_out = (measure(doll, person(), reasons=why, **given) for given in ({"withhold": False}, {}))
    assert kept.measures["ankle"].reason == why["ankle"] and kept.measures["ankle"].interval
    assert left_out.measures["ankle"] == Measure(None, None, why["ankle"])
    left_out.save(tmp_path / "m.json")
    assert Measurements.load(tmp_path / "m.json") == left_out
    with pytest.raises(InputError, match="reasons: 'knee' is not a measure"):
        measure(doll, person(), reasons={"knee": "?"})


def test_given_intervals_are_taken_as_they_are(doll):
    found = measure(doll, person(), intervals_cm={"waist": (70.0, 90.0)})
    assert found.measures["waist"].interval == (70.0, 90.0) and found.measures["hip"].interval is None
    with pytest.raises(InputError, match="intervals_cm: 'knee' is not a measure"):
        measure(doll, person(), intervals_cm={"knee": (1.0, 2.0)})


def test_given_intervals_move_with_the_definition(doll):
    given = {"inside_leg": (70.0, 80.0)}
    plain, other = (
        measure(doll, person(), d, intervals_cm=given).measures for d in ("ansur", "smpl-anthropometry")
    )
    less = other["inside_leg"].value - plain["inside_leg"].value
    assert less < -1, "that inside leg ends at the ankle"
    assert other["inside_leg"].interval == pytest.approx((70.0 + less, 80.0 + less), abs=0.011)


def test_json_says_definition_and_unit_and_repeats(doll, tmp_path):
    for name in ("one.json", "two.json"):
        measure(doll, person()).save(tmp_path / name)
    text = (tmp_path / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text()
    table = json.loads(text)
    assert table["definition"] == "ansur" and table["unit"] == "cm" and table["coverage"] == 0.9
    assert set(table["measures"]["waist"]) == {"value", "interval", "reason"}


@pytest.mark.parametrize(
    "text,sentence",
    [
        (None, "no such file"),
        ("not JSON", "not a JSON file"),
        ("[1]", "not a measurements file"),
        ('{"schema": "other"}', "not a measurements file"),
        ('{"schema": "avatarlab.measurements/1"}', "not whole measurements"),
        ('{"schema": "avatarlab.measurements/1", "measures": {"a": 1}, "definition": "ansur"}', "not whole"),
        ('{"schema": "avatarlab.measurements/1", "measures": {}, "definition": "x", "colour": 1}', "not whole"),
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
