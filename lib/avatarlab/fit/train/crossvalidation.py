"""What each part of the posterior is worth: errors on people left out, of mesh, network, population and all joined."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.fit.estimator.posterior import (
    GUESSED,
    SEXES,
    TAPES,
    Optics,
    Posterior,
    people,
    population_prior,
    standardise_readings,
)
from avatarlab.fit.train.records import FitRecord
from avatarlab.learn import weights
from avatarlab.measure import population

log = logging.getLogger(__name__)

DIMENSIONS = (
    *("chestbreadth", "chestdepth", "waistbreadth", "waistdepth", "hipbreadth", "buttockdepth"),
    "bideltoidbreadth",
)
READ = (*TAPES, *DIMENSIONS, "weight")
"""What is read off the mesh: what a posterior is given."""
EVERYTHING = (*READ, *(GUESSED + name for name in TAPES))
"""... and the network's own tapes, which added nothing on 120 calibration people (``crossvalidation``)."""
STRENGTHS = tuple(float(x) for x in np.geomspace(1, 3000, 9))
"""Ridge strengths tried, in people: so many who read exactly what they measure are added."""
LEAST_SD = 0.02
"""Least noise of a reading in population standard deviations; sums of others would make R singular."""
LEAST_PEOPLE, LEAST_READ = 4, 2
"""People of either sex that anything at all, and that one reading, is learned from; a published posterior has hundreds."""
COVERAGE = 0.90
FOLDS = 5
ENOUGH = 9
"""Calibration people that a measure of its own factor needs; with fewer, all measures' errors are pooled."""


def learned(records: Iterable[FitRecord], card: dict | None = None, names: Sequence[str] = READ) -> Posterior:
    """Learn from records of the splits 'train' and 'calibration', calibrate on the latter; any other split is refused.

    Groups with fewer than LEAST_PEOPLE of either sex are left out, and said so in the log.
    """
    optics, factors = {}, {}
    for key, some in sorted(grouped(records).items()):
        if _enough(some, key):
            optics |= {(sex, *key): one for sex, one in optics_of(some, names).items()}
            wide = zip((False, True), widened(some, names), strict=True)
            factors |= {(*key, weighed): one for weighed, one in wide if one is not None}
    if not optics:
        raise InputError(
            f"records: fewer than {LEAST_PEOPLE} people of either sex in every group; fit more people."
        )
    return Posterior(optics, factors, card or {})


def grouped(records: Iterable[FitRecord]) -> dict[tuple[str, str], list[FitRecord]]:
    """Records by (capture, inputs), in order of their people's ids; test people are refused."""
    found = defaultdict(list)
    for one in sorted(records, key=lambda one: one.id):
        if one.split not in ("train", "calibration"):
            raise InputError(
                f"records: {one.id} is of split {one.split!r}; only train and calibration may be learned."
            )
        found[one.readings.capture, one.readings.inputs].append(one)
    return found


def _enough(some: Sequence[FitRecord], key: Sequence[str]) -> bool:
    """Whether there are LEAST_PEOPLE of either sex; else the log says that nothing is learned of this group."""
    fewest = min(sum(one.sex == sex for one in some) for sex in SEXES)
    if fewest < LEAST_PEOPLE:
        log.warning("posterior: only %d people of a sex seen by %s; none learned", fewest, " ".join(key))
    return fewest >= LEAST_PEOPLE


def left_out(some: Sequence[FitRecord], names: Sequence[str] = READ) -> dict[str, Posterior]:
    """By id of each calibration person of one group, a posterior that the others taught (FOLDS, both sexes in each)."""
    kind = some[0].readings.capture, some[0].readings.inputs
    asked = {sex: [one.id for one in some if one.split == "calibration" and one.sex == sex] for sex in SEXES}
    fold = {id: k % FOLDS for ids in asked.values() for k, id in enumerate(ids)}
    models = {}
    for number in sorted(set(fold.values())):
        optics = optics_of([one for one in some if fold.get(one.id) != number], names)
        models[number] = Posterior({(sex, *kind): one for sex, one in optics.items()}, {})
    return {id: models[number] for id, number in fold.items()}


def optics_of(records: Sequence[FitRecord], names: Sequence[str] = READ) -> dict[str, Optics]:
    """Learn how people of each sex look to the search; the network's tapes of people it does not know are readings too.

    A reading that hardly anybody of a sex shows is left out.
    """
    y, seen = (
        np.stack(x)
        for x in zip(*(standardise_readings(one.readings, names, one.sex) for one in records), strict=True)
    )
    taught = np.array([one.split == "train" for one in records])
    seen &= ~np.outer(taught, [name.startswith(GUESSED) for name in names])
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


