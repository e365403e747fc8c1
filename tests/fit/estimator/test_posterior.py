"""The posterior against Kalman's formulas, at its ends (exact readings, none), over sexes, hidden measures and the disk."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import reading, records

from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit.estimator.posterior import SEXES, TAPES, Optics, Posterior, flexed, join, mesh_estimate, people
from avatarlab.fit.train.crossvalidation import READ
from avatarlab.measure import MEASURES, population

CARD = {"data": "made up", "parameters": {}, "commit": "", "metrics": {}, "licence": "none"}


def optics(noise: float, gain: float = 1.0, offset: float = 0.0) -> Optics:
    """Every reading is its own measure, times gain, plus offset, with noise (population standard deviations)."""
    names = people("male")[0]
    pick = np.stack([np.eye(len(names))[names.index(name)] for name in READ])
    return Optics(READ, gain * pick, np.full(len(READ), offset), noise * np.eye(len(READ)))


def known(noise: float, **given) -> Posterior:
    return Posterior({(sex, "studio", "front_side"): optics(noise, **given) for sex in SEXES}, {}, CARD)


def someone(sex="male", seed=5, **given):
    """A person's row and what is read of them; noise 0 unless given."""
    row = {name: float(x[0]) for name, x in population.sample(sex, 1, seed).items()}
    return row, reading(
        row, sex, np.random.default_rng(seed), **{"noise": 0.0, "gain": 1.0, "offset": 0.0, **given}
    )


def man(row, weight_kg=None) -> Subject:
    """What is told of a man's row."""
    return Subject(row["stature"], weight_kg, "male")


def test_one_reading_of_one_number_is_kalman_s_update():
    likely, mean, covariance = join(
        np.array([1.0]), np.array([[4.0]]), np.array([7.0]), np.array([[2.0]]), np.array([1.0]), np.array([[9.0]])
    )
    gain = 4 * 2 / (2 * 4 * 2 + 9)
    assert mean[0] == pytest.approx(1 + gain * (7 - 2 - 1)) and covariance[0, 0] == pytest.approx(
        4 * (1 - gain * 2)
    )
    assert likely == pytest.approx(-0.5 * (4**2 / 25 + np.log(25)))


def test_joining_is_the_same_in_one_step_or_in_two():
    chance = np.random.default_rng(0)
    root = chance.standard_normal((5, 5))
    mean, covariance, gain = chance.standard_normal(5), root @ root.T, chance.standard_normal((4, 5))
    y, offset, noise = chance.standard_normal(4), chance.standard_normal(4), np.diag([1.0, 2, 3, 4])
    whole = join(mean, covariance, y, gain, offset, noise)
    first = join(mean, covariance, y[:2], gain[:2], offset[:2], noise[:2, :2])
    second = join(*first[1:], y[2:], gain[2:], offset[2:], noise[2:, 2:])
    assert whole[0] == pytest.approx(first[0] + second[0])
    np.testing.assert_allclose(whole[1], second[1])
    np.testing.assert_allclose(whole[2], second[2], atol=1e-12)


@pytest.mark.parametrize("sex", SEXES)
def test_an_exact_reading_is_believed_whatever_its_gain_and_offset(sex):
    row, read = someone(sex, gain=0.8, offset=0.5)
    answer = known(1e-3, gain=0.8, offset=0.5)(read, Subject(row["stature"], sex=sex))
    truth = dict(zip(people(sex)[0], np.array(list(row.values())) - flexed(sex), strict=True))
    for name in TAPES:
        assert answer.value_m[name] == pytest.approx(truth[name], abs=6e-4), name
        assert answer.sd_m[name] < 1e-3
    assert answer.value_m["stature"] == row["stature"] and answer.sd_m["stature"] == 0


@pytest.mark.parametrize("weight", [None, 70.0])
def test_without_readings_the_population_speaks(weight):
    _, read = someone()
    blind = replace(read, unread=TAPES)
    answer = known(0.1)(blind, Subject(1.80, weight, "male"))
    mean, covariance = population.conditional(
        "male", {"stature": 1.80} | ({"weight": (weight, 1.0)} if weight else {})
    )
    for name in TAPES:
        at = people("male")[0].index(name)
        assert answer.value_m[name] == pytest.approx(mean[at] - flexed("male")[at], abs=1e-9)
        assert answer.sd_m[name] == pytest.approx(np.sqrt(covariance[at, at]), rel=1e-6)


def test_leaving_out_a_reading_widens_its_interval_and_says_why():
    row, read = someone(noise=0.2)
    model = known(0.2)
    full = model(read, man(row))
    less = model(replace(read, hidden={"waist": "outside the picture"}, unread=("waist",)), man(row))
    assert less.sd_m["waist"] > 1.3 * full.sd_m["waist"] and less.sd_m["calf"] >= full.sd_m["calf"] - 1e-12
    assert less.withheld == {"waist": "outside the picture"} and not full.withheld
    assert set(less.value_m) == set(less.interval_m) == set(MEASURES)


def test_an_unread_waist_may_read_anything():
    row, read = someone(noise=0.2)
    hidden = replace(read, unread=("waist",))
    wild = {name: 3.0 for name in ("waist", "waistbreadth", "waistdepth", "weight")}
    absurd = replace(hidden, value=read.value | wild)
    one, other = (known(0.2)(x, man(row)) for x in (hidden, absurd))
    assert one.value_m == other.value_m


def test_what_clothes_cover_is_withheld_but_still_evidence():
    row, read = someone(noise=0.2)
    model = known(0.2)
    clad = model(replace(read, hidden={"waist": "loose clothes"}), man(row))
    assert clad.value_m == model(read, man(row)).value_m and "waist" in clad.withheld


