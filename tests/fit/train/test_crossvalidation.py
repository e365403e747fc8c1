"""What each part is worth, on simulated people: nobody answers for themselves, the joined answer is the best."""

from dataclasses import replace

import pytest
from simulated import records

from avatarlab.core.errors import InputError
from avatarlab.fit.train.crossvalidation import card_of, compared
from avatarlab.learn import weights


@pytest.fixture(scope="module")
def people():
    return [*records("train", 10, 1), *records("calibration", 40, 2)]


@pytest.fixture(scope="module")
def table(people):
    return compared(people)


def row(table, method, weight=False):
    (one,) = [one for one in table if (one.method, one.weight) == (method, weight)]
    return one


def test_only_calibration_people_are_scored(table):
    assert {one.people for one in table} == {80} and {one.capture for one in table} == {"studio"}


def test_the_posterior_is_better_than_any_of_its_parts(table):
    ours = row(table, "posterior").mae15_mm
    assert ours < 0.7 * row(table, "mesh").mae15_mm and ours < 0.5 * row(table, "population").mae15_mm
    assert ours <= row(table, "tapes").mae15_mm + 0.2
    assert row(table, "posterior", True).mae15_mm < ours + 0.05
    assert row(table, "population", True).mae15_mm < 0.7 * row(table, "population").mae15_mm


def test_the_network_alone_is_scored_where_everybody_has_it(people, table):
    assert not [one for one in table if one.method == "network"]
    both = [replace(one, readings=replace(one.readings, guess=one.truth_m)) for one in people]
    assert row(compared(both), "network").mae15_mm == 0.0


def test_test_people_are_not_even_compared(people):
    with pytest.raises(InputError, match="split 'test'"):
        compared([replace(one, split="test") for one in people])


def test_the_card_says_whom_and_how_well(people, table, tmp_path):
    card = card_of(people, "ansur2", {"steps": 12}, table, {"body": "b0d1", "skeleton": "5ce1"}, "abc")
    assert card["bases"] == {"body": "b0d1"}
    assert card["data"] == {
        "rows": "ansur2",
        "people": {"calibration studio front_side": 80, "train studio front_side": 20},
    }
    assert card["metrics"]["cross_validation"][0]["method"] == "population"
    weights.save(tmp_path / "x.safetensors", {}, card)
