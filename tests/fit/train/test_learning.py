"""Learning the posterior: gains and noise recovered, leave-one-out exact, coverage as promised, wrong splits refused."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import OFFSET, SHRUNK, records

from avatarlab.core.errors import InputError
from avatarlab.fit.estimator.posterior import SEXES, TAPES, people
from avatarlab.fit.train.crossvalidation import (
    EVERYTHING,
    READ,
    STRENGTHS,
    learned,
    left_out,
    noise,
    optics_of,
    quantile,
    ridge,
    widened,
)


@pytest.fixture(scope="module")
def made():
    """A posterior of 60 train and 100 calibration people per sex."""
    return learned(records("train", 60, 1) + records("calibration", 100, 2))


@pytest.mark.parametrize("sex", SEXES)
def test_gain_offset_and_noise_are_recovered(sex):
    found = optics_of(records("train", 300, 1, noise=0.2))[sex]
    names = people(sex)[0]
    total = found.gain.sum(1)  # collinear measures may share a gain
    at = [READ.index(name) for name in ("waist", "chest", "hip", "calf", "inside_leg")]
    own = [found.gain[k, names.index(READ[k])] for k in at]
    assert np.all(np.array(own) > 0.4) and np.allclose(total[at], SHRUNK, atol=0.35)
    assert np.allclose(found.offset, OFFSET, atol=0.08)
    assert np.allclose(np.sqrt(found.noise.diagonal()), 0.2, atol=0.05)
    off = found.noise - np.diag(found.noise.diagonal())
    assert np.abs(off).max() < 0.1 * 0.2


def test_leave_one_out_residuals_are_those_of_leaving_one_out():
    chance = np.random.default_rng(0)
    x, aim = chance.standard_normal((12, 4)), np.array([1.0, 0, 0, 0])
    member = np.eye(2)[[0] * 7 + [1] * 5]
    y = x @ [0.8, 0.1, 0, 0] + member @ [0.3, -0.5] + 0.1 * chance.standard_normal(12)
    _, _, left = ridge(x, y, aim, member)
    middle = (member / member.sum(0)).T @ x
    errors = []
    for strength in STRENGTHS:
        off = []
        for k in range(12):
            keep = np.arange(12) != k
            # the groups' means stay out of the penalty, so each leaves its own mean, also without person k
            design = np.column_stack([member, x - member @ middle])
            penalty = np.diag([0, 0, *[strength] * 4])
            solved = np.linalg.solve(design[keep].T @ design[keep] + penalty, design[keep].T @ (y - x @ aim)[keep])
            off.append((y - x @ aim)[k] - solved @ design[k])
        errors.append(np.array(off))
    best = min(errors, key=lambda off: np.mean(off**2))
    np.testing.assert_allclose(left, best, atol=1e-10)


def test_few_people_are_taken_to_read_what_they_measure():
    found = optics_of(records("train", 12, 1, gain=1.0, offset=0.0, noise=0.5))["male"]
    names = people("male")[0]
    own = [found.gain[k, names.index(name)] for k, name in enumerate(READ)]
    assert np.median(own) > 0.8


def test_correlated_noise_is_seen_and_the_rest_shrunk():
    chance = np.random.default_rng(1)
    left = chance.standard_normal((60, 6))
    left[:, 1] = 0.9 * left[:, 0] + np.sqrt(1 - 0.81) * left[:, 1]
    spread = noise(left, np.ones_like(left, bool))
    unit = spread / np.sqrt(np.outer(spread.diagonal(), spread.diagonal()))
    assert 0.5 < unit[0, 1] < 0.95
    raw = np.abs(np.corrcoef(left.T))[2:, 2:][~np.eye(4, dtype=bool)]
    assert np.abs(unit[2:, 2:][~np.eye(4, dtype=bool)]).mean() < raw.mean()
    assert np.linalg.eigvalsh(spread)[0] > 0


def test_noise_ignores_what_was_not_seen():
    left, seen = np.random.default_rng(0).choice([-1.0, 1.0], (20, 2)), np.ones((20, 2), bool)
    left[10:, 1], seen[10:, 1] = 0.0, False
    left[:10, 1] *= 2
    assert np.sqrt(noise(left, seen).diagonal()) == pytest.approx([1, 2])


@pytest.mark.parametrize("weighed", [False, True])
def test_intervals_hold_ninety_of_a_hundred(made, weighed):
    held = []
    for one in records("train", 300, 3):
        answer = made(one.readings, one.told(weighed))
        held.append(
            [low <= one.truth_m[name] <= high for name, (low, high) in answer.interval_m.items()][: len(TAPES)]
        )
    assert 0.87 < np.mean(held) < 0.93
    assert np.mean(held, 0).min() > 0.82 and np.mean(held, 0).max() < 0.97


def test_the_posterior_beats_the_mesh_and_the_population(made):
    off = {"mesh": [], "posterior": []}
    for one in records("train", 60, 4):
        answer = made(one.readings, one.told(weighed=False))
        off["mesh"].append([one.readings.value[name] - one.truth_m[name] for name in TAPES])
        off["posterior"].append([answer.value_m[name] - one.truth_m[name] for name in TAPES])
    mae = {name: 1000 * np.abs(x).mean() for name, x in off.items()}
    assert mae["posterior"] < 0.65 * mae["mesh"] and mae["posterior"] < 10


def test_quantile_is_the_split_conformal_one():
    assert quantile(np.arange(1.0, 100.0)) == 90  # the 90th of 99
    assert quantile(np.arange(1.0, 10.0)) == 9  # of nine the largest
    assert quantile(np.array([3.0])) == 3.0


def test_a_measure_hidden_from_all_takes_the_others_factor():
    hidden = [
        replace(one, readings=replace(one.readings, hidden={"head": "under hair"}))
        for one in records("calibration", 40, 2)
    ]
    factor, _ = widened([*records("train", 20, 1), *hidden])
    assert np.isfinite(factor).all() and 1.2 < factor[TAPES.index("head")] < 2.5


def guessed(some):
    return [replace(one, readings=replace(one.readings, guess=one.truth_m)) for one in some]


def test_network_tapes_are_believed_as_far_as_on_people_it_does_not_know():
    """On train people the network is right by heart: that must not count."""
    train, other = records("train", 20, 1), records("calibration", 20, 2)
    assert "guess.waist" not in optics_of(train, EVERYTHING)["male"].names
    assert "guess.waist" not in optics_of(guessed(train), EVERYTHING)["male"].names
    wrong = [replace(one, readings=replace(one.readings, guess=one.readings.value)) for one in other]
    right, misled = (optics_of([*guessed(train), *some], EVERYTHING)["male"] for some in (guessed(other), wrong))
    at = right.names.index("guess.waist")
    assert right.noise[at, at] < 0.05**2 and misled.noise[at, at] > 0.15**2


def test_good_network_tapes_narrow_the_answer():
    some = records("calibration", 30, 2)
    sd = {}
    for name, crowd in (("without", some), ("with", guessed(some))):
        one = crowd[0]
        sd[name] = left_out(crowd, EVERYTHING)[one.id](one.readings, one.told(weighed=False)).sd_m["waist"]
    assert sd["with"] < 0.5 * sd["without"]


def test_nobody_sets_their_own_interval():
    """A wild reading of one calibration person must not enter the posterior that answers for that person."""
    some = records("calibration", 12, 2)
    one = some[0]
    wild = replace(one, readings=replace(one.readings, value=one.readings.value | {"waist": 3.0}))
    plain, spoilt = (left_out([*records("train", 8, 1), x, *some[1:]]) for x in (one, wild))
    assert set(plain) == {x.id for x in some}, "train people are asked nothing"
    gain = [models[one.id].optics[one.sex, "studio", "front_side"].gain for models in (plain, spoilt)]
    np.testing.assert_array_equal(*gain)
    for sex in SEXES:
        counts = [sum(x.sex == sex and plain[x.id] is model for x in some) for model in {*plain.values()}]
        assert max(counts) - min(counts) <= 1


def test_test_people_are_refused():
    with pytest.raises(InputError, match="test_female_000 is of split 'test'"):
        learned(records("train", 20, 1) + records("test", 1, 2))


def test_too_few_people_are_refused():
    with pytest.raises(InputError, match="fewer than 4 people of either sex"):
        learned(records("train", 3, 1))


def test_order_of_records_does_not_matter():
    some = records("train", 15, 1)
    one, other = learned(some), learned(some[::-1])
    for key in one.optics:
        np.testing.assert_array_equal(one.optics[key].gain, other.optics[key].gain)


def test_a_reading_that_nobody_shows_is_left_out():
    some = [replace(one, readings=replace(one.readings, unread=("head",))) for one in records("train", 8, 1)]
    found = optics_of(some)["male"]
    assert "head" not in found.names and len(found.names) == len(READ) - 1 == len(found.gain)
