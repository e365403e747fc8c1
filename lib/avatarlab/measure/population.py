"""The population: ANSUR II statistics of 16 measures, weight and further dimensions, per sex.

Values have the distribution of their quantiles; together they are a Gaussian copula: each value is a monotone
map of a standard normal score, scores correlate linearly. SI units, ``weight`` in kg. Soldiers of about 30
years, BMI 27.7 (men) and 25.6 (women): not the general public. Source: ANSUR II (NATICK/TR-15/007), public
release; ``ansur2.json`` is made by ``python -m avatarlab.measure.population FOLDER``.
"""

import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import norm

from avatarlab.core.errors import InputError
from avatarlab.core.files import write_json
from avatarlab.measure import survey

FILE = Path(__file__).with_name("ansur2.json")
SEXES = ("male", "female")
LEAST_NOISE = 1e-3
"""Reading noise in standard deviations of the population that even an exact value is given; measures that are
sums of others would make the covariance singular without."""


@dataclass(frozen=True)
class Population:
    """Statistics of ``count`` people over K ``names``: mean, sd (K,), quantiles (K, Q) at levels (Q,), and the
    correlation (K, K) of normal scores. SI units."""

    names: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    quantiles: np.ndarray
    correlation: np.ndarray
    count: int

    def index(self, name: str) -> int:
        """Return the row of a name or raise InputError."""
        if name not in self.names:
            raise InputError(f"{name}: not a measure of the population; known are {', '.join(self.names)}.")
        return self.names.index(name)

    def value(self, name: str, score) -> np.ndarray:
        """Standard normal scores (...) -> values (...): linear between quantiles, straight on beyond the last."""
        return _bent(np.asarray(score, dtype=float), _level_scores(), self.quantiles[self.index(name)])

    def score(self, name: str, value) -> np.ndarray:
        """Values (...) -> standard normal scores (...); the inverse of ``value``."""
        return _bent(np.asarray(value, dtype=float), self.quantiles[self.index(name)], _level_scores())

    def slope(self, name: str, score) -> np.ndarray:
        """Return d value / d score at scores (...), over one unit of score so that single quantiles do not
        show."""
        return self.value(name, np.asarray(score) + 0.5) - self.value(name, np.asarray(score) - 0.5)


@cache
def _level_scores() -> np.ndarray:
    return norm.ppf(survey.LEVELS)


