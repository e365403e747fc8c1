"""``Person``, the noun: who somebody is (identity blocks, each with its certainty) kept apart from how they stand."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from avatarlab.body.layout import BETA_SLOTS, BLOCK_SLOTS
from avatarlab.body.uncertainty import Uncertainty
from avatarlab.core.errors import InputError, number
from avatarlab.core.files import read_npz, write_npz
from avatarlab.core.subject import SEXES

log = logging.getLogger(__name__)

SCHEMA, OLD_SCHEMA = "avatarlab.person/2", "avatarlab.person/1"
STATURE_M, WEIGHT_KG = (1.0, 2.5), (20.0, 350.0)
LIMIT_MB = 64
FACTS = ("stature_m", "sex", "weight_kg", "placeholder", "provenance")
ASYMMETRY = 1e-4
"""Of its largest variance: how far a covariance may be from symmetric or positive semidefinite, by rounding."""
OLD_SKIN_SD = 0.15
"""sRGB standard deviation per channel given to the skin tone of old files, which name none: the light is unknown."""


@dataclass(frozen=True)
class Block:
    """One identity block: mean (S,) and covariance (S, S), float32; variances (S,) may be given for a diagonal one.

    ``basis`` names what the components refer to ("body" of a body file, "srgb") and ``basis_sha256`` says which one
    (``body.bases[basis]``), empty where it is no part of a body file. Blocks of plain numbers may leave both out.
    """

    mean: np.ndarray
    covariance: np.ndarray
    basis: str = ""
    basis_sha256: str = ""

    def __post_init__(self):
        object.__setattr__(self, "mean", _frozen("mean", self.mean))
        object.__setattr__(self, "covariance", _covariance(self.covariance))
        size = self.mean.shape
        if len(size) != 1 or not size[0] or self.covariance.shape != 2 * size:
            raise InputError(
                f"block: got mean {size} and covariance {self.covariance.shape}, expected (S,) and (S, S), or "
                "variances (S,)."
            )
        if not isinstance(self.basis, str) or not isinstance(self.basis_sha256, str):
            raise InputError(f"block: got basis {self.basis!r} and {self.basis_sha256!r}, expected two texts.")

    @property
    def variance(self) -> np.ndarray:
        """Variances (S,)."""
        return self.covariance.diagonal()

    def stored(self) -> np.ndarray:
        """What a file holds: the variances (S,) of a diagonal covariance, else all of it (S, S)."""
        diagonal = np.count_nonzero(self.covariance) == np.count_nonzero(self.variance)
        return self.variance if diagonal else self.covariance


@dataclass(frozen=True)
class Person:
    """A person, as an npz with a JSON header on disk.

    blocks: identity by name ("body" (48,), "skin" (3,) sRGB 0..1, later face, head, asymmetry); state: named float32
    arrays ("pose" (55, 3) rad, "transl" (3,) m, "expression", "camera_viewmat" (4, 4), ...), never part of identity.
    ``stature_m`` is taken as exact. ``uncertainty``: how far each measure may be trusted and what it rests on, None where
    nobody said. ``placeholder`` marks a population mean given out because no fit was possible. ``provenance``: JSON
    values saying how the person came about.
    """

    blocks: Mapping[str, Block]
    stature_m: float
    state: Mapping[str, np.ndarray] = field(default_factory=dict)
    sex: str = "unknown"
    weight_kg: float | None = None
    placeholder: bool = False
    uncertainty: Uncertainty | None = None
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
        self._check_blocks()

    def _check_facts(self) -> None:
        if self.sex not in SEXES:
            raise InputError(f"sex: got {self.sex!r}, expected one of {', '.join(SEXES)}.")
        if not isinstance(self.uncertainty, Uncertainty | None):
            raise InputError(f"uncertainty: got {type(self.uncertainty).__name__}, expected Uncertainty or None.")
        for name in (*self.blocks, *self.state):
            if not name.isidentifier():
                raise InputError(f"person: got a block or state called {name!r}, expected a plain word.")
        try:
            json.dumps(self.provenance, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"provenance: has to be JSON ({error}).") from None

    def _check_blocks(self) -> None:
        for name, block in self.blocks.items():
            if not isinstance(block, Block):
                raise InputError(f"block {name}: got {type(block).__name__}, expected a Block.")
        for name, (start, stop) in BLOCK_SLOTS.items():
            if name in self.blocks and len(self.blocks[name].mean) > stop - start:
                size = len(self.blocks[name].mean)
                raise InputError(f"block {name}: got {size} components, expected at most {stop - start}.")

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the person does not say of itself, as files of the first schema did not."""
        return () if self.uncertainty else ("what the photos hid", "calibrated intervals")

    def betas(self) -> torch.Tensor:
        """Return the shape coefficients (300,), every block in its slots (``layout.BLOCK_SLOTS``), zero elsewhere."""
        betas = torch.zeros(BETA_SLOTS)
        for name, (start, _) in BLOCK_SLOTS.items():
            if name in self.blocks:
                mean = torch.tensor(self.blocks[name].mean)
                betas[start : start + len(mean)] = mean
        return betas

    def check(self, body) -> None:
        """Raise InputError unless the blocks are in this body's components.

        A block in a basis that the body does not have at all ("face" on a body without faces) changes nothing on it and
        is let through. Files of the first schema name the whole body file, which is as good.
        """
        for name, block in self.blocks.items():
            expected = body.bases.get(block.basis or name)
            if expected is None and name != "body":
                continue
            if block.basis_sha256 not in (expected, body.sha256):
                raise InputError(
                    f"person: the block {name} is in components of {block.basis_sha256[:12] or 'an unrecorded body'}, "
                    f"not {(expected or body.sha256)[:12]}; fit it again or load the body it was fitted on."
                )

    def save(self, path: str | Path) -> None:
        """Write the person as npz; equal persons give equal bytes."""
        arrays, bases = {f"state.{name}": x for name, x in self.state.items()}, {}
        for name, block in self.blocks.items():
            arrays[f"block.{name}.mean"], arrays[f"block.{name}.covariance"] = block.mean, block.stored()
            bases[name] = {"basis": block.basis, "sha256": block.basis_sha256}
        header = {name: getattr(self, name) for name in FACTS} | {"schema": SCHEMA, "blocks": bases}
        header["uncertainty"] = self.uncertainty and self.uncertainty.as_json()
        write_npz(path, dict(sorted(arrays.items())), header)

    @classmethod
    def load(cls, path: str | Path, body=None, other_body: str = "error") -> "Person":
        """Read a person, of this schema or the first one, which says less of itself (``lacks``).

        ``body``: the Body it is going to be used with; if the person's components are another's, that is an InputError,
        or only a warning with ``other_body="warn"`` (components of two bodies mean different shapes).
        """
        if other_body not in ("error", "warn"):
            raise InputError(f"other_body: got {other_body!r}, expected 'error' or 'warn'.")
        arrays, header = read_npz(path, limit_mb=LIMIT_MB)
        schema = header.get("schema")
        if not isinstance(schema, str) or schema not in READERS:
            raise InputError(f"{path}: schema is {schema!r}, expected {SCHEMA!r}; not a person file.")
        try:
            person = cls(**READERS[schema](arrays, header), **{name: header[name] for name in FACTS})
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise InputError(f"{path}: not a whole person ({error}).") from None
        if schema == OLD_SCHEMA:
            log.warning("%s: an older file (%s) without %s; intervals follow from its covariance alone, fit again for "
                        "them.", path, schema, " and ".join(person.lacks))  # fmt: skip
        if body is not None:
            person._used_with(body, path, other_body)
        return person

    def _used_with(self, body, path: str | Path, reaction: str) -> None:
        try:
            self.check(body)
        except InputError as error:
            if reaction == "error":
                raise InputError(f"{path}: {error}") from None
            log.warning("%s: %s", path, error)


