"""``Measurements``: what one body measures under one definition, in cm, with intervals, as JSON."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from scipy.stats import norm

from avatarlab.body import MeasureUncertainty, Person, Uncertainty, poses
from avatarlab.body.layout import BETA_SLOTS, BLOCK_SLOTS
from avatarlab.core.errors import InputError, number
from avatarlab.core.files import write_json
from avatarlab.measure.anchors import SEAMS, Topology, centre, topology
from avatarlab.measure.definitions import DEFINITIONS, MEASURES
from avatarlab.measure.tape import definition_named, tapes
from avatarlab.measure.volume import weight_kg

ARMS_DOWN_DEG = (55.0, 89.0)
"""Upper arms below the horizontal, degrees: higher overstates the chest, lower merges arm and trunk."""
KNEE_DEG, LEAN_DEG = 25.0, 15.0
UNCUT_PARTS = ("head", "jaw", "l_eye", "r_eye")
"""Where the mesh may be open (eyelids, mouth of some body files): no tape runs there but the head's, higher up."""


def check_standing(body, vertices: torch.Tensor) -> None:
    """Raise InputError unless vertices (V, 3) m are this body's, finite, closed, upright, arms down."""
    topo = topology(body)
    if tuple(vertices.shape) != (topo.vertex_count, 3):
        raise InputError(
            f"vertices: got shape {tuple(vertices.shape)}, this body has ({topo.vertex_count}, 3); "
            "measure with the body that the mesh was made with."
        )
    if not bool(torch.isfinite(vertices).all()):
        raise InputError("vertices: contain NaN or infinity; the fit or the file they come from is broken.")
    check_closed(body)
    with torch.no_grad():
        _check_upright(topo, vertices[None])
        _check_pose(topo, vertices[None])


def check_closed(body) -> None:
    """Raise InputError if the mesh of ``body`` has an open or a shared edge where tapes are laid."""
    topo = topology(body)
    wrong = topo.part[topo.open_edges]
    spared = [topo.parts.index(name) for name in UNCUT_PARTS if name in topo.parts]
    wrong = wrong[~torch.isin(wrong, wrong.new_tensor(spared)).any(1)]
    if len(wrong):
        where = topo.parts[int(wrong[0, 0])]
        raise InputError(
            f"mesh: open at the {where} ({len(wrong)} edges there or elsewhere do not join two faces); "
            "tapes need a closed surface."
        )


def _check_upright(topo: Topology, vertices: torch.Tensor) -> None:
    tall = (centre(topo, vertices, ("HEAD_TOP",)) - centre(topo, vertices, ("sole",)))[0]
    number("stature", round(float(tall.norm()), 3), 0.4, 2.8, "metres", "Are the vertices in metres?")
    lean = float(torch.rad2deg(torch.acos(tall[1] / tall.norm())))
    if lean > LEAN_DEG:
        raise InputError(
            f"body: leans {lean:.0f} degrees from the y axis, expected at most {LEAN_DEG:.0f}; stand it up."
        )


def _check_pose(topo: Topology, vertices: torch.Tensor) -> None:
    at = {name: centre(topo, vertices, (name,))[0] for name in SEAMS}
    for side, word in (("l", "left"), ("r", "right")):
        upper, fore = at[f"{side}_elbow"] - at[f"{side}_shoulder"], at[f"{side}_wrist"] - at[f"{side}_elbow"]
        down = float(torch.rad2deg(torch.asin(-upper[1] / upper.norm())))
        if not ARMS_DOWN_DEG[0] <= down <= ARMS_DOWN_DEG[1] or fore[1] > 0:
            raise InputError(
                f"body: the {word} arm hangs {down:.0f} degrees below the horizontal, expected "
                f"{ARMS_DOWN_DEG[0]:.0f} to {ARMS_DOWN_DEG[1]:.0f} and the forearm down; "
                "pose it with poses.standing()."
            )
        thigh, shin = at[f"{side}_knee"] - at[f"{side}_hip"], at[f"{side}_ankle"] - at[f"{side}_knee"]
        bend = float(torch.rad2deg(torch.acos(torch.cosine_similarity(thigh, shin, 0).clamp(-1, 1))))
        if bend > KNEE_DEG:
            raise InputError(
                f"body: the {word} knee is bent {bend:.0f} degrees, expected at most {KNEE_DEG:.0f}; "
                "pose it with poses.standing()."
            )


log = logging.getLogger(__name__)

