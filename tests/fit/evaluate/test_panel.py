"""Methods on made-up people: each answer is what its definition says, missing fits count as the baseline."""

from types import SimpleNamespace

import numpy as np
import pytest

from avatarlab.core.errors import InputError
from avatarlab.fit.estimator.posterior import SEXES, TAPES, estimate
from avatarlab.fit.evaluate.linear import STATISTICS
from avatarlab.fit.evaluate.panel import (
    BREADTHS,
    DEPTHS,
    INPUTS,
    estimated,
    judged,
    measured,
    mesh_references,
    panel,
    references,
    regressed,
)
from avatarlab.fit.evaluate.predictions import figure, scores

BOTH, WEIGHED = INPUTS["front_side"], INPUTS["front_side_weight"]


@pytest.fixture(scope="module")
def known(tested, tmp_path_factory):
    return references(tmp_path_factory.mktemp("empty"), tested)


def test_what_each_set_of_inputs_knows():
    assert INPUTS["front"].known == ("stature",) and INPUTS["front"].outline == ("stature", *BREADTHS)
    assert WEIGHED.known == ("stature", "weight")
    assert WEIGHED.outline == ("stature", "weight", *BREADTHS, *DEPTHS)


def test_nobody_is_refused():
    with pytest.raises(InputError, match="nobody is left"):
        panel([])


def test_every_person_is_regressed_by_their_own_sex(tested, known):
    given = regressed(known, tested, ("stature",))
    for sex in SEXES:
        rows, reference = tested.sexes == sex, known[sex]
        at = [reference.names.index(name) for name in ("stature", "hip")]
        slope = reference.covariance[at[0], at[1]] / reference.covariance[at[0], at[0]]
        expected = reference.mean[at[1]] + slope * (tested.columns["stature"][rows] - reference.mean[at[0]])
        assert given.value[rows, TAPES.index("hip")] == pytest.approx(expected)


def test_more_known_is_nearer(tested, known):
    names = (("stature",), ("stature", "weight"), BOTH.outline, WEIGHED.outline)
    mae = [
        figure(scores(regressed(known, tested, one), tested.truth, tested.sexes), "mae_mm", tape)
        for one in names
        for tape in ("waist",)
    ]
    assert mae[0] > mae[1] > mae[2] and mae[0] > 5 * mae[3] > 0


def test_references_fall_back_to_the_statistics(known):
    assert {one.source for one in known.values()} == {STATISTICS}


def test_mesh_floor_regresses_on_the_mesh(tested):
    """The made-up mesh is the row's, 1 cm wider: a regression takes that out, so both floors agree."""
    people = _people(tested)
    plain, moved = (panel([_moved(one, by_m) for one in people]) for by_m in (0.0, 0.01))
    answers = [regressed(mesh_references(one), one, BOTH.outline, on_mesh=True) for one in (plain, moved)]
    assert answers[0].value == pytest.approx(answers[1].value, abs=1e-9)
    floor, without = (
        figure(scores(one, plain.truth, plain.sexes), "mae_mm")
        for one in (answers[0], regressed(mesh_references(plain), plain, ("stature",), True))
    )
    assert 3 < floor < without


def test_without_mesh_dimensions_no_second_floor(tested):
    people = [_moved(one, 0.0) for one in _people(tested)]
    assert mesh_references(panel(people))
    people[3].mesh_dimensions_m = {}
    assert mesh_references(panel(people)) == {}


def _people(tested) -> list[SimpleNamespace]:
    rows = [{name: column[k] for name, column in tested.columns.items()} for k in range(len(tested.ids))]
    truth = [dict(zip(TAPES, row, strict=True)) for row in tested.truth]
    return [
        SimpleNamespace(id=i, sex=s, row=r, truth_m=t)
        for i, s, r, t in zip(tested.ids, tested.sexes, rows, truth, strict=True)
    ]


def _moved(person, by_m: float) -> SimpleNamespace:
    person = SimpleNamespace(**vars(person))
    person.mesh_dimensions_m = {name: person.row[name] + by_m for name in BREADTHS + DEPTHS}
    return person


def test_geometric_answer_is_the_mesh(tested, records, known):
    given = measured(tested, records, BOTH, regressed(known, tested, ("stature",)))
    assert 1000 * (given.value - tested.truth) == pytest.approx(np.full(tested.truth.shape, 10.0))


def test_who_could_not_be_fitted_gets_the_baseline(tested, records, known):
    baseline = regressed(known, tested, ("stature",))
    fitted = judged(records[1:], None, BOTH)
    given = estimated(tested, fitted, baseline)
    assert (given.value[0] == baseline.value[0]).all() and (given.low[0] == baseline.low[0]).all()
    assert 1000 * (given.value[1:] - tested.truth[1:]) == pytest.approx(10.0 * np.ones((69, 15)))
    assert (measured(tested, records[1:], BOTH, baseline).value[0] == baseline.value[0]).all()


def test_withheld_tapes_keep_their_estimate(tested, known):
    mean, spread = tested.truth[0] + 0.02, np.eye(len(TAPES)) * 1e-4
    one = estimate(mean, spread, 1.7, None, {"chest": "covered"})
    given = estimated(tested, {tested.ids[0]: one}, regressed(known, tested, ("stature",)))
    at = TAPES.index("chest")
    assert given.withheld[0].tolist() == [name == "chest" for name in TAPES]
    assert given.value[0, at] == pytest.approx(mean[at]) and given.low[0, at] < mean[at] < given.high[0, at]


def test_only_searches_of_the_asked_views_count(records):
    assert judged(records, None, INPUTS["front"]) == {}
    assert len(judged(records, None, WEIGHED)) == len(records)
