"""``Answers``: what one method says of many people, and ``scores``: how far off it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from avatarlab.core.shapes import expect
from avatarlab.fit.estimator.posterior import SEXES, TAPES
from avatarlab.measure.result import COVERAGE

NEAR_M = 0.020
"""Within this a tape counts as right."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Values, 90 % intervals (``low`` to ``high``) in metres and what was withheld, each (N, 15) in order of TAPES.

    A withheld tape still has the value and the interval that the method would have given: it is scored, so that
    abstaining never looks like accuracy. Bounds are NaN where a method gives none.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    withheld: np.ndarray

    def __post_init__(self):
        for name in ("value", "low", "high", "withheld"):
            expect(name, getattr(self, name), ("N", len(TAPES)))

    def taken(self, rows: np.ndarray) -> "Answers":
        """The same method, only the people of ``rows`` (indices or a mask)."""
        names = ("value", "low", "high", "withheld")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def plain(value: np.ndarray) -> Answers:
    """Values (N, 15) m without intervals."""
    empty = np.full(value.shape, np.nan)
    return Answers(value, empty, empty, np.zeros(value.shape, dtype=bool))


def gaussian(value: np.ndarray, sd: np.ndarray) -> Answers:
    """Values (N, 15) m with the 90 % interval of a normal error of standard deviation ``sd`` (15,) or (N, 15) m."""
    half = float(norm.ppf(0.5 + COVERAGE / 2)) * np.broadcast_to(sd, value.shape)
    return Answers(value, value - half, value + half, np.zeros(value.shape, dtype=bool))


FIGURES = ("mae_mm", "median_mm", "p90_mm", "bias_mm", "within_20mm_pct", "coverage90_pct", "width90_mm")
"""What ``scores`` says of each tape, besides ``withheld_pct`` and ``people``."""


def _scored(answers: Answers, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Answers about N people and their tapes (N, 15) m -> figure -> (15,)."""
    off, known = answers.value - truth, np.isfinite(answers.low).all(0)
    held = (answers.low <= truth) & (truth <= answers.high)
    return {
        "mae_mm": 1000 * np.abs(off).mean(0),
        "median_mm": 1000 * np.median(np.abs(off), 0),
        "p90_mm": 1000 * np.quantile(np.abs(off), 0.9, axis=0),
        "bias_mm": 1000 * off.mean(0),
        "within_20mm_pct": 100 * (np.abs(off) <= NEAR_M).mean(0),
        "coverage90_pct": np.where(known, 100 * held.mean(0), np.nan),
        "width90_mm": 1000 * (answers.high - answers.low).mean(0),
        "withheld_pct": 100 * answers.withheld.mean(0),
    }


def scores(answers: Answers, truth: np.ndarray, sexes: Sequence[str]) -> list[dict]:
    """A row for each sex and tape: answers about N people, truth (N, 15) m, sexes (N,).

    The rows of sex ``both`` are the mean of men's and women's, however many there are of either.
    """
    expect("truth", truth, answers.value.shape)
    sexes = np.asarray(sexes)
    present = [sex for sex in SEXES if (sexes == sex).any()]
    found = {sex: _scored(answers.taken(sexes == sex), truth[sexes == sex]) for sex in present}
    found["both"] = {name: np.mean([found[sex][name] for sex in present], 0) for name in found[present[0]]}
    counts = {sex: int((sexes == sex).sum()) for sex in present} | {"both": len(sexes)}
    return [
        {"sex": sex, "measure": tape, "people": counts[sex]} | {n: float(v[k]) for n, v in figures.items()}
        for sex, figures in found.items()
        for k, tape in enumerate(TAPES)
    ]


def figure(rows: Sequence[dict], name: str, measure: str | None = None, sex: str = "both") -> float:
    """One figure of ``scores``'s rows: that of one tape, or the mean over the fifteen."""
    return float(np.mean([row[name] for row in rows if row["sex"] == sex and measure in (None, row["measure"])]))
