"""What a straight line can tell: the linear regression of tapes on known numbers, from rows or from moments alone.

A least-squares regression depends on its rows only through their mean and covariance, so real rows of ANSUR II and the
committed statistics serve through one door. Baselines (stature, weight) and floors (exact breadths and depths) are
both such regressions, one for each sex.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.fit.estimator.posterior import TAPES
from avatarlab.measure import population, survey
from avatarlab.measure.definitions import FLEXED_M

ROWS, STATISTICS = "rows of ANSUR II", "committed statistics of ANSUR II"


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean (K,) and covariance (K, K) of ``names`` over ``count`` people, SI units; ``source`` says whose."""

    names: tuple[str, ...]
    mean: np.ndarray
    covariance: np.ndarray
    count: int
    source: str


def moments(columns: Mapping[str, np.ndarray], source: str) -> Moments:
    """Columns of N people, name -> (N,) -> their moments."""
    table = np.stack([np.asarray(column, dtype=float) for column in columns.values()])
    if table.shape[1] < 2:
        raise InputError(f"moments: got {table.shape[1]} people, expected at least 2.")
    return Moments(tuple(columns), table.mean(1), np.cov(table), table.shape[1], source)


def reference(sex: str, folder: str | Path, left_out: Sequence[Mapping[str, float]] = ()) -> Moments:
    """Moments of one sex's real rows in ``folder`` without the people ``left_out`` (rows by column, SI units).

    Where the folder has no tables, those of the committed statistics, in which nobody can be left out; ``source``
    says so. Biceps and forearm are relaxed, as the truth of made-up people is.
    """
    if not (Path(folder) / survey.FILES[sex]).is_file():
        known = population.population(sex)
        mean, covariance = population.moments(sex, known.names)
        return _relaxed(Moments(known.names, mean, covariance, known.count, STATISTICS), sex)
    columns = survey.read(folder, sex)
    table = np.stack(list(columns.values()))
    kept = np.ones(table.shape[1], dtype=bool)
    for row in left_out:
        one = np.array([row[name] for name in columns])
        kept &= np.abs(table - one[:, None]).max(0) > 1e-6
    return _relaxed(moments({name: column[kept] for name, column in columns.items()}, ROWS), sex)


def _relaxed(found: Moments, sex: str) -> Moments:
    off = np.array([FLEXED_M[sex].get(name, 0.0) for name in found.names])
    return Moments(found.names, found.mean - off, found.covariance, found.count, found.source)


def predicted(
    known: Moments, given: Mapping[str, np.ndarray], targets: Sequence[str] = TAPES
) -> tuple[np.ndarray, np.ndarray]:
    """Regress ``targets`` (K) on ``given`` (name -> (N,)): values (N, K) and standard deviation of the residual (K,)."""
    at, to = _places(known, given), _places(known, targets)
    gain = np.linalg.lstsq(known.covariance[np.ix_(at, at)], known.covariance[np.ix_(at, to)], rcond=1e-12)[0]
    off = np.stack([np.asarray(column, dtype=float) for column in given.values()], 1) - known.mean[at]
    residual = known.covariance[to, to] - (known.covariance[np.ix_(to, at)] * gain.T).sum(1)
    freedom = (known.count - 1) / max(known.count - 1 - len(at), 1)
    return known.mean[to] + off @ gain, np.sqrt(freedom * residual.clip(0))


def _places(known: Moments, names) -> list[int]:
    if missing := [name for name in names if name not in known.names]:
        raise InputError(f"{', '.join(missing)}: not among the reference's columns: {', '.join(known.names)}.")
    return [known.names.index(name) for name in names]
