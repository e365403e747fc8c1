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
    withhold: bool = False,
) -> Measurements:
    """Measure a Person, or shape coefficients (B,), in the standing pose whatever pose the person is in.

    Intervals come from ``sd_cm`` (name -> standard deviation in cm, say of a fit's quality report), else from the
    Person's log-variances (first order, components independent). ``reasons``: name -> why the measure is not to be
    trusted (clothed, out of the picture); ``withhold`` then leaves its value out.
    """
    definition_named(definition)
    betas, variance = _shape(person)
    used = betas.requires_grad_()
    vertices = body(betas=used, pose=poses.standing()).vertices
    check_standing(body, vertices.detach())
    lengths = tapes(body, vertices, definition)
    sd = _spreads(lengths, used, variance) if sd_cm is None else sd_cm
    _known("sd_cm", sd)
    _known("reasons", reasons or {})
    entries = {}
    for name, value in lengths.items():
        reason = (reasons or {}).get(name)
        cm = CM * float(value.detach())
        entries[name] = Measure(None, None, reason) if withhold and reason else _entry(cm, sd.get(name), reason)
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


def _entry(value_cm: float, sd_cm: float | None, reason: str | None) -> Measure:
    if sd_cm is None:
        return Measure(round(value_cm, 2), None, reason)
    half = sd_cm * float(norm.ppf(0.5 + COVERAGE / 2))
    return Measure(round(value_cm, 2), (round(value_cm - half, 2), round(value_cm + half, 2)), reason)


def compare(body, person) -> dict[str, dict[str, float]]:
    """Measure under every definition: name -> definition -> cm."""
    found = {definition: measure(body, person, definition).values() for definition in DEFINITIONS}
    return {name: {definition: found[definition][name] for definition in found} for name in MEASURES}
