"""All bodies that Anny's phenotypes and local changes can make, in one pose, as few linear modes and their joints.

Anny has 676 phenotype blendshapes, but adults of all builds span a small part of what they can do; the modes that
sampled parameters reach keep every vertex within a tenth of a millimetre and make solving for tape measures cheap.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import roma
import torch

from avatarlab.body.layout import PARENTS
from avatarlab.body.open.correctives import global_rotations
from avatarlab.body.open.rig import TPose, walk
from avatarlab.body.open.source import PHENOTYPES, AnnySource
from avatarlab.body.open.vertex_order import permutation

MODES = 120
SAMPLES = 900
REACH = {"gender": (0, 1), "age": (0.5, 0.9), "muscle": (-0.2, 1.3), "weight": (0.1, 1.6), "height": (0.1, 0.8)}
"""Ranges of the sampled phenotypes; the others span (-0.3, 1.2), local changes (-1.3, 1.3)."""
STEP = 1e-3


@dataclass(frozen=True, eq=False)
class Family:
    """T-pose bodies as ``base + z @ modes``; points are the V skin vertices in file order, then the 55 joints.

    ``base`` (V + 55, 3) and ``modes`` (M, V + 55, 3) in metres, float64, pelvis at the origin; ``project`` (K, M) takes
    Anny's blendshape coefficients, made by ``source.coefficients``, to z.
    """

    source: AnnySource
    base: torch.Tensor
    modes: torch.Tensor
    project: torch.Tensor

    def coordinates(self, theta: torch.Tensor) -> torch.Tensor:
        """Return z (N, M) of parameters theta (N, P)."""
        return self.source.coefficients(theta) @ self.project

    def jacobian(self, theta: torch.Tensor) -> torch.Tensor:
        """Return dz/dtheta (N, M, P): central differences for phenotypes; local changes are linear on each side of 0."""
        count, width = len(theta), len(PHENOTYPES)
        steps = STEP * torch.eye(theta.shape[1], dtype=torch.float64)[:width]
        around = torch.cat([theta[:, None] + steps, theta[:, None] - steps], 1)
        z = self.source.coefficients(around.flatten(0, 1)).view(count, 2, width, -1) @ self.project
        curved = (z[:, 0] - z[:, 1]) / (2 * STEP)
        straight = torch.where((theta[:, width:] >= 0)[..., None], *self._local_slopes())
        return torch.cat([curved, straight], 1).mT

    @cache  # noqa: B019  (one Family lives as long as the stage)
    def _local_slopes(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return dz/dlocal (L, M) for positive and for negative values."""
        rest = torch.zeros(1, len(self.source.parameters), dtype=torch.float64)
        units = torch.eye(rest.shape[1], dtype=torch.float64)[len(PHENOTYPES) :]
        plus, minus, zero = (self.source.coefficients(x) @ self.project for x in (units, -units, rest))
        return plus - zero, zero - minus

    def points(self, theta: torch.Tensor) -> torch.Tensor:
        """Return T-pose vertices and joints (N, V + 55, 3) in metres."""
        return self.base + torch.tensordot(self.coordinates(theta), self.modes, 1)


def family(source: AnnySource, pose: TPose, seed: int = 0) -> Family:
    """Reduce Anny's blendshapes to the modes that bodies of all builds use."""
    coefficients = source.coefficients(_spread(source, seed)).numpy()
    order = permutation(source.vertices)
    shapes = np.concatenate([pose.vertex_shapes[:, order], pose.joint_shapes], 1).reshape(len(coefficients[0]), -1)
    gram = shapes @ shapes.T  # metric of coefficients: squared vertex distance
    mean = coefficients.mean(0)
    # Modes maximise the spread of vertices over the samples: eigenvectors of C G, symmetrised through G's root.
    values, vectors = np.linalg.eigh(gram)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    spread = (coefficients - mean) @ root
    _, _, directions = np.linalg.svd(spread, full_matrices=False)
    project = root @ directions[:MODES].T
    inverse = np.linalg.lstsq(root.T, directions[:MODES].T, rcond=1e-9)[0].T
    modes = (inverse @ shapes).reshape(MODES, -1, 3)
    base = np.concatenate([pose.vertices[order], pose.joints])
    offset = mean - (mean @ project) @ inverse
    base = base + np.tensordot(offset, shapes, 1).reshape(base.shape)
    return Family(source, *(torch.from_numpy(array) for array in (base, modes, project)))


def _spread(source: AnnySource, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    theta = rng.uniform(-1.3, 1.3, (SAMPLES, len(source.parameters)))
    for k, name in enumerate(PHENOTYPES):
        theta[:, k] = rng.uniform(*REACH.get(name, (-0.3, 1.2)), SAMPLES)
    theta[:, 0] = np.arange(SAMPLES) % 2
    return torch.from_numpy(theta)


def rotations_of(pose: torch.Tensor) -> np.ndarray:
    """Axis-angle (55, 3) in rad -> local rotations (55, 3, 3)."""
    return roma.rotvec_to_rotmat(pose.double()).numpy()


def posed(points: torch.Tensor, weights: np.ndarray, posedirs: np.ndarray, rotations: np.ndarray) -> torch.Tensor:
    """Skin T-pose bodies (..., V + 55, 3) into one pose: local rotations (55, 3, 3), weights (V + 55, 55) and posedirs
    (V + 55, 3, 486) as in the body file. Linear in the bodies up to a constant, so modes go through ``moved`` alike."""
    return moved(points, weights, rotations) + torch.from_numpy(_corrective(weights, posedirs, rotations))


def moved(points: torch.Tensor, weights: np.ndarray, rotations: np.ndarray) -> torch.Tensor:
    """The linear part of ``posed``: no correctives."""
    world = global_rotations(rotations)
    joints = points[..., -len(PARENTS) :, :].numpy()
    shift = walk(PARENTS, world, joints) - np.einsum("jab,...jb->...ja", world, joints)
    blend = torch.from_numpy(np.tensordot(weights, world, 1))
    turned = torch.einsum("vij,...vj->...vi", blend, points)
    return turned + torch.from_numpy(weights @ shift)


def _corrective(weights: np.ndarray, posedirs: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    features = (rotations[1:] - np.eye(3)).reshape(-1)
    offsets = posedirs.astype(np.float64) @ features
    return np.einsum("vij,vj->vi", np.tensordot(weights, global_rotations(rotations), 1), offsets)