def _frozen(name: str, value) -> np.ndarray:
    """A read-only float32 copy of an array or tensor; NaN and infinity raise InputError."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    with np.errstate(over="ignore"):
        array = np.array(value, dtype=np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{name}: contains NaN or infinity.")
    array.setflags(write=False)
    return array


def _covariance(value) -> np.ndarray:
    """A covariance (S, S) read-only float32, of one (S, S) or of variances (S,); what cannot be one raises InputError."""
    matrix = np.array(_frozen("covariance", value), dtype=np.float64)
    matrix = np.diag(matrix) if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or len(set(matrix.shape)) != 1 or not len(matrix):
        return _frozen("covariance", matrix)
    if (matrix.diagonal() < 0).any():
        raise InputError(f"covariance: has a negative variance ({matrix.diagonal().min():.3g}).")
    slack = ASYMMETRY * matrix.diagonal().max()
    if (off := np.abs(matrix - matrix.T).max()) > slack:
        raise InputError(f"covariance: not symmetric ({off:.3g} between an entry and its mirror image).")
    matrix = (matrix + matrix.T) / 2
    if (least := np.linalg.eigvalsh(matrix)[0]) < -slack:
        raise InputError(f"covariance: not positive semidefinite, some direction has the variance {least:.3g}.")
    return _frozen("covariance", matrix)


def _read(arrays: dict[str, np.ndarray], header: dict) -> dict:
    """blocks, state and uncertainty of a file, which holds nothing else."""
    blocks, state, told = {}, _state(arrays), header["uncertainty"]
    known = {f"state.{name}" for name in state}
    for name, one in header["blocks"].items():
        mean, covariance = f"block.{name}.mean", f"block.{name}.covariance"
        blocks[name] = Block(arrays[mean], arrays[covariance], one["basis"], one["sha256"])
        known |= {mean, covariance}
    if unknown := sorted({*arrays} - known):
        raise InputError(f"it holds {', '.join(unknown)[:80]}, which no block and no state names")
    return {"blocks": blocks, "state": state, "uncertainty": None if told is None else Uncertainty.from_json(told)}


def _read_old(arrays: dict[str, np.ndarray], header: dict) -> dict:
    """The same of the first schema: log-variances, covariance and skin tone among the state, one body for all blocks."""
    blocks, state = {}, _state(arrays)
    covariance, skin = state.pop("body_covariance", None), state.pop("skin_srgb", None)
    for key in arrays:
        if key.startswith("block.") and key.endswith(".mean"):
            name = key.split(".")[1]
            variances = np.exp(arrays[f"block.{name}.log_variance"])
            spread = covariance if name == "body" and covariance is not None else variances
            blocks[name] = Block(arrays[key], spread, name, header["body_sha256"])
    if skin is not None:
        blocks["skin"] = Block(skin, np.full(3, OLD_SKIN_SD**2), "srgb")
    return {"blocks": blocks, "state": state}


READERS = {SCHEMA: _read, OLD_SCHEMA: _read_old}


def _state(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {key.removeprefix("state."): x for key, x in arrays.items() if key.startswith("state.")}
