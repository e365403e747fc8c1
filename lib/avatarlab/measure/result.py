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
    """One measure: value in cm (None if withheld, ``reason`` then says why) and its interval in cm, if known."""

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


def measure(body, person, definition: str = "ansur", withheld: Mapping[str, str] | None = None) -> Measurements:
    """Measure a Person, or shape coefficients (B,), in the standing pose whatever pose the person is in.

    A Person's log-variances give each measure an interval (first order). ``withheld``: measures that cannot be known
    (clothed, out of the picture) -> the reason; they get no value.
    """
    definition_named(definition)
    betas, variance = _shape(person)
    used = betas.requires_grad_()
    vertices = body(betas=used, pose=poses.standing()).vertices
    check_standing(body, vertices.detach())
    lengths = tapes(body, vertices, definition)
    half = {} if variance is None else _half_widths(lengths, used, variance)
    entries = {name: _entry(float(value.detach()), half.get(name)) for name, value in lengths.items()}
    for name, reason in (withheld or {}).items():
        if name not in entries:
            raise InputError(f"withheld: {name!r} is not a measure; known are {', '.join(MEASURES)}.")
        entries[name] = Measure(None, reason=reason)
    return Measurements(entries, definition, weight_kg=round(float(weight_kg(body, vertices.detach())), 2))


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


def _half_widths(
    lengths: dict[str, torch.Tensor], betas: torch.Tensor, variance: torch.Tensor
) -> dict[str, float]:
    """Return name -> half an interval in metres, from the variances (B,) of the coefficients (first order)."""
    rows = {name: torch.autograd.grad(x, betas, retain_graph=True)[0] for name, x in lengths.items()}
    reach = float(norm.ppf(0.5 + COVERAGE / 2))
    return {name: reach * float((row.square() * variance).sum().sqrt()) for name, row in rows.items()}


def _entry(value_m: float, half_m: float | None) -> Measure:
    value = round(value_m * CM, 2)
    if half_m is None:
        return Measure(value)
    return Measure(value, (round((value_m - half_m) * CM, 2), round((value_m + half_m) * CM, 2)))


def compare(body, person) -> dict[str, dict[str, float]]:
    """Measure under every definition: name -> definition -> cm."""
    found = {definition: measure(body, person, definition).values() for definition in DEFINITIONS}
    return {name: {definition: found[definition][name] for definition in found} for name in MEASURES}
