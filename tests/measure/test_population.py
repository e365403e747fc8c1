import numpy as np
import pytest

from avatarlab import DATA
from avatarlab.core.errors import InputError
from avatarlab.measure import MEASURES, population, survey
from avatarlab.measure.population import SEXES, conditional, percentile, sample, sex_odds

TABLES = DATA / "ansur2"
REPORTED_MM = {
    "male": {"stature": (1756.2, 68.6), "waist": (940.6, 111.7), "chest": (1058.7, 87.4), "head": (574.4, 16.0)},
    "female": {"stature": (1628.5, 64.2), "waist": (860.9, 99.9), "chest": (946.9, 82.7), "head": (561.1, 19.4)},
}
"""Mean and SD of all 4,082 men and 1,986 women (reference body.md section 3); the file has about nine tenths of
them."""


@pytest.mark.parametrize("sex", SEXES)
def test_means_and_spreads_are_ansur_s(sex):
    known = population.population(sex)
    assert set(MEASURES) <= set(known.names) and "weight" in known.names
    for name, (mean, sd) in REPORTED_MM[sex].items():
        k = known.index(name)
        assert 1e3 * known.mean[k] == pytest.approx(mean, abs=1.5)
        assert 1e3 * known.sd[k] == pytest.approx(sd, rel=0.02)


@pytest.mark.parametrize("sex", SEXES)
@pytest.mark.skipif(not TABLES.is_dir(), reason="the ANSUR II tables are not in AVATARLAB_DATA")
def test_the_file_is_what_the_tables_give(sex):
    fresh, known = survey.statistics(survey.read(TABLES, sex)), population.population(sex)
    assert fresh["count"] == known.count and tuple(fresh["names"]) == known.names
    for name in ("mean", "sd", "quantiles", "correlation"):
        np.testing.assert_allclose(fresh[name], getattr(known, name), atol=1e-5)


@pytest.mark.parametrize("sex", SEXES)
def test_samples_have_the_population_s_moments(sex):
    people, known = sample(sex, 4000, seed=7), population.population(sex)
    for k, name in enumerate(known.names):
        assert people[name].mean() == pytest.approx(known.mean[k], rel=0.01), name
        assert people[name].std() == pytest.approx(known.sd[k], rel=0.06), name
    pair = np.corrcoef(survey.normal_scores(np.stack([people["waist"], people["weight"]])))[0, 1]
    assert pair == pytest.approx(known.correlation[known.index("waist"), known.index("weight")], abs=0.02)


def test_samples_repeat_by_seed():
    one, two, other = (sample("male", 5, seed=s)["waist"] for s in (7, 7, 8))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


@pytest.mark.parametrize("sex", SEXES)
def test_scores_and_values_are_inverse_and_monotone(sex):
    known = population.population(sex)
    scores = np.linspace(-4, 4, 81)
    for name in known.names:
        values = known.value(name, scores)
        assert (np.diff(values) > 0).all(), name
        np.testing.assert_allclose(known.score(name, values), scores, atol=1e-6)


def test_percentiles():
    known = population.population("male")
    at = dict(zip(survey.LEVELS, known.quantiles[known.index("waist")], strict=True))
    for level in (0.01, 0.05, 0.5, 0.95, 0.99):
        assert percentile("male", "waist", at[level]) == pytest.approx(100 * level, abs=0.01)


def test_what_is_given_comes_back():
    known = population.population("female")
    mean, covariance = conditional("female", {"stature": 1.70, "weight": (80.0, 1.0)})
    assert mean[known.index("stature")] == pytest.approx(1.70, abs=1e-4)
    assert mean[known.index("weight")] == pytest.approx(80, abs=1.0)
    assert np.sqrt(covariance[known.index("weight"), known.index("weight")]) == pytest.approx(1.0, rel=0.1)
    assert np.linalg.eigvalsh(covariance).min() > -1e-6
    assert mean[known.index("waist")] > known.mean[known.index("waist")]


def test_nothing_given_is_the_population():
    known = population.population("male")
    mean, covariance = conditional("male", {})
    np.testing.assert_allclose(mean, [known.value(n, 0.0) for n in known.names])
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), known.sd, rtol=0.15)


def test_unknown_sex_mixes_both():
    given = {"stature": 1.75, "weight": 60.0}
    odds = sex_odds(given)
    assert sum(odds.values()) == pytest.approx(1) and 0.5 < odds["male"] < 0.95
    means = {sex: conditional(sex, given)[0] for sex in (*SEXES, "unknown")}
    np.testing.assert_allclose(means["unknown"], sum(odds[s] * means[s] for s in SEXES), rtol=1e-6)
    widths = {sex: np.diag(conditional(sex, given)[1]) for sex in (*SEXES, "unknown")}
    assert (widths["unknown"] >= sum(odds[s] * widths[s] for s in SEXES) - 1e-9).all()
    assert sex_odds({"stature": 1.9})["male"] > 0.99


@pytest.mark.parametrize("sex,floor_mm", [("male", 15.6), ("female", 16.4)])
@pytest.mark.skipif(not TABLES.is_dir(), reason="the ANSUR II tables are not in AVATARLAB_DATA")
def test_stature_and_weight_reach_the_information_floor(sex, floor_mm):
    """Mean error over 15 measures from stature and weight alone (body.md section 3: linear, five-fold)."""
    people, known = survey.read(TABLES, sex), population.population(sex)
    rest = [known.index(name) for name in MEASURES if name != "stature"]
    errors = []
    for k in range(0, known.count, 12):
        mean, _ = conditional(sex, {name: people[name][k] for name in ("stature", "weight")})
        errors.append([abs(mean[i] - people[known.names[i]][k]) for i in rest])
    assert 1e3 * np.mean(errors) == pytest.approx(floor_mm, abs=0.7)


@pytest.mark.parametrize(
    "call,sentence",
    [
        (lambda: population.population("unknown"), "sex: got 'unknown', expected male or female"),
        (lambda: percentile("male", "nose", 0.05), "nose: not a measure of the population"),
        (lambda: conditional("male", {"nose": 0.05}), "nose: not a measure"),
        (lambda: sample("other", 3, 7), "sex: got 'other'"),
    ],
)
def test_what_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_draws_do_not_hang_on_the_signs_of_eigenvectors(monkeypatch):
    """LAPACK is free to return any eigenvector negated: the drawn people must be the same."""
    eigh = np.linalg.eigh
    before = population.sample("male", 3, 5)
    monkeypatch.setattr(np.linalg, "eigh", lambda x: (eigh(x)[0], -eigh(x)[1]))
    population._root.cache_clear()
    after = population.sample("male", 3, 5)
    population._root.cache_clear()
    assert all(np.allclose(before[name], after[name], atol=1e-12) for name in before)
