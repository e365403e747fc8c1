"""The posterior: what the photos' readings, the stature and perhaps the weight say of the tapes, and how surely.

Per sex, the tapes and further measures x of people of that stature (and weight) are Gaussian (ANSUR II); what a search
reads off its mesh is y = A x + b + e, e ~ N(0, R), with A, b, R learned per sex, capture and inputs from people whose
tapes are known (``fit.learning``). Both are conditioned exactly. Intervals are the posterior's standard deviations
times factors learned on people that nothing else was learned from (split conformal, Papadopoulos 2002).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit.estimator.readings import Readings
from avatarlab.learn import weights as disk
from avatarlab.measure import MEASURES, population
from avatarlab.measure.definitions import FLEXED_M

NAME, STAGE = "posterior", "train_posterior"
SEXES = population.SEXES
TAPES = tuple(name for name in MEASURES if name != "stature")
SCALE_KG = 1.0
"""Standard deviation of a bathroom scale's reading: clothes, a meal, the scale."""
PLAIN_FACTOR = 1.645
"""Standard deviations on either side that hold 90 % of a Gaussian."""
GUESSED = "guess."
"""What the names of the network's tapes begin with."""
SPREAD_BY = {
    **{name: (name,) for name in TAPES},
    "chest": ("chest", "chestbreadth", "chestdepth", "bideltoidbreadth"),
    "waist": ("waist", "waistbreadth", "waistdepth"),
    "hip": ("hip", "hipbreadth", "buttockdepth"),
}
"""Measure that is in no picture -> readings that say nothing then. The volume falls with the first that is large."""
LARGE = ("chest", "waist", "hip", "thigh")
KIN = {"photo": ("everyday",)}
"""Capture that nobody was learned from -> whose people speak for it, uncalibrated."""


@cache
def people(sex: str) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names (K,) of what is known of a population, their mean and standard deviation (K,); biceps and forearm relaxed."""
    known = population.population(sex)
    return known.names, known.mean - flexed(sex), known.sd


@cache
def flexed(sex: str) -> np.ndarray:
    """What ANSUR's columns (K,) exceed the relaxed mesh by, m."""
    return np.array([FLEXED_M[sex].get(name, 0.0) for name in population.population(sex).names])


@dataclass(frozen=True, eq=False)
class Optics:
    """How one sex's people look to the search: y = A x + b + e in standard deviations of ``names``, e ~ N(0, R).

    names (M,): readings, plain or ``guess.``-ed; gain A (M, K), offset b (M,), root (M, M) lower with R = root root^T.
    """

    names: tuple[str, ...]
    gain: np.ndarray
    offset: np.ndarray
    root: np.ndarray

    @property
    def noise(self) -> np.ndarray:
        """R (M, M)."""
        return self.root @ self.root.T


@dataclass(frozen=True, eq=False)
class Estimate:
    """The 16 measures by name: value and standard deviation in m, 90 % interval (low, high) in m, why some are withheld.

    ``covariance`` (16, 16) m^2 in MEASURES' order; ``calibrated``: the intervals were checked on people of known tapes.
    """

    value_m: dict[str, float]
    sd_m: dict[str, float]
    interval_m: dict[str, tuple[float, float]]
    withheld: dict[str, str]
    covariance: np.ndarray
    calibrated: bool