SCHEMA, OLD_SCHEMA = "avatarlab.measurements/2", "avatarlab.measurements/1"
COVERAGE = 0.9
"""Share of people whose true value an interval is meant to hold."""
CM = 100.0
STATED = "ansur"
"""The definition under which a stature is given."""
EXACT_CM = 0.02
"""By how much a body may miss the stature that was given, or an interval that was stated: rounding, and 0.1 mm of fit."""
TINY_M = 1e-4
"""A stature that varies by less is exact already; conditioning on it would divide rounding by rounding."""
STATURE_GIVEN = "stature given"


@dataclass(frozen=True)
class Measure:
    """One measure: value in cm (None if withheld), its interval in cm if known, why it is not to be trusted, and what
    it rests on, if the person says so."""

    value: float | None
    interval: tuple[float, float] | None = None
    reason: str | None = None
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurements:
    """Measures by name under one definition. ``weight_kg`` is that of the body's volume, not of a scale.

    ``calibrated``: the intervals were checked on people whose tapes are known.
    """

    measures: Mapping[str, Measure]
    definition: str
    unit: str = "cm"
    coverage: float = COVERAGE
    weight_kg: float | None = None
    calibrated: bool = False

    def values(self) -> dict[str, float | None]:
        """Return name -> value in cm."""
        return {name: measure.value for name, measure in self.measures.items()}

    @property
    def lacks(self) -> tuple[str, ...]:
        """What these measurements do not say of themselves, as files of the first schema did not."""
        return () if any(one.rests_on for one in self.measures.values()) else ("what each measure rests on",)

    def save(self, path: str | Path) -> None:
        """Write as JSON; equal measurements give equal bytes."""
        write_json(path, {"schema": SCHEMA, **asdict(self)})

    @classmethod
    def load(cls, path: str | Path) -> "Measurements":
        """Read a file that ``save`` wrote, of this schema or the first one; anything else raises InputError."""
        try:
            table = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path}: no such file.") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a JSON file ({error}).") from None
        schema = table.pop("schema", None) if isinstance(table, dict) else None
        if schema not in (SCHEMA, OLD_SCHEMA):
            raise InputError(f"{path}: not a measurements file of schema {SCHEMA!r}.")
        try:
            measures = {name: _measure(**entry) for name, entry in table.pop("measures").items()}
            found = cls(measures, **table)
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not whole measurements ({error}).") from None
        if schema == OLD_SCHEMA:
            log.warning("%s: an older file (%s) without %s; measure again for it.", path, schema, *found.lacks)
        return found


def _measure(value, interval, reason, rests_on=()) -> Measure:
    return Measure(value, interval and tuple(interval), reason, tuple(rests_on))


def measure(body, person, definition: str = "ansur", withhold: bool = True) -> Measurements:
    """Measure a Person, or shape coefficients (B,), in the standing pose whatever pose the person is in.

    A Person's ``uncertainty`` gives intervals, what each measure rests on, and which measures are not to be trusted:
    their values are withheld, or with ``withhold=False`` given beside the reason. It is stated under one definition, and
    shifted under another by what that changes on this very body. A Person without gets intervals from the covariance of
    its blocks to first order, the stature exact if the body has it. Mere coefficients get none.
    """
    uncertainty = person.uncertainty if isinstance(person, Person) else None
    stated = uncertainty.definition if uncertainty else STATED
    for name in (definition, stated):
        definition_named(name)
    betas = _betas(person).requires_grad_()
    vertices = body(betas=betas, pose=poses.standing()).vertices
    check_standing(body, vertices.detach())
    lengths = {name: tapes(body, vertices, name) for name in dict.fromkeys((stated, definition))}
    known = {}
    if uncertainty:
        known = _moved(uncertainty, _cm(lengths[stated]), _cm(lengths[definition]))
    elif isinstance(person, Person):
        known = _propagated(person, betas, lengths[definition], lengths[STATED])
    entries = {name: _entry(cm, known.get(name), withhold) for name, cm in _cm(lengths[definition]).items()}
    about = {"coverage": uncertainty.coverage, "calibrated": uncertainty.calibrated} if uncertainty else {}
    kg = round(float(weight_kg(body, vertices.detach())), 2)
    return Measurements(entries, definition, weight_kg=kg, **about)


def _cm(lengths: Mapping[str, torch.Tensor]) -> dict[str, float]:
    return {name: CM * float(value.detach()) for name, value in lengths.items()}


