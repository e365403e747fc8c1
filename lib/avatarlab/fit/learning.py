"""Learning the posterior: how readings follow from people's tapes, and how wide intervals must be, from known people.

Per capture and inputs: ridge regression of each reading on the population's measures, towards "the reading is the measure
itself", its strength by leave-one-out; noise from the leave-one-out residuals, their correlations shrunk towards none
(Schaefer & Strimmer 2005). Each sex counts in its own mean and standard deviations and has offsets of its own; gains and
noise are common, which with a few hundred people errs less. Then, from people that nothing was fitted to, the intervals'
factors.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from avatarlab.errors import InputError
from avatarlab.fit.posterior import GUESSED, SEXES, TAPES, Optics, Posterior, observed, people
from avatarlab.fit.records import Record
from avatarlab.measure import population

log = logging.getLogger(__name__)

DIMENSIONS = (
    *("chestbreadth", "chestdepth", "waistbreadth", "waistdepth", "hipbreadth", "buttockdepth"),
    "bideltoidbreadth",
)
READ = (*TAPES, *DIMENSIONS, "weight")
"""What is read off the mesh; the network's tapes come on top where there are any."""
STRENGTHS = tuple(float(x) for x in np.geomspace(1, 3000, 9))
"""Ridge strengths tried, in people: so many who read exactly what they measure are added."""
LEAST_SD = 0.02
"""Least noise of a reading in population standard deviations; sums of others would make R singular."""
LEAST_PEOPLE, LEAST_READ = 4, 2
"""People of either sex that anything at all, and that one reading, is learned from; a published posterior has hundreds."""
COVERAGE = 0.90
ENOUGH = 9
"""Calibration people that a measure of its own factor needs; with fewer, all measures' errors are pooled."""


def learned(records: Iterable[Record], card: dict | None = None, names: Sequence[str] = READ) -> Posterior:
    """Learn from the records of split 'train', calibrate on those of 'calibration'; any other split is refused.

    Groups with fewer than LEAST_PEOPLE of either sex are left out, and said so in the log.
    """
    groups = grouped(records)
    optics = {}
    for (split, *key), some in sorted(groups.items()):
        if split == "train" and _enough(some, key):
            optics |= {(sex, *key): one for sex, one in optics_of(some, names).items()}
    if not optics:
        raise InputError(
            f"records: fewer than {LEAST_PEOPLE} people of either sex in every group; fit more people."
        )
    bare = Posterior(optics, {}, card or {})
    factors = {}
    for (split, *key), some in sorted(groups.items()):
        if split == "calibration" and (SEXES[0], *key) in optics:
            factors |= {(*key, weighed): widened(bare, some, weighed) for weighed in (False, True)}
    return Posterior(optics, factors, card or {})


def grouped(records: Iterable[Record]) -> dict[tuple[str, str, str], list[Record]]:
    """Records by (split, capture, inputs), in order of their people's ids; test people are refused."""
    found = defaultdict(list)
    for one in sorted(records, key=lambda one: one.id):
        if one.split not in ("train", "calibration"):
            raise InputError(
                f"records: {one.id} is of split {one.split!r}; only train and calibration may be learned."
            )
        found[one.split, one.readings.capture, one.readings.inputs].append(one)
    return found


def _enough(some: Sequence[Record], key: Sequence[str]) -> bool:
    """Whether there are LEAST_PEOPLE of either sex; else the log says that nothing is learned of this group."""
    fewest = min(sum(one.sex == sex for one in some) for sex in SEXES)
    if fewest < LEAST_PEOPLE:
        log.warning("posterior: only %d people of a sex seen by %s; none learned", fewest, " ".join(key))
    return fewest >= LEAST_PEOPLE


def optics_of(records: Sequence[Record], names: Sequence[str] = READ) -> dict[str, Optics]:
    """Learn how people of each sex look to the search; the network's tapes count as readings too.

    A reading that hardly anybody of a sex shows is left out.
    """
    names = (*names, *(GUESSED + name for name in TAPES if any(name in one.readings.guess for one in records)))
    y, seen = (np.stack(x) for x in zip(*(observed(one.readings, names, one.sex) for one in records), strict=True))
    x = np.stack([standardised(one.row, one.sex) for one in records])
    member = np.array([[one.sex == sex for sex in SEXES] for one in records], float)
    kept = (member.T @ seen).min(0) >= LEAST_READ
    names, y, seen = tuple(np.array(names)[kept].tolist()), y[:, kept], seen[:, kept]
    known = people(SEXES[0])[0]
    gain, offset, left = np.zeros((len(names), len(known))), np.zeros((len(SEXES), len(names))), np.zeros_like(y)
    for k, name in enumerate(names):
        rows = seen[:, k]
        aim = np.eye(len(known))[known.index(name.removeprefix(GUESSED))]
        gain[k], offset[:, k], left[rows, k] = ridge(x[rows], y[rows, k], aim, member[rows])
    root = np.linalg.cholesky(noise(left, seen))
    return {sex: Optics(names, gain, offset[k], root) for k, sex in enumerate(SEXES)}


