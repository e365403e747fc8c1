"""``Measurements``: what one body measures under one definition, in cm, with intervals, as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from scipy.stats import norm

from avatarlab.body import Person, poses
from avatarlab.body.layout import BETA_SLOTS, BLOCK_SLOTS
from avatarlab.errors import InputError
from avatarlab.files import write_json
from avatarlab.measure.check import check_standing
from avatarlab.measure.definitions import DEFINITIONS, MEASURES
from avatarlab.measure.tape import definition_named, tapes
from avatarlab.measure.volume import weight_kg

SCHEMA = "avatarlab.measurements/1"
COVERAGE = 0.9
"""Share of people whose true value an interval is meant to hold."""
CM = 100.0
STATED = "ansur"
"""The definition under which intervals are given."""


@dataclass(frozen=True)
class Measure:
    """One measure: value in cm (None if withheld), its interval in cm if known, and why it is not to be
    trusted."""

    value: float | None
    interval: tuple[float, float] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Measurements:
    """Measures by name under one definition. ``weight_kg`` is that of the body's volume, not of a scale."""

    measures: Mapping[str, Measure]
    definition: str
    unit: str = "cm"
    coverage: float = COVERAGE
    weight_kg: float | None = None

    def values(self) -> dict[str, float | None]:
        """Return name -> value in cm."""
        return {name: measure.value for name, measure in self.measures.items()}

    def save(self, path: str | Path) -> None:
        """Write as JSON; equal measurements give equal bytes."""
        write_json(path, {"schema": SCHEMA, **asdict(self)})

    @classmethod
    def load(cls, path: str | Path) -> "Measurements":
        """Read a file that ``save`` wrote; anything else raises InputError."""
        try:
            table = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path}: no such file.") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a JSON file ({error}).") from None
        if not isinstance(table, dict) or table.pop("schema", None) != SCHEMA:
            raise InputError(f"{path}: not a measurements file of schema {SCHEMA!r}.")
        try:
            measures = {name: _measure(**entry) for name, entry in table.pop("measures").items()}
            return cls(measures, **table)
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not whole measurements ({error}).") from None


def _measure(value, interval, reason) -> Measure:
    return Measure(value, interval and tuple(interval), reason)


def measure(
    body,
    person,
    definition: str = "ansur",
    sd_cm: Mapping[str, float] | None = None,
    reasons: Mapping[str, str] | None = None,
    withhold: bool = True,
    intervals_cm: Mapping[str, tuple[float, float]] | None = None,
) -> Measurements:
    """Measure a Person, or shape coefficients (B,), in the standing pose whatever pose the person is in.

    ``intervals_cm`` (name -> low and high in cm under ``ansur``, say of a fit's quality report) are taken as they are,
    shifted under another definition by what it changes on this very body. Without, intervals come from ``sd_cm`` (name
    -> standard deviation in cm), else from the Person's log-variances (first order, components independent).
    ``reasons``: name -> why the measure is not to be trusted (clothed, out of the picture); its value is then withheld,
    or with ``withhold=False`` given beside the reason.
    """
    definition_named(definition)
    betas, variance = _shape(person)
    used = betas.requires_grad_()
    vertices = body(betas=used, pose=poses.standing()).vertices
    check_standing(body, vertices.detach())
    lengths = tapes(body, vertices, definition)
    cm = {name: CM * float(value.detach()) for name, value in lengths.items()}
    sd = _spreads(lengths, used, variance) if sd_cm is None and intervals_cm is None else sd_cm or {}
    for argument, names in (("sd_cm", sd), ("reasons", reasons or {}), ("intervals_cm", intervals_cm or {})):
        _known(argument, names)
    between = {name: _around(cm[name], spread) for name, spread in sd.items()}
    between |= _shifted(intervals_cm or {}, body, vertices.detach(), cm, definition)
    entries = {}
    for name, value in cm.items():
        reason = (reasons or {}).get(name)
        kept = Measure(round(value, 2), between.get(name), reason)
        entries[name] = Measure(None, None, reason) if withhold and reason else kept
    return Measurements(entries, definition, weight_kg=round(float(weight_kg(body, vertices.detach())), 2))


def _known(argument: str, names: Mapping) -> None:
    for name in names:
        if name not in MEASURES:
            raise InputError(f"{argument}: {name!r} is not a measure; known are {', '.join(MEASURES)}.")


def _shape(person) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the shape coefficients in use (B,) and, of a Person, their variances (B,)."""
    if not isinstance(person, Person):
        betas = torch.as_tensor(person, dtype=torch.float32).detach().clone()
        if betas.ndim != 1 or not bool(torch.isfinite(betas).all()):
            raise InputError(
                f"betas: got shape {tuple(betas.shape)}, expected (B,) finite numbers: one body at a time."
            )
        return betas, None
    variance = torch.zeros(BETA_SLOTS)
    for name, (start, _) in BLOCK_SLOTS.items():
        if name in person.blocks:
            block = torch.tensor(person.blocks[name].log_variance).exp()
            variance[start : start + len(block)] = block
    count = max([1, *(stop for name, (_, stop) in BLOCK_SLOTS.items() if name in person.blocks)])
    return person.betas()[:count], variance[:count]


def _spreads(
    lengths: dict[str, torch.Tensor], betas: torch.Tensor, variance: torch.Tensor | None
) -> dict[str, float]:
    """Return name -> standard deviation in cm, from the variances (B,) of the coefficients (first order)."""
    if variance is None:
        return {}
    rows = {name: torch.autograd.grad(x, betas, retain_graph=True)[0] for name, x in lengths.items()}
    return {name: CM * float((row.square() * variance).sum().sqrt()) for name, row in rows.items()}


def _around(value_cm: float, sd_cm: float) -> tuple[float, float]:
    """The interval in cm that holds COVERAGE of a Gaussian."""
    half = sd_cm * float(norm.ppf(0.5 + COVERAGE / 2))
    return round(value_cm - half, 2), round(value_cm + half, 2)


def _shifted(
    intervals_cm: Mapping[str, tuple[float, float]],
    body,
    vertices: torch.Tensor,
    cm: Mapping[str, float],
    definition: str,
) -> dict[str, tuple[float, float]]:
    """Intervals of the ``ansur`` tapes moved by what ``definition`` measures more on this body, whose tapes are ``cm``."""
    if definition == STATED or not intervals_cm:
        return {name: tuple(ends) for name, ends in intervals_cm.items()}
    stated = tapes(body, vertices, STATED)
    more = {name: cm[name] - CM * float(stated[name]) for name in intervals_cm}
    return {name: tuple(round(end + more[name], 2) for end in ends) for name, ends in intervals_cm.items()}


def compare(body, person) -> dict[str, dict[str, float]]:
    """Measure under every definition: name -> definition -> cm."""
    found = {definition: measure(body, person, definition).values() for definition in DEFINITIONS}
    return {name: {definition: found[definition][name] for definition in found} for name in MEASURES}
