"""Regressions: equal to least squares, exact where the data are linear, right about ANSUR's own table."""

import numpy as np
import pytest

from avatarlab import DATA
from avatarlab.core.errors import InputError
from avatarlab.fit.estimator.posterior import TAPES
from avatarlab.fit.evaluate.linear import ROWS, STATISTICS, moments, predicted, reference
from avatarlab.fit.evaluate.panel import INPUTS
from avatarlab.measure import survey
from avatarlab.measure.definitions import FLEXED_M

ANSUR = DATA / "ansur2"
needs_ansur = pytest.mark.skipif(not ANSUR.is_dir(), reason=f"{ANSUR} is absent: no real rows to regress on")


def test_exactly_linear_data_leave_nothing(chance):
    x, z = chance.normal(1.7, 0.1, 50), chance.normal(70, 10, 50)
    known = moments({"stature": x, "weight": z, "hip": 0.3 * x + 0.01 * z + 0.1}, "made up")
    value, sd = predicted(known, {"stature": x[:5], "weight": z[:5]}, ("hip",))
    assert value[:, 0] == pytest.approx(0.3 * x[:5] + 0.01 * z[:5] + 0.1, abs=1e-9)
    assert sd == pytest.approx([0], abs=1e-6)


def test_moments_give_the_least_squares_line(chance):
    table = chance.normal(size=(40, 4)) @ chance.normal(size=(4, 4)) + 3
    columns = dict(zip("abcd", table.T, strict=True))
    value, sd = predicted(moments(columns, "made up"), {"a": table[:, 0], "b": table[:, 1]}, ("c", "d"))
    design = np.column_stack([np.ones(40), table[:, :2]])
    line = np.linalg.lstsq(design, table[:, 2:], rcond=None)[0]
    assert value == pytest.approx(design @ line, abs=1e-9)
    residual = table[:, 2:] - design @ line
    assert sd == pytest.approx(np.sqrt((residual**2).sum(0) / (40 - 3)), rel=1e-9)


def test_missing_tables_fall_back_and_say_so(tmp_path):
    known = reference("female", tmp_path)
    assert known.source == STATISTICS != ROWS
    value, sd = predicted(known, {"stature": np.array([known.mean[known.names.index("stature")]])})
    assert value[0] == pytest.approx([known.mean[known.names.index(name)] for name in TAPES])
    assert (sd > 0).all()


def test_biceps_are_those_of_a_relaxed_arm(tmp_path):
    from avatarlab.measure import population

    mean = population.population("male").mean[population.population("male").index("bicep")]
    known = reference("male", tmp_path)
    assert mean - known.mean[known.names.index("bicep")] == pytest.approx(FLEXED_M["male"]["bicep"])


def test_unknown_column_is_named(tmp_path):
    with pytest.raises(InputError, match="shoesize: not among the reference's columns"):
        predicted(reference("male", tmp_path), {"shoesize": np.ones(1)})
    with pytest.raises(InputError, match="at least 2"):
        moments({"a": np.ones(1)}, "one person")


@needs_ansur
def test_tested_rows_are_left_out():
    columns = survey.read(ANSUR, "female")
    tested = [{name: column[k] for name, column in columns.items()} for k in (3, 17)]
    everybody, others = reference("female", ANSUR), reference("female", ANSUR, tested)
    assert everybody.source == ROWS and everybody.count == others.count + 2
    expected = np.delete(columns["waist"], [3, 17]).mean()
    assert others.mean[others.names.index("waist")] == pytest.approx(expected, abs=1e-12)


@needs_ansur
@pytest.mark.parametrize(
    ("sex", "inputs", "mm"),
    [("male", "front_side", 12.8), ("female", "front_side", 12.5)]
    + [("male", "front_side_weight", 11.9), ("female", "front_side_weight", 11.6)],
)
def test_floor_is_that_of_the_published_rows(sex, inputs, mm):
    """Fivefold on all rows, as ../shared/reference/body.md section 3 has it."""
    columns = survey.read(ANSUR, sex)
    truth = np.stack([columns[name] for name in TAPES], 1)
    fold, off = np.arange(len(truth)) % 5, np.empty(truth.shape)
    for k in range(5):
        known = moments({name: c[fold != k] for name, c in columns.items()}, ROWS)
        given = {name: columns[name][fold == k] for name in INPUTS[inputs].outline}
        off[fold == k] = predicted(known, given)[0] - truth[fold == k]
    assert 1000 * np.abs(off).mean() == pytest.approx(mm, abs=0.1)
