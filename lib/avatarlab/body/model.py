"""``Body``: a file of SMPL-X layout, loaded and posed by our own differentiable forward pass."""

import logging
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import roma
import torch
from torch import Tensor, nn

from avatarlab import ROOT
from avatarlab.body import smplx_file
from avatarlab.body.layout import JOINT_NAMES, LANDMARKS, PARENTS, PARTS, parts_from_weights
from avatarlab.body.skinning import KinematicChain, Offsets, Points, Skin
from avatarlab.core.errors import InputError
from avatarlab.core.files import sha256
from avatarlab.core.shapes import expect
from avatarlab.core.subject import SEXES

log = logging.getLogger(__name__)

OPEN_BODY = ROOT / "models" / "pretrained" / "smplx_open.npz"
"""The published open body: the same on every machine. Stage ``10_body`` makes it anew and compares."""
LICENSED = ROOT / "models" / "licensed"
PLAIN_PRIOR = 10
"""Shape components of the prior N(0, I) when a file has none of its own: SMPL-X's first ten are whitened scores."""
SUBSETS_KEPT = 4


class Posed(NamedTuple):
    """A posed body: vertices (..., V, 3) and joints (..., 55, 3) in metres."""

    vertices: Tensor
    joints: Tensor


class Body(nn.Module):
    """A body of SMPL-X layout: T-pose facing +z, y up, left = +x, metres and radians. Moves with ``.to(device)``.

    Attributes: template (V, 3) m, faces (F, 3), weights (V, 55), joint_regressor (55, V), part (V,) labels into
    ``parts``, uv (T, 2), uv_faces (F, 3), parents (55,), joint_names, landmarks (name -> vertex), expression_names,
    skin_count (vertices from here on are joint markers that no face uses), header, sha256 of the file, bases: sha256 by
    name of what coefficients and vertex numbers refer to (``smplx_file.bases``).
    """

    joint_names = JOINT_NAMES

    def __init__(self, arrays: dict[str, np.ndarray], header: dict | None = None, sha256: str = ""):
        """arrays as in the file (see ``smplx_file.REQUIRED`` and ``OPTIONAL``), already read and checked."""
        super().__init__()
        self.header, self.sha256, self.bases = header or {}, sha256, smplx_file.bases(arrays)
        count = len(arrays["v_template"])
        self.skin_count = self.header.get("skin_vertices", count)
        self.landmarks = dict(self.header.get("landmarks", {k: v for k, v in LANDMARKS.items() if v < count}))
        self._read_surface(arrays)
        self._read_labels(arrays)
        self._read_prior(arrays)
        self._read_skin(arrays)
        self._chain = KinematicChain(PARENTS)
        self._subsets: dict[bytes, Skin] = {}

    @classmethod
    def load(cls, path: str | Path | None = None) -> "Body":
        """Load a body file; any trouble with it raises InputError.

        Search order: ``path``; the environment variable AVATARLAB_BODY; ``models/licensed/smplx*.npz`` (a NEUTRAL
        one first, then by name); ``models/pretrained/smplx_open.npz``, the published open body.
        """
        path = find(path)
        arrays, header = smplx_file.read(path)
        log.info("body: %s", path)
        return cls(arrays, header, sha256(path))

    def _read_surface(self, arrays: dict[str, np.ndarray]) -> None:
        uv, uv_faces = arrays.get("vt", np.zeros((0, 2))), arrays.get("ft", np.zeros((0, 3)))
        floats = {"template": arrays["v_template"], "weights": arrays["weights"], "uv": uv}
        for name, array in (*floats.items(), ("joint_regressor", arrays["J_regressor"])):
            self.register_buffer(name, torch.from_numpy(array.astype(np.float32)))
        for name, array in (("faces", arrays["f"]), ("uv_faces", uv_faces), ("parents", np.array(PARENTS))):
            self.register_buffer(name, torch.from_numpy(array.astype(np.int64)))

    def _read_labels(self, arrays: dict[str, np.ndarray]) -> None:
        labelled = "part" in arrays and "parts" in self.header
        self.parts = tuple(self.header["parts"]) if labelled else PARTS
        part = arrays["part"] if labelled else parts_from_weights(arrays["weights"])
        self.register_buffer("part", torch.from_numpy(part.astype(np.int64)))

    def _read_prior(self, arrays: dict[str, np.ndarray]) -> None:
        for sex in SEXES[:2]:
            mean = arrays.get(f"shape_mean_{sex}", np.zeros(PLAIN_PRIOR))
            cov = arrays.get(f"shape_cov_{sex}", np.eye(len(mean)))
            self.register_buffer(f"_shape_mean_{sex}", torch.from_numpy(mean.astype(np.float32)))
            self.register_buffer(f"_shape_cov_{sex}", torch.from_numpy(cov.astype(np.float32)))

    def _read_skin(self, arrays: dict[str, np.ndarray]) -> None:
        directions = arrays["shapedirs"].astype(np.float32, copy=False)
        self.beta_slots, self.expression_slots = smplx_file.slots(directions.shape[2])
        shape, expression = (Offsets.of(d) for d in np.split(directions, [self.beta_slots], axis=2))
        plain = [f"expression_{k:02d}" for k in range(self.expression_slots)]
        self.expression_names = tuple(self.header.get("expression_names", plain))
        points = Points(self.template.T.contiguous(), shape, expression)
        correctives = Offsets.of(arrays["posedirs"].astype(np.float32, copy=False))
        self._skin = Skin(points, correctives, self.weights.T.contiguous())
        self._joints = points.through(self.joint_regressor)

    def shape_prior(self, sex: str = "unknown") -> tuple[Tensor, Tensor]:
        """Return mean (S,) and covariance (S, S) of the first S shape components (48 on the open body).

        ``unknown`` has the moments of an equal mixture of both sexes. A file without priors gets N(0, I) over 10.
        """
        if sex not in SEXES:
            raise InputError(f"sex: got {sex!r}, expected one of {', '.join(SEXES)}.")
        if sex != "unknown":
            return getattr(self, f"_shape_mean_{sex}"), getattr(self, f"_shape_cov_{sex}")
        (male, male_cov), (female, female_cov) = self.shape_prior("male"), self.shape_prior("female")
        half = (male - female) / 2
        return (male + female) / 2, (male_cov + female_cov) / 2 + torch.outer(half, half)

    def forward(self, betas=None, pose=None, expression=None, transl=None, vertices=None, rotations=None) -> Posed:
        """Pose the body; leading dimensions ``...`` broadcast, all arguments may be left out (T-pose, mean shape).

        betas (..., B), B <= 300; pose (..., 55, 3) axis-angle rad, fingers, jaw and eyes included, zero = flat hand,
        or rotations (..., 55, 3, 3); expression (..., E), E <= 100; transl (..., 3) m; vertices (K,) numbers, for
        those alone. Returns vertices (..., V or K, 3) and joints (..., 55, 3) in metres.
        """
        given = _Given(self, betas, pose, expression, transl, rotations)
        moved, joints = self._transforms(given)
        skin = self._skin if vertices is None else self._subset(vertices)
        rest = skin.points.rest(given.betas, given.expression)
        positions = skin.posed(rest, given.rotations, moved).mT
        return Posed(given.out(positions), given.out(joints))

    def joints_only(self, betas=None, pose=None, expression=None, transl=None, rotations=None) -> Tensor:
        """Return the joints (..., 55, 3) in metres that ``forward`` gives, without touching the skin."""
        given = _Given(self, betas, pose, expression, transl, rotations)
        return given.out(self._transforms(given)[1])

    def _transforms(self, given: "_Given") -> tuple[Tensor, Tensor]:
        """-> transforms from T-pose to posed space (N, 55, 3, 4), joints (N, 55, 3), both before transl."""
        rest = self._joints.rest(given.betas, given.expression).mT
        turns, joints = self._chain(given.rotations, rest)
        shift = joints[..., None] - turns @ rest[..., None]
        return torch.cat([turns.expand(len(shift), -1, -1, -1), shift], dim=3), joints

    def _subset(self, vertices) -> Skin:
        """The skin of ``vertices`` (K,); the last few are kept, because fits ask for the same ones each step."""
        chosen = torch.as_tensor(vertices, dtype=torch.long, device=self.template.device)
        expect("vertices", chosen, ("K",))
        key = chosen.cpu().numpy().tobytes()
        if key not in self._subsets:
            if len(self._subsets) == SUBSETS_KEPT:
                self._subsets.pop(next(iter(self._subsets)))
            self._subsets[key] = self._skin.only(chosen)
        return self._subsets[key]

    def _apply(self, *args, **kwargs):
        self._subsets.clear()
        return super()._apply(*args, **kwargs)