def _bent(x: np.ndarray, at: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Piecewise linear map through (at, to), its outer thirds' mean slope continued outside."""
    tail = len(at) // 5
    low = to[0] + (x - at[0]) * (to[tail] - to[0]) / (at[tail] - at[0])
    high = to[-1] + (x - at[-1]) * (to[-1] - to[-1 - tail]) / (at[-1] - at[-1 - tail])
    return np.where(x < at[0], low, np.where(x > at[-1], high, np.interp(x, at, to)))


@cache
def population(sex: str) -> Population:
    """Return the statistics of one sex, 'male' or 'female'."""
    if sex not in SEXES:
        raise InputError(f"sex: got {sex!r}, expected male or female; statistics are kept per sex.")
    table = json.loads(FILE.read_text(encoding="utf-8"))[sex]
    arrays = {name: np.array(table[name]) for name in ("mean", "sd", "quantiles", "correlation")}
    return Population(tuple(table["names"]), count=table["count"], **arrays)


def sample(sex: str, count: int, seed: int, stretch: float = 1.0) -> dict[str, np.ndarray]:
    """Draw ``count`` people: name -> (count,) in metres, weight in kg. The same seed gives the same people.

    ``stretch`` > 1 stretches the scores, so that the tails hold more people than they should.
    """
    known = population(sex)
    draws = stretch * np.random.default_rng(seed).standard_normal((count, len(known.names)))
    scores = draws @ _root(sex).T
    return {name: known.value(name, scores[:, k]) for k, name in enumerate(known.names)}


@cache
def _root(sex: str) -> np.ndarray:
    """Return the symmetric square root of the score correlation, which no eigenvector's sign touches, so that every
    machine draws the same people; rounding in the file may leave the correlation a hair from positive."""
    values, vectors = np.linalg.eigh(population(sex).correlation)
    return vectors * np.sqrt(values.clip(0)) @ vectors.T


def moments(sex: str, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (K,) and covariance (K, K) of the named measures of one sex, SI units (weight in kg)."""
    known = population(sex)
    at = [known.index(name) for name in names]
    return known.mean[at], known.correlation[np.ix_(at, at)] * np.outer(known.sd[at], known.sd[at])


def percentile(sex: str, measure: str, value: float) -> float:
    """Return the percentile (0 to 100) of a value in metres (kg for weight) among one sex."""
    return 100.0 * float(norm.cdf(population(sex).score(measure, value)))


Given = dict[str, float | tuple[float, float]]
"""What is known of a person: name -> value, or (value, standard deviation of the reading), in metres (kg:
weight)."""


def conditional(sex: str, given: Given) -> tuple[np.ndarray, np.ndarray]:
    """Return what the given measures tell about all: mean (K,) and covariance (K, K) in the order of ``names``.

    Conditioned in normal scores, carried to values by the slope of each measure's map (first order). Of sex
    'unknown' the moments of both sexes' answers, weighted by how well each explains what is given.
    """
    if sex != "unknown":
        return _conditional(sex, given)
    odds = sex_odds(given)
    answers = {one: _conditional(one, given) for one in SEXES}
    mean = sum(odds[one] * answers[one][0] for one in SEXES)
    between = sum(odds[one] * np.outer(answers[one][0] - mean, answers[one][0] - mean) for one in SEXES)
    return mean, between + sum(odds[one] * answers[one][1] for one in SEXES)


def sex_odds(given: Given) -> dict[str, float]:
    """Return the probability of each sex from the given measures, both equally likely before."""
    logs = np.array([log_density(sex, given) for sex in SEXES])
    share = np.exp(logs - logs.max())
    return dict(zip(SEXES, (share / share.sum()).tolist(), strict=True))


def _seen(known: Population, given: Given) -> tuple[list[int], np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, scores, slopes and the score covariance (G, G) with reading noise of what is given."""
    at = [known.index(name) for name in given]
    readings = [reading if isinstance(reading, tuple) else (reading, 0.0) for reading in given.values()]
    score = np.array([float(known.score(name, value)) for name, (value, _) in zip(given, readings, strict=True)])
    slope = np.array([float(known.slope(name, z)) for name, z in zip(given, score, strict=True)])
    noise = np.array([sd for _, sd in readings]) / slope
    return at, score, slope, known.correlation[np.ix_(at, at)] + np.diag(noise**2 + LEAST_NOISE**2)


def _conditional(sex: str, given: Given) -> tuple[np.ndarray, np.ndarray]:
    known = population(sex)
    at, seen, _, total = _seen(known, given)
    gain = np.linalg.solve(total, known.correlation[at]).T
    score, stretch = gain @ seen, known.correlation - gain @ known.correlation[at]
    both = list(zip(known.names, score, strict=True))
    mean = np.array([known.value(name, z) for name, z in both])
    slope = np.array([known.slope(name, z) for name, z in both])
    return mean, stretch * np.outer(slope, slope)


def log_density(sex: str, given: Given) -> float:
    """Return the log of how often the given measures occur together in one sex (per m or kg)."""
    _, seen, slope, total = _seen(population(sex), given)
    return -0.5 * float(seen @ np.linalg.solve(total, seen) + np.linalg.slogdet(total)[1]) - float(
        np.log(slope).sum()
    )


def write_statistics(folder: str | Path, path: str | Path = FILE) -> None:
    """Compute the statistics file from the public tables in ``folder``."""
    write_json(path, {sex: survey.statistics(survey.read(folder, sex)) for sex in SEXES})


def main(arguments: list[str]) -> None:
    """Command: folder of the public tables, then optionally the file to write."""
    try:
        write_statistics(*(arguments or ["../shared/data/ansur2"]))
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:3])
