"""What each part is worth, on simulated people: nobody answers for themselves, the joined answer is the best."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import records

from avatarlab import weights
from avatarlab.errors import InputError
from avatarlab.fit.crossvalidation import FOLDS, card_of, compared, left_out
from avatarlab.fit.learning import READ
from avatarlab.fit.posterior import SEXES


@pytest.fixture(scope="module")
def people():
    return records("train", 40, 1)


@pytest.fixture(scope="module")
def table(people):
    return compared([*people, *records("calibration", 5, 2)])


def row(table, method, weight=False):
    (one,) = [one for one in table if (one.method, one.weight) == (method, weight)]
    return one


def test_only_train_people_are_scored(table):
    assert {one.people for one in table} == {80} and {one.capture for one in table} == {"studio"}


def test_the_posterior_is_better_than_any_of_its_parts(table):
    ours = row(table, "everything").mae15_mm
    assert ours < 0.7 * row(table, "mesh").mae15_mm and ours < 0.5 * row(table, "population").mae15_mm
    assert ours <= row(table, "tapes").mae15_mm + 0.2
    assert row(table, "everything", True).mae15_mm < ours + 0.05
    assert row(table, "population", True).mae15_mm < 0.7 * row(table, "population").mae15_mm


def test_the_network_alone_is_scored_where_everybody_has_it(people, table):
    assert not [one for one in table if one.method == "network"]
    both = [replace(one, readings=replace(one.readings, guess=one.truth_m)) for one in people]
    assert row(compared(both), "network").mae15_mm == 0.0


def test_nobody_teaches_their_own_answer(people):
    """A wild reading of one person must not enter the posterior that answers for that person."""
    one = people[0]
    wild = replace(one, readings=replace(one.readings, value=one.readings.value | {"waist": 3.0}))
    plain, spoilt = (left_out([x, *people[1:]], READ) for x in (one, wild))
    gain = [model[one.id].optics[one.sex, "studio", "front_side"].gain for model in (plain, spoilt)]
    np.testing.assert_array_equal(*gain)
    assert len({id(model) for model in plain.values()}) == FOLDS
    for sex in SEXES:
        counts = [sum(x.sex == sex and plain[x.id] is model for x in people) for model in set(plain.values())]
        assert max(counts) - min(counts) <= 1


def test_test_people_are_not_even_compared(people):
    assert compared([replace(one, split="test") for one in people]) == []
    with pytest.raises(InputError, match="split 'elsewhere'"):
        from avatarlab.fit.learning import grouped

        grouped([replace(people[0], split="elsewhere")])


def test_the_card_says_whom_and_how_well(people, table, tmp_path):
    card = card_of(people, "ansur2", {"steps": 12}, table, "abc")
    assert card["data"] == {"rows": "ansur2", "people": {"train studio front_side": 80}}
    assert card["metrics"]["cross_validation"][0]["method"] == "population"
    weights.save(tmp_path / "x.safetensors", {}, card)