def test_weight_tells_more():
    row, read = someone(noise=0.3)
    model = known(0.3)
    without, given = (model(read, man(row, kg)) for kg in (None, row["weight"]))
    assert given.sd_m["hip"] < without.sd_m["hip"]
    heavy = model(read, man(row, row["weight"] + 15))
    assert heavy.value_m["waist"] > given.value_m["waist"] + 0.005


def test_unknown_sex_lies_between_and_is_less_sure():
    row, read = someone(noise=0.3)
    blind = replace(read, unread=TAPES)
    male, female, unknown = (known(0.3)(blind, Subject(1.70, sex=sex)) for sex in ("male", "female", "unknown"))
    for name in ("neck", "hip", "shoulder_breadth"):
        low, high = sorted((male.value_m[name], female.value_m[name]))
        assert low < unknown.value_m[name] < high
    assert unknown.sd_m["neck"] > max(male.sd_m["neck"], female.sd_m["neck"])


def test_readings_tell_the_sex():
    for sex in SEXES:
        row, read = someone(sex, noise=0.1)
        told, unknown = (known(0.1)(read, Subject(row["stature"], sex=one)) for one in (sex, "unknown"))
        assert max(abs(told.value_m[name] - unknown.value_m[name]) for name in TAPES) < 0.003


def test_interval_standard_deviation_and_covariance_agree():
    factor = np.linspace(1.0, 3.0, len(TAPES))
    model = replace(known(0.2), factors={("studio", "front_side", False): factor})
    row, read = someone(noise=0.2)
    answer, bare = model(read, man(row)), known(0.2)(read, man(row))
    assert answer.calibrated and not bare.calibrated
    for name, wide in zip(TAPES, factor, strict=True):
        low, high = answer.interval_m[name]
        assert (high - low) / 2 == pytest.approx(wide * bare.sd_m[name])
        assert (high - low) / 2 == pytest.approx(1.645 * answer.sd_m[name])
    np.testing.assert_allclose(np.sqrt(answer.covariance.diagonal()), list(answer.sd_m.values()))


def test_plain_readings_give_the_mesh_and_the_laplace_spread():
    row, read = someone(noise=0.2)
    answer = mesh_estimate(replace(read, hidden={"ankle": "outside the picture"}), row["stature"])
    assert not answer.calibrated and answer.withheld == {"ankle": "outside the picture"}
    assert answer.value_m["chest"] == read.value["chest"] and answer.sd_m["chest"] == pytest.approx(
        read.sd["chest"]
    )


def test_float16_costs_less_than_a_fifth_of_a_millimetre(tmp_path):
    from avatarlab.fit.train.crossvalidation import learned

    made = learned(records("train", 30, 1) + records("calibration", 15, 2), CARD)
    made.save(tmp_path / "posterior.safetensors")
    again = Posterior.load(tmp_path / "posterior.safetensors")
    for one in records("train", 5, 3):
        for kg in (None, one.weight_kg):
            first, second = (model(one.readings, Subject(one.stature_m, kg, one.sex)) for model in (made, again))
            for name in TAPES:
                assert second.value_m[name] == pytest.approx(first.value_m[name], abs=2e-4)
                assert second.interval_m[name] == pytest.approx(first.interval_m[name], abs=2e-4)


def test_what_was_not_learned_is_refused():
    row, read = someone()
    other = replace(read, inputs="side")
    assert known(0.1).knows(read) and not known(0.1).knows(other)
    with pytest.raises(InputError, match="learned nothing of studio side"):
        known(0.1)(other, man(row))


def test_people_of_everyday_masks_speak_for_photos_uncalibrated():
    row, read = someone(noise=0.2)
    optic = {(sex, "everyday", "front_side"): optics(0.2) for sex in SEXES}
    model = Posterior(optic, {("everyday", "front_side", False): np.full(len(TAPES), 2.0)}, CARD)
    own, kin = (model(replace(read, capture=one), man(row)) for one in ("everyday", "photo"))
    assert own.interval_m == kin.interval_m and own.calibrated and not kin.calibrated
    assert not model.knows(read), "an exact mask is none of them"


def wrong_shape(tensors, card):
    tensors["male.studio.front_side.gain"] = tensors["male.studio.front_side.gain"][:, :5]


def not_a_number(tensors, card):
    tensors["male.studio.front_side.offset"][0] = float("nan")


def unknown_reading(tensors, card):
    card["readings"]["male.studio.front_side"][0] = "nose"


def other_population(tensors, card):
    card["latent"] = card["latent"][1:]


def names_missing(tensors, card):
    del card["readings"]


def bare_factor(tensors, card):
    import torch

    tensors["factor.studio"] = torch.ones(15)


@pytest.mark.parametrize(
    "damage", [wrong_shape, not_a_number, unknown_reading, other_population, names_missing, bare_factor]
)
def test_damaged_files_are_refused(tmp_path, damage):
    import json

    from safetensors.torch import load_file, save_file

    path = tmp_path / "posterior.safetensors"
    known(0.1).save(path)
    tensors, card = load_file(path), json.loads(path.with_suffix(".json").read_text())
    damage(tensors, card)
    save_file({name: x.contiguous() for name, x in tensors.items()}, path)
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="not a posterior of this lab"):
        Posterior.load(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "posterior.safetensors"
    path.write_bytes(b"not tensors at all")
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(InputError, match="damaged weights"):
        Posterior.load(path)
    with pytest.raises(InputError, match="no such weights"):
        Posterior.load(tmp_path / "nothing.safetensors")
