"""Scores of hand-made answers, and that abstaining changes no error."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from avatarlab.evaluate.tables import write_csv
from avatarlab.fit.estimator.posterior import TAPES
from avatarlab.fit.evaluate.predictions import Answers, figure, gaussian, plain, scores

CHEST = TAPES.index("chest")


def made(*offs_mm: float, half_mm: float = 15.0) -> tuple[Answers, np.ndarray]:
    """Answers about one person per offset, the same for every tape, truth 1 m."""
    truth = np.ones((len(offs_mm), len(TAPES)))
    value = truth + np.array(offs_mm)[:, None] / 1000
    return Answers(value, value - half_mm / 1000, value + half_mm / 1000, np.zeros(value.shape, dtype=bool)), truth


def test_figures_of_hand_made_numbers():
    given, truth = made(-30, -10, 0, 10, 10)
    row = next(r for r in scores(given, truth, ["male"] * 5) if r["sex"] == "male" and r["measure"] == "chest")
    assert row["people"] == 5
    assert row["mae_mm"] == pytest.approx(12) and row["median_mm"] == pytest.approx(10)
    assert row["p90_mm"] == pytest.approx(22) and row["bias_mm"] == pytest.approx(-4)
    assert row["within_20mm_pct"] == pytest.approx(80) and row["coverage90_pct"] == pytest.approx(80)
    assert row["width90_mm"] == pytest.approx(30) and row["withheld_pct"] == 0


def test_both_sexes_count_alike_however_many():
    given, truth = made(10, 10, 10, 30)
    rows = scores(given, truth, ["male", "male", "male", "female"])
    assert figure(rows, "mae_mm") == pytest.approx(20)
    assert figure(rows, "mae_mm", "hip", "male") == pytest.approx(10)
    assert {row["people"] for row in rows if row["sex"] == "both"} == {4}


def test_only_one_sex_is_no_fault():
    given, truth = made(10, 20)
    rows = scores(given, truth, ["female", "female"])
    assert {row["sex"] for row in rows} == {"female", "both"}
    assert figure(rows, "mae_mm") == pytest.approx(15)


def test_abstaining_improves_no_error():
    given, truth = made(-30, 0, 0, 0)
    withheld = given.withheld.copy()
    withheld[0] = True  # the one that is far off
    shy = replace(given, withheld=withheld)
    bold_rows, shy_rows = (scores(one, truth, ["male"] * 4) for one in (given, shy))
    for name in ("mae_mm", "p90_mm", "coverage90_pct", "width90_mm"):
        assert figure(shy_rows, name) == figure(bold_rows, name) > 0
    assert figure(shy_rows, "withheld_pct") == 25 and figure(bold_rows, "withheld_pct") == 0


def test_gaussian_interval_covers_nine_tenths(chance):
    off = chance.normal(0, 0.02, (20000, len(TAPES)))
    rows = scores(gaussian(1 + off, np.full(len(TAPES), 0.02)), np.ones(off.shape), ["male"] * len(off))
    assert figure(rows, "coverage90_pct") == pytest.approx(90, abs=0.3)
    assert figure(rows, "width90_mm") == pytest.approx(2 * 1.6449 * 20, rel=1e-4)


def test_without_intervals_no_coverage(tmp_path):
    rows = scores(plain(np.ones((2, len(TAPES)))), np.ones((2, len(TAPES))), ["male"] * 2)
    assert np.isnan(figure(rows, "coverage90_pct")) and figure(rows, "mae_mm") == 0
    write_csv(tmp_path / "scores.csv", rows)
    read = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert len(read) == len(rows) and read[CHEST]["measure"] == "chest"
    assert read[0]["coverage90_pct"] == "" and read[0]["mae_mm"] == "0.0"


def test_wrong_shapes_are_refused():
    given, truth = made(1, 2)
    with pytest.raises(ValueError, match="truth"):
        scores(given, truth[:1], ["male"] * 2)
    with pytest.raises(ValueError, match="low"):
        replace(given, low=given.low[:, :3])
