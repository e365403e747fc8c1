"""Readings on their way through JSON, what of a damaged table is refused, and what a search and a body read."""

import json
from dataclasses import replace

import pytest
import torch
from simulated import records

from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit.estimator.map_estimate import search
from avatarlab.fit.estimator.posterior import TAPES
from avatarlab.fit.estimator.posterior_update import condition_on_weight, readings_of
from avatarlab.fit.estimator.readings import Readings, read
from avatarlab.measure import MEASURES
from avatarlab.measure.survey import FURTHER_COLUMNS


@pytest.fixture(scope="module")
def record():
    return records("train", 1, 1)[0]


@pytest.fixture(scope="module")
def found(body, person, observed):
    return search(tuple(observed.values()), person.subject, body, steps=1)


def test_readings_survive_json(record):
    one = replace(
        record.readings,
        hidden={"ankle": "cut off"},
        unread=("ankle",),
        misfit={"front": 0.002},
        guess={"waist": 0.9},
    )
    assert Readings.from_json(json.loads(json.dumps(one.as_json()))) == one


def less(table):
    del table["sd"]["waist"]


def unknown_capture(table):
    table["capture"] = "painting"


def infinite(table):
    table["value"]["waist"] = float("inf")


def no_value(table):
    del table["value"]


def no_measure(table):
    table["unread"] = ["nose"]


def a_list(table):
    table["sd"] = [1, 2]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (less, "waist missing"),
        (unknown_capture, "got capture 'painting'"),
        (infinite, "value holds a number that is not finite"),
        (no_value, "not what Readings.as_json writes"),
        (no_measure, "'nose' is hidden, but not a measure"),
        (a_list, "not what Readings.as_json writes"),
    ],
)
def test_damaged_readings_are_refused(record, damage, says):
    table = json.loads(json.dumps(record.readings.as_json()))
    damage(table)
    with pytest.raises(InputError, match=says):
        Readings.from_json(table)


def test_a_body_reads_what_the_population_knows(body, person):
    value = read(body, person.betas)
    assert {name: 100 * value[name] for name in MEASURES} == pytest.approx(person.tapes_cm, abs=0.01)
    assert {*value} - {*MEASURES, "weight"} <= {*FURTHER_COLUMNS}
    assert 30 < value["weight"] < 150


def test_a_search_is_read(found):
    one = readings_of(found)
    assert one.capture == "studio" and one.inputs == "front_side" and set(one.misfit) == {"front", "side"}
    assert all(0 < one.sd[name] < 0.1 for name in TAPES) and one.sd["stature"] < 1e-4
    assert one.value["stature"] == pytest.approx(found.search.stature_m, abs=2e-5)


def test_weight_moves_the_volume_where_nothing_was_learned(found):
    body, betas = found.search.body, found.state.betas
    here = read(body, betas)
    heavy = Subject(found.search.stature_m, here["weight"] + 10)
    moved, covariance = condition_on_weight(body, betas, found.covariance, heavy)
    there = read(body, moved)
    assert 1 < there["weight"] - here["weight"] < 10.5
    assert there["stature"] == pytest.approx(found.search.stature_m, abs=2e-5)
    assert torch.linalg.eigvalsh(covariance)[0] > -1e-9
    assert float(covariance.diagonal().sum()) < float(found.covariance.diagonal().sum())