class _Given:
    """The arguments of one forward pass with leading dimensions flattened: N rows, or 1 where all bodies share."""

    def __init__(self, body: Body, betas, pose, expression, transl, rotations):
        like = {"dtype": body.template.dtype, "device": body.template.device}
        inputs = {"betas": betas, "pose": pose, "expression": expression, "transl": transl, "rotations": rotations}
        tensors = {k: torch.as_tensor(x, **like) for k, x in inputs.items() if x is not None}
        if pose is not None and rotations is not None:
            raise ValueError("pose, rotations: both given, expected one of them.")
        tails = {"betas": ("B",), "pose": (55, 3), "expression": ("E",), "transl": (3,), "rotations": (55, 3, 3)}
        for name, x in tensors.items():
            expect(name, x, (..., *tails[name]))
        for name, slots in (("betas", body.beta_slots), ("expression", body.expression_slots)):
            if name in tensors and tensors[name].shape[-1] > slots:
                raise ValueError(f"{name}: got {tensors[name].shape[-1]} components, expected at most {slots}.")
        leads = {name: x.shape[: x.ndim - len(tails[name])] for name, x in tensors.items()}
        self.batch = torch.broadcast_shapes(*leads.values()) if leads else torch.Size()
        for name in inputs:
            value = self._rows(tensors[name], leads[name]) if name in tensors else None
            setattr(self, name, value)
        if self.rotations is None:
            still = torch.zeros(1, 55, 3, **like)
            self.rotations = roma.rotvec_to_rotmat(still if self.pose is None else self.pose)

    def _rows(self, x: Tensor, lead: torch.Size) -> Tensor:
        tail = x.shape[len(lead) :]
        wide = x if lead.numel() == 1 else x.expand(*self.batch, *tail)
        return wide.reshape(-1, *tail)

    def out(self, points: Tensor) -> Tensor:
        """points (N or 1, K, 3) before transl -> (..., K, 3)."""
        points = points if self.transl is None else points + self.transl[:, None]
        return points.expand(self.batch.numel(), -1, -1).reshape(*self.batch, *points.shape[1:]).contiguous()


def find(path: str | Path | None = None) -> Path:
    """Return the body file that ``Body.load`` opens, or raise InputError saying where it looked."""
    if path is None:
        path = os.environ.get("AVATARLAB_BODY") or None
    if path is not None:
        return Path(path)
    licensed = sorted(
        LICENSED.glob("[sS][mM][pP][lL][xX]*.npz"), key=lambda p: ("NEUTRAL" not in p.name.upper(), p)
    )
    found = [p for p in (*licensed, OPEN_BODY) if p.is_file()]
    if not found:
        raise InputError(
            f"{OPEN_BODY}: no such file; it is part of every checkout (git checkout models/pretrained), or name a body file."
        )
    return found[0]