def _betas(person) -> torch.Tensor:
    """Return the shape coefficients in use (B,)."""
    if isinstance(person, Person):
        return person.betas()[: max([1, *(BLOCK_SLOTS[name][1] for name in _shaping(person))])]
    betas = torch.as_tensor(person, dtype=torch.float32).detach().clone()
    if betas.ndim != 1 or not bool(torch.isfinite(betas).all()):
        raise InputError(
            f"betas: got shape {tuple(betas.shape)}, expected (B,) finite numbers: one body at a time."
        )
    return betas


def _shaping(person: Person) -> list[str]:
    """Names of the blocks that are shape coefficients."""
    return [name for name in BLOCK_SLOTS if name in person.blocks]


def _entry(value_cm: float, known: MeasureUncertainty | None, withhold: bool) -> Measure:
    """Pack one measure; its value is inside its interval, also where rounding would have it outside."""
    if known is None:
        return Measure(round(value_cm, 2))
    if known.withheld and withhold:
        return Measure(None, None, known.withheld, known.rests_on)
    low, high = known.interval_cm
    return Measure(min(max(round(value_cm, 2), low), high), (low, high), known.withheld, known.rests_on)


def _moved(
    uncertainty: Uncertainty, stated_cm: Mapping[str, float], cm: Mapping[str, float]
) -> dict[str, MeasureUncertainty]:
    """What the person says, moved from the body's tapes under its own definition to those that are asked for."""
    moved = {}
    for name, one in uncertainty.measures.items():
        if name not in MEASURES:
            raise InputError(f"uncertainty: {name!r} is not a measure; known are {', '.join(MEASURES)}.")
        low, high = one.interval_cm
        if not low - EXACT_CM <= stated_cm[name] <= high + EXACT_CM:
            raise InputError(
                f"uncertainty: {name} is {low:.2f} to {high:.2f} cm, but the body measures {stated_cm[name]:.2f}; it is "
                "another shape's: fit the person again, or measure it with uncertainty=None."
            )
        more = cm[name] - stated_cm[name]
        moved[name] = replace(one, interval_cm=(round(low + more, 2), round(high + more, 2)))
    return moved


def _propagated(
    person: Person, betas: torch.Tensor, lengths: Mapping[str, torch.Tensor], stated: Mapping[str, torch.Tensor]
) -> dict[str, MeasureUncertainty]:
    """What the blocks' covariance says of each tape (``lengths``, m) to first order.

    Where the body has the person's stature (``stated``), that is known exactly, and what varies is what it leaves open.
    """
    if not _shaping(person):
        return {}
    covariance = _block_covariance(person, len(betas))
    exact = abs(float(stated["stature"].detach()) - person.stature_m) < EXACT_CM / CM
    if exact:
        along = covariance @ _slope(stated["stature"], betas)
        variance = along @ _slope(stated["stature"], betas)
        covariance = covariance - torch.outer(along, along) / variance if variance > TINY_M**2 else covariance
    known = {}
    for name, length in lengths.items():
        value, slope = CM * float(length.detach()), _slope(length, betas)
        if exact and name == "stature" and abs(value - CM * person.stature_m) < EXACT_CM:
            known[name] = _around(CM * person.stature_m, 0.0, (STATURE_GIVEN,))
        else:
            known[name] = _around(value, CM * float((slope @ covariance @ slope).clamp_min(0).sqrt()))
    return known


def _block_covariance(person: Person, count: int) -> torch.Tensor:
    """Covariance (B, B) float64 of the first ``count`` shape coefficients, blocks independent of one another."""
    covariance = torch.zeros(BETA_SLOTS, BETA_SLOTS, dtype=torch.float64)
    for name in _shaping(person):
        block = torch.tensor(person.blocks[name].covariance)
        at = slice(BLOCK_SLOTS[name][0], BLOCK_SLOTS[name][0] + len(block))
        covariance[at, at] = block.double()
    return covariance[:count, :count]


def _slope(length: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
    """How much a tape changes (m) with each coefficient (B,), float64."""
    return torch.autograd.grad(length, betas, retain_graph=True)[0].double()


def _around(value_cm: float, sd_cm: float, rests_on: tuple[str, ...] = ()) -> MeasureUncertainty:
    """The interval in cm that holds COVERAGE of a Gaussian."""
    half = sd_cm * float(norm.ppf(0.5 + COVERAGE / 2))
    return MeasureUncertainty((round(value_cm - half, 2), round(value_cm + half, 2)), sd_cm, rests_on)


def compare(body, person) -> dict[str, dict[str, float]]:
    """Measure under every definition, what the photos cannot know included: name -> definition -> cm."""
    found = {definition: measure(body, person, definition, withhold=False).values() for definition in DEFINITIONS}
    return {name: {definition: found[definition][name] for definition in found} for name in MEASURES}
