"""``Participant``: a person whose tapes are known, posed and seen by cameras; many of them in one file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz, write_npz
from avatarlab.measure import MEASURES
from avatarlab.render import Camera

SCHEMA = "avatarlab.participants/1"
SPLITS = ("train", "calibration", "test")
DIMENSIONS = (
    *("chestbreadth", "waistbreadth", "hipbreadth", "bideltoidbreadth"),
    *("chestdepth", "waistdepth", "buttockdepth"),
)
"""What is kept of the matched mesh besides its tapes: ANSUR II columns that an outline shows."""
STEP_M = 5e-5
"""Vertices are kept in steps of this size: a twentieth of a millimetre, 16 bits reach 1.6 m."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """A person before a camera: skin ``vertices`` (V, 3) in the body file's order and ``joints`` (55, 3), m, y up,
    pelvis joint at the origin; ``pose`` (55, 3) rad by which Anny was posed; the world of ``camera`` is the body's."""

    vertices: torch.Tensor
    joints: torch.Tensor
    pose: torch.Tensor
    camera: Camera


@dataclass(frozen=True, eq=False)
class Participant:
    """A person of the benchmark, metres and kilograms.

    truth_m: the 16 tapes of the real row, biceps and forearm relaxed; row: all 43 columns of ``measure.survey``, as
    surveyed (biceps and forearm flexed); mesh_m: the 16 girths and lengths of the matched mesh, standing, and
    mesh_dimensions_m its DIMENSIONS (none in a file that has none); betas (S,): the nearest body in the open body's
    components, for training alone. shots: ``front``, ``side`` with the arms where they were asked to be,
    ``side_arms`` with arms over the trunk.
    """

    id: str
    split: str
    sex: str
    stature_m: float
    weight_kg: float
    truth_m: dict[str, float]
    row: dict[str, float]
    mesh_m: dict[str, float]
    mesh_dimensions_m: dict[str, float]
    betas: torch.Tensor
    shots: dict[str, Sighting]


@dataclass(frozen=True, eq=False)
class Participants:
    """N participants as arrays, each made into a ``Participant`` when asked for; ``source`` says whose rows they are.

    ``arrays``: id, split, sex (N,) text; row (N, 43), truth, mesh (N, 16), mesh_dimensions (N, 7), betas (N, S); of S' shots
    vertices (N, S', V, 3) int16 in steps of STEP_M, joints, pose (N, S', 55, 3), viewmat (N, S', 4, 4), K (N, S', 3, 3), size (N, S', 2).
    """

    source: str
    columns: tuple[str, ...]
    views: tuple[str, ...]
    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.arrays["id"])

    def __getitem__(self, number: int) -> Participant:
        at = {name: array[number] for name, array in self.arrays.items()}
        row = dict(zip(self.columns, at["row"].tolist(), strict=True))
        truth, mesh = (dict(zip(MEASURES, at[name].tolist(), strict=True)) for name in ("truth", "mesh"))
        outline = dict(zip(DIMENSIONS, at.get("mesh_dimensions", np.empty(0)).tolist(), strict=False))
        shots = {view: _sighting(at, k) for k, view in enumerate(self.views)}
        return Participant(
            str(at["id"]), str(at["split"]), str(at["sex"]), row["stature"], row["weight"],
            truth, row, mesh, outline, torch.from_numpy(at["betas"]), shots,
        )  # fmt: skip

    def __iter__(self) -> Iterator[Participant]:
        return (self[number] for number in range(len(self)))

    def of(self, split: str, sex: str | None = None) -> "Participants":
        """Return those of one split, and of one sex if given."""
        if split not in SPLITS:
            raise InputError(f"split: got {split!r}, expected one of {', '.join(SPLITS)}.")
        chosen = self.arrays["split"] == split
        return self.some(np.flatnonzero(chosen & ((self.arrays["sex"] == sex) | (sex is None))))

    def some(self, numbers) -> "Participants":
        """Return those with the given numbers (K,), in that order."""
        picked = {name: array[numbers] for name, array in self.arrays.items()}
        return Participants(self.source, self.columns, self.views, picked)

    def save(self, path: str | Path) -> None:
        """Write one npz; equal people give equal bytes."""
        header = {"schema": SCHEMA, "source": self.source, "columns": self.columns, "views": self.views}
        write_npz(path, self.arrays, header)

    @staticmethod
    def load(path: str | Path) -> "Participants":
        """Read what ``save`` wrote; anything else raises InputError."""
        arrays, header = read_npz(path)
        if header.get("schema") != SCHEMA:
            raise InputError(f"{path}: schema {header.get('schema')!r} is not {SCHEMA!r}; run stage 11_people.")
        return Participants(header["source"], tuple(header["columns"]), tuple(header["views"]), arrays)


def _sighting(at: dict[str, np.ndarray], k: int) -> Sighting:
    width, height = at["size"][k].tolist()
    camera = Camera(torch.from_numpy(at["viewmat"][k]), torch.from_numpy(at["K"][k]), width, height)
    vertices = torch.from_numpy(at["vertices"][k].astype(np.float32) * np.float32(STEP_M))
    return Sighting(vertices, torch.from_numpy(at["joints"][k]), torch.from_numpy(at["pose"][k]), camera)