@dataclass(frozen=True, eq=False)
class Posterior:
    """Optics by (sex, capture, inputs), interval factors (15,) by (capture, inputs, weight known), and the card."""

    optics: Mapping[tuple[str, str, str], Optics]
    factors: Mapping[tuple[str, str, bool], np.ndarray]
    card: Mapping = field(default_factory=dict)

    def knows(self, readings: Readings) -> bool:
        """Whether people seen like this, or like their nearest kin, were learned from."""
        return self.kin(readings) is not None

    def kin(self, readings: Readings) -> str | None:
        """The capture whose people speak for these readings: their own, for ``photo`` else ``everyday``; None if neither."""
        captures = (readings.capture, *KIN.get(readings.capture, ()))
        there = [one for one in captures if all((sex, one, readings.inputs) in self.optics for sex in SEXES)]
        return there[0] if there else None

    def __call__(self, readings: Readings, subject: Subject) -> Estimate:
        """Join readings with stature, weight if known, and population; of sex 'unknown' the moments of both answers."""
        capture = self.kin(readings)
        if capture is None:
            raise InputError(
                f"posterior: learned nothing of {readings.capture} {readings.inputs}; learn it first."
            )
        seen = replace(readings, capture=capture)
        sexes = SEXES if subject.sex == "unknown" else (subject.sex,)
        mean, covariance = mix_estimates([self._answer(seen, replace(subject, sex=one)) for one in sexes])
        factor = self.factors.get((capture, readings.inputs, subject.weight_kg is not None))
        found = estimate(mean, covariance, subject.stature_m, factor, readings.hidden)
        return replace(found, calibrated=found.calibrated and capture == readings.capture)

    def _answer(self, readings: Readings, subject: Subject) -> "PosteriorEstimate":
        sex = subject.sex
        log_odds, mean, covariance = population_prior(subject)
        names, centre, sd = people(sex)
        optics = self.optics[sex, readings.capture, readings.inputs]
        y, seen = standardise_readings(readings, optics.names, sex)
        gain, noise = optics.gain[seen], optics.noise[np.ix_(seen, seen)]
        likely, mean, covariance = join((mean - centre) / sd, covariance / np.outer(sd, sd), y[seen], gain,
                                        optics.offset[seen], noise)  # fmt: skip
        at = [names.index(name) for name in TAPES]
        covariance = covariance[np.ix_(at, at)] * np.outer(sd[at], sd[at])
        return PosteriorEstimate(
            log_odds + likely - _log_scales(optics.names, seen, sex), (centre + sd * mean)[at], covariance
        )

    def save(self, path: str | Path) -> None:
        """Write float16 tensors and the card; in standard deviations float16 costs less than 0.2 mm."""
        tensors = {}
        for key, one in self.optics.items():
            for part in ("gain", "offset", "root"):
                tensors[".".join((*key, part))] = torch.from_numpy(np.ascontiguousarray(getattr(one, part)))
        for (capture, inputs, weighed), factor in self.factors.items():
            tensors[f"factor.{capture}.{inputs}.{'weight' if weighed else 'plain'}"] = torch.from_numpy(factor)
        names = {".".join(key): list(one.names) for key, one in self.optics.items()}
        disk.save(path, tensors, {**self.card, "readings": names, "latent": list(people("male")[0])})

    @classmethod
    def load(cls, which: str | Path = "pretrained") -> "Posterior":
        """Read 'pretrained' or 'trained' weights, or a path; a missing, damaged or foreign file raises InputError."""
        path = disk.find(NAME, STAGE, which) if which in disk.WHICH else Path(which)
        tensors, card = disk.load(path)
        try:
            return cls(*_unpacked(tensors, card), card)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not a posterior of this lab ({error}); learn it again.") from None


@dataclass(frozen=True, eq=False)
class PosteriorEstimate:
    """One sex's answer: log of how well it explains everything, mean (15,) m and covariance (15, 15) m^2 of TAPES."""

    log_odds: float
    mean: np.ndarray
    covariance: np.ndarray


def population_prior(subject: Subject) -> tuple[float, np.ndarray, np.ndarray]:
    """Log density of stature and weight, mean (K,) and covariance (K, K) of those of the subject's sex, SI units."""
    sex, given = subject.sex, {"stature": subject.stature_m}
    given |= {"weight": (subject.weight_kg, SCALE_KG)} if subject.weight_kg is not None else {}
    mean, covariance = population.conditional(sex, given)
    return population.log_density(sex, given), mean - flexed(sex), covariance


def standardise_readings(readings: Readings, names: tuple[str, ...], sex: str) -> tuple[np.ndarray, np.ndarray]:
    """Readings (M,) in the population's standard deviations, 0 where there is none, and which are seen (M,) bool."""
    known, centre, sd = people(sex)
    deaf = {name for measure in readings.unread for name in SPREAD_BY.get(measure, ())}
    deaf |= {"weight"} if any(name in readings.unread for name in LARGE) else set()
    y, seen = np.zeros(len(names)), np.zeros(len(names), bool)
    for k, name in enumerate(names):
        plain = name.removeprefix(GUESSED)
        value = readings.guess.get(plain) if name != plain else readings.value.get(name)
        at = known.index(plain)
        if value is not None and plain not in deaf:
            y[k], seen[k] = (value - centre[at]) / sd[at], True
    return y, seen