def standardised(row: dict[str, float], sex: str) -> np.ndarray:
    """A person's population columns (SI units, flexed as taped) as (K,) standard deviations, biceps and forearm relaxed."""
    known = population.population(sex)
    return (np.array([row[name] for name in known.names]) - known.mean) / known.sd


def ridge(
    x: np.ndarray, y: np.ndarray, aim: np.ndarray, member: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Regress y (n,) on x (n, K) towards ``aim`` (K,): gain (K,), an offset per group (G,), leave-one-out residuals (n,).

    ``member`` (n, G): 1 where a person is of a group. Of STRENGTHS the one with the least leave-one-out error; closed
    form by the singular values of x.
    """
    share = member / member.sum(0)
    middle, rest = share.T @ x, y - x @ aim
    rest = rest - member @ (share.T @ rest)
    u, s, vt = np.linalg.svd(x - member @ middle, full_matrices=False)
    tried = [_left_out(u, s, rest, (share * member).sum(1), strength) for strength in STRENGTHS]
    best = int(np.argmin([np.mean(left**2) for left in tried]))
    gain = aim + vt.T @ (s / (s**2 + STRENGTHS[best]) * (u.T @ rest))
    return gain, share.T @ y - middle @ gain, tried[best]


def _left_out(
    u: np.ndarray, s: np.ndarray, rest: np.ndarray, mean_leverage: np.ndarray, strength: float
) -> np.ndarray:
    """Residuals (n,) of a ridge regression on centred data, each predicted without itself."""
    share = s**2 / (s**2 + strength)
    leverage = mean_leverage + (u**2 * share).sum(1)
    return (rest - u @ (share * (u.T @ rest))) / (1 - leverage)


def noise(left: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Covariance (M, M) of residuals (n, M), 0 where not ``seen``; correlations shrunk as their own errors advise."""
    count = np.maximum(seen.T.astype(float) @ seen, 1)
    sd = np.sqrt((left**2).sum(0) / count.diagonal()).clip(LEAST_SD)
    unit = left / sd
    correlation = unit.T @ unit / count
    spread = ((unit**2).T @ unit**2 / count - correlation**2) / count
    off = ~np.eye(len(sd), dtype=bool)
    shrink = min(1.0, spread[off].sum() / max((correlation[off] ** 2).sum(), 1e-12))
    correlation = np.where(off, (1 - shrink) * correlation, 1.0)
    return positive(correlation) * np.outer(sd, sd)


def positive(correlation: np.ndarray, least: float = 1e-3) -> np.ndarray:
    """The correlation (M, M) with eigenvalues of at least ``least``."""
    values, vectors = np.linalg.eigh(correlation)
    return correlation if values[0] >= least else (vectors * values.clip(least)) @ vectors.T


def scores(posterior: Posterior, records: Sequence[Record], weighed: bool) -> np.ndarray:
    """Errors of records (n, 15) in the posterior's standard deviations, signed; NaN where the measure is withheld."""
    found = np.full((len(records), len(TAPES)), np.nan)
    for row, one in zip(found, records, strict=True):
        answer = posterior(one.readings, one.stature_m, one.weight_kg if weighed else None, one.sex)
        for k, name in enumerate(TAPES):
            if name not in answer.withheld:
                row[k] = (one.truth_m[name] - answer.value_m[name]) / answer.sd_m[name]
    return found


def widened(posterior: Posterior, records: Sequence[Record], weighed: bool) -> np.ndarray:
    """Standard deviations (15,) that hold 90 % of people on either side: split conformal, both sexes together."""
    off = np.abs(scores(posterior, records, weighed))
    seen = np.isfinite(off)
    if not seen.any():
        raise InputError(
            "records: every measure of every calibration person is hidden; nothing can be calibrated."
        )
    columns = [off[:, k][seen[:, k]] for k in range(len(TAPES))]
    return np.array([quantile(one if len(one) >= ENOUGH else off[seen]) for one in columns])


def quantile(off: np.ndarray) -> float:
    """The ceil(0.9 (n + 1))-th smallest of n errors; the largest where n is too small for that."""
    return float(np.sort(off)[min(int(np.ceil(COVERAGE * (len(off) + 1))), len(off)) - 1])
