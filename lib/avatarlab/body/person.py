"""``Person``, the noun: who somebody is (identity blocks) kept apart from how they stand (state)."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from avatarlab.body.layout import BETA_SLOTS, BLOCK_SLOTS
from avatarlab.errors import InputError, number
from avatarlab.files import read_npz, write_npz
from avatarlab.subject import SEXES

log = logging.getLogger(__name__)

SCHEMA = "avatarlab.person/1"
STATURE_M, WEIGHT_KG = (1.0, 2.5), (20.0, 350.0)
LIMIT_MB = 64
FACTS = ("stature_m", "sex", "weight_kg", "placeholder", "body_sha256", "provenance")


@dataclass(frozen=True)
class Block:
    """One identity block: mean and log-variance, each (S,) float32, in whitened components."""

    mean: np.ndarray
    log_variance: np.ndarray

    def __post_init__(self):
        for name in ("mean", "log_variance"):
            object.__setattr__(self, name, _frozen(name, getattr(self, name)))
        if self.mean.ndim != 1 or self.mean.shape != self.log_variance.shape:
            raise InputError(
                f"block: got mean {self.mean.shape} and log_variance {self.log_variance.shape}, expected both (S,)."
            )


@dataclass(frozen=True)
class Person:
    """A person, as an npz with a JSON header on disk.

    blocks: identity by name ("body" (48,), later face, head, asymmetry, skin); state: named float32 arrays
    ("pose" (55, 3) rad, "transl" (3,) m, "expression", "camera_viewmat" (4, 4), ...), never part of identity.
    ``placeholder`` marks a population mean given out because no fit was possible. ``body_sha256`` is the sha256 of the
    body file whose components the blocks are in. ``provenance``: JSON values saying how the person came about.
    """

    blocks: Mapping[str, Block]
    stature_m: float
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    sex: str = "unknown"
    weight_kg: float | None = None
    placeholder: bool = False
    body_sha256: str = ""
    provenance: Mapping = field(default_factory=dict)

    def __post_init__(self):
        stature = number("stature_m", self.stature_m, *STATURE_M, "metres", "Did you pass centimetres?")
        weight = self.weight_kg
        if weight is not None:
            weight = number("weight_kg", weight, *WEIGHT_KG, "kilograms", "Leave it out if unknown.")
        values = {
            "stature_m": stature,
            "weight_kg": weight,
            "placeholder": bool(self.placeholder),
            "blocks": dict(self.blocks),
            "state": {name: _frozen(name, x) for name, x in self.state.items()},
            "provenance": dict(self.provenance),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check_facts()
        self._check_slots()

    def _check_facts(self) -> None:
        if self.sex not in SEXES:
            raise InputError(f"sex: got {self.sex!r}, expected one of {', '.join(SEXES)}.")
        for name in (*self.blocks, *self.state):
            if not name.isidentifier():
                raise InputError(f"person: got a block or state called {name!r}, expected a plain word.")
        try:
            json.dumps(self.provenance, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"provenance: has to be JSON ({error}).") from None

    def _check_slots(self) -> None:
        for name, (start, stop) in BLOCK_SLOTS.items():
            if name in self.blocks and len(self.blocks[name].mean) > stop - start:
                size = len(self.blocks[name].mean)
                raise InputError(f"block {name}: got {size} components, expected at most {stop - start}.")

    def betas(self) -> torch.Tensor:
        """Return the shape coefficients (300,), every block in its slots (``layout.BLOCK_SLOTS``), zero elsewhere."""
        betas = torch.zeros(BETA_SLOTS)
        for name, (start, _) in BLOCK_SLOTS.items():
            if name in self.blocks:
                mean = torch.tensor(self.blocks[name].mean)
                betas[start : start + len(mean)] = mean
        return betas

    def save(self, path: str | Path) -> None:
        """Write the person as npz; equal persons give equal bytes."""
        arrays = {f"state.{name}": x for name, x in self.state.items()}
        for name, block in self.blocks.items():
            arrays[f"block.{name}.mean"], arrays[f"block.{name}.log_variance"] = block.mean, block.log_variance
        facts = {name: getattr(self, name) for name in FACTS}
        write_npz(path, dict(sorted(arrays.items())), {"schema": SCHEMA, **facts})

    @classmethod
    def load(cls, path: str | Path, body_sha256: str | None = None, other_body: str = "error") -> "Person":
        """Read a person.

        ``body_sha256`` (``body.sha256``): the body it is going to be used with; if the person's differs, that is an
        InputError, or only a warning with ``other_body="warn"`` (components of two bodies mean different shapes).
        """
        if other_body not in ("error", "warn"):
            raise InputError(f"other_body: got {other_body!r}, expected 'error' or 'warn'.")
        arrays, header = read_npz(path, limit_mb=LIMIT_MB)
        if header.get("schema") != SCHEMA:
            raise InputError(
                f"{path}: schema is {header.get('schema')!r}, expected {SCHEMA!r}; not a person file."
            )
        try:
            person = cls(_blocks(arrays), state=_state(arrays), **{name: header[name] for name in FACTS})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: not a whole person ({error}).") from None
        if body_sha256 is not None and person.body_sha256 != body_sha256:
            person._other_body(path, body_sha256, other_body)
        return person

    def _other_body(self, path: str | Path, wanted: str, reaction: str) -> None:
        text = (
            f"{path}: fitted on the body file {self.body_sha256[:12] or 'unrecorded'}, not {wanted[:12]}; "
            "fit it again or load the body it was fitted on."
        )
        if reaction == "error":
            raise InputError(text)
        log.warning(text)


def _frozen(name: str, value) -> np.ndarray:
    """A read-only float32 copy of an array or tensor; NaN and infinity raise InputError."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    array = np.array(value, dtype=np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{name}: contains NaN or infinity.")
    array.setflags(write=False)
    return array


def _blocks(arrays: dict[str, np.ndarray]) -> dict[str, Block]:
    names = [key.split(".")[1] for key in arrays if key.startswith("block.") and key.endswith(".mean")]
    return {name: Block(arrays[f"block.{name}.mean"], arrays[f"block.{name}.log_variance"]) for name in names}


def _state(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {key.removeprefix("state."): x for key, x in arrays.items() if key.startswith("state.")}