def widened(some: Sequence[FitRecord], names: Sequence[str] = READ) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Standard deviations (15,) that hold 90 % of people on either side, weight unknown and known; sexes together.

    Of one group; each calibration person is answered by a posterior that the others taught. None without such people.
    """
    models = left_out(some, names)
    asked = [one for one in some if one.id in models]
    if not asked:
        return None, None
    return tuple(_factor(np.abs(scores(models, asked, weighed))) for weighed in (False, True))


def scores(models: Mapping[str, Posterior], records: Sequence[FitRecord], weighed: bool) -> np.ndarray:
    """Errors of records (n, 15) in standard deviations of each one's model, signed; NaN where the measure is withheld."""
    found = np.full((len(records), len(TAPES)), np.nan)
    for row, one in zip(found, records, strict=True):
        answer = models[one.id](one.readings, one.told(weighed))
        for k, name in enumerate(TAPES):
            if name not in answer.withheld:
                row[k] = (one.truth_m[name] - answer.value_m[name]) / answer.sd_m[name]
    return found


def _factor(off: np.ndarray) -> np.ndarray:
    """The quantile (15,) of each measure's errors (n, 15); of all together where too few are finite."""
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


READINGS = {"tapes": TAPES, "tapes_volume": (*TAPES, "weight"), "posterior": READ, "posterior_network": EVERYTHING}
"""Which readings a posterior is given: tapes of the mesh, its volume, its breadths and depths (the published one), the
network's tapes."""


@dataclass(frozen=True)
class Score:
    """Mean absolute error (mm) of one method on N people seen in one way, over 15 measures and of three of them."""

    capture: str
    inputs: str
    method: str
    weight: bool
    people: int
    mae15_mm: float
    chest_mae_mm: float
    waist_mae_mm: float
    hip_mae_mm: float


def compared(records: Sequence[FitRecord]) -> list[Score]:
    """Scores of every method on the calibration people, each of whom answered by what all others taught."""
    found = []
    for (capture, inputs), some in grouped(records).items():
        asked = [one for one in some if one.split == "calibration"]
        truth = np.array([[one.truth_m[name] for name in TAPES] for one in asked])
        for method, weighed, values in _answers(some, asked) if asked else ():
            off = 1000 * np.abs(values - truth).mean(0)
            three = (round(float(off[TAPES.index(name)]), 2) for name in ("chest", "waist", "hip"))
            found.append(Score(capture, inputs, method, weighed, len(asked), round(float(off.mean()), 2), *three))
    return found


def _answers(some: Sequence[FitRecord], asked: Sequence[FitRecord]):
    """Yield (method, weight known, values (n, 15) m) of those ``asked`` of one group."""
    for weighed in (False, True):
        yield "population", weighed, np.array([_population(one, weighed) for one in asked])
    yield "mesh", False, np.array([[one.readings.value[name] for name in TAPES] for one in asked])
    if all(one.readings.guess for one in asked):
        yield "network", False, np.array([[one.readings.guess[name] for name in TAPES] for one in asked])
    for method, names in READINGS.items():
        models = left_out(some, names)
        for weighed in (False, True):
            yield method, weighed, np.array([_posterior(models[one.id], one, weighed) for one in asked])


def _population(one: FitRecord, weighed: bool) -> list[float]:
    """What stature (and weight) alone say of the 15 tapes, m."""
    _, mean, _ = population_prior(one.told(weighed))
    return [mean[people(one.sex)[0].index(name)] for name in TAPES]


def _posterior(model: Posterior, one: FitRecord, weighed: bool) -> list[float]:
    answer = model(one.readings, one.told(weighed))
    return [answer.value_m[name] for name in TAPES]


def card_of(
    records: Sequence[FitRecord],
    source: str,
    parameters: Mapping,
    table: Sequence[Score],
    bases: Mapping,
    commit: str | None = None,
) -> dict:
    """The card of a posterior: whom it was learned from, how, and how far off it is on people left out; of ``bases``
    (``Body.bases``) it names the one that was searched."""
    counts = Counter((one.split, one.readings.capture, one.readings.inputs) for one in records)
    return weights.card(
        {"rows": source, "people": {" ".join(key): count for key, count in sorted(counts.items())}},
        parameters,
        {"cross_validation": [asdict(one) for one in table]},
        "Apache-2.0; learned from ANSUR II (US Government work, public release) and CC0 bodies",
        commit,
        bases={"body": bases["body"]},
    )