def _log_scales(names: tuple[str, ...], seen: np.ndarray, sex: str) -> float:
    """Log of the units (each sex's own standard deviations) in which the likelihood of readings was taken."""
    known, _, sd = people(sex)
    return float(sum(np.log(sd[known.index(names[k].removeprefix(GUESSED))]) for k in np.flatnonzero(seen)))


def join(mean, covariance, y, gain, offset, noise) -> tuple[float, np.ndarray, np.ndarray]:
    """Condition x ~ N(mean (K,), covariance (K, K)) on y = gain x + offset + N(0, noise); also return log p(y)."""
    off = y - gain @ mean - offset
    total = gain @ covariance @ gain.T + noise
    back = np.linalg.solve(total, gain @ covariance).T
    likely = -0.5 * (off @ np.linalg.solve(total, off) + np.linalg.slogdet(total)[1]) if len(y) else 0.0
    return float(likely), mean + back @ off, covariance - back @ gain @ covariance


def mix_estimates(answers: list[PosteriorEstimate]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of several answers, each counted by its odds."""
    logs = np.array([one.log_odds for one in answers])
    share = np.exp(logs - logs.max())
    share /= share.sum()
    mean = sum(s * one.mean for s, one in zip(share, answers, strict=True))
    apart = [np.outer(one.mean - mean, one.mean - mean) + one.covariance for one in answers]
    return mean, sum(s * spread for s, spread in zip(share, apart, strict=True))


def estimate(mean, covariance, stature_m: float, factor, withheld: Mapping[str, str]) -> Estimate:
    """Pack the tapes' mean (15,) and covariance (15, 15), the stature known exactly.

    ``factor`` (15,): standard deviations that hold 90 %, None: a plain Gaussian's. The covariance is stretched by what
    they exceed those, so that interval, standard deviation and covariance say the same.
    """
    wide = (np.full(len(TAPES), PLAIN_FACTOR) if factor is None else np.asarray(factor)) / PLAIN_FACTOR
    whole = np.zeros((len(MEASURES), len(MEASURES)))
    at = [MEASURES.index(name) for name in TAPES]
    whole[np.ix_(at, at)] = covariance * np.outer(wide, wide)
    value = dict(zip(TAPES, mean.tolist(), strict=True)) | {"stature": float(stature_m)}
    value = {name: value[name] for name in MEASURES}
    sd = dict(zip(MEASURES, np.sqrt(whole.diagonal().clip(0)).tolist(), strict=True))
    half = {name: PLAIN_FACTOR * sd[name] for name in MEASURES}
    between = {name: (value[name] - half[name], value[name] + half[name]) for name in MEASURES}
    return Estimate(value, sd, between, dict(withheld), whole, factor is not None)


def mesh_estimate(readings: Readings, stature_m: float) -> Estimate:
    """What the mesh measures with the fit's own spread, where nothing was learned: not calibrated."""
    mean = np.array([readings.value[name] for name in TAPES])
    return estimate(mean, np.diag([readings.sd[name] ** 2 for name in TAPES]), stature_m, None, readings.hidden)


def _unpacked(tensors: Mapping[str, torch.Tensor], card: Mapping) -> tuple[dict, dict]:
    """Optics and factors of a file; ValueError or KeyError where it is not whole."""
    if card["latent"] != list(people("male")[0]):
        raise ValueError("it was learned with other population statistics")
    arrays = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    optics = {tuple(key.split(".")): _optics(names, key, arrays) for key, names in card["readings"].items()}
    factors = {}
    for name, factor in arrays.items():
        if name.startswith("factor."):
            _, capture, inputs, weighed = name.split(".")
            factors[capture, inputs, weighed == "weight"] = _sized(factor, len(TAPES))
    return optics, factors


def _optics(names: list[str], key: str, arrays: Mapping[str, np.ndarray]) -> Optics:
    count, latent = len(names), len(people("male")[0])
    gain, offset, root = (arrays[f"{key}.{part}"] for part in ("gain", "offset", "root"))
    if not all(name.removeprefix(GUESSED) in people("male")[0] for name in names):
        raise ValueError(f"{key} reads what nobody measures")
    return Optics(tuple(names), _sized(gain, count, latent), _sized(offset, count), _sized(root, count, count))


def _sized(array: np.ndarray, *shape: int) -> np.ndarray:
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"an array of shape {array.shape} where finite {shape} is expected")
    return array
