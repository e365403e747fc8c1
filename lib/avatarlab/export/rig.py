"""A person's body as glTF sees it: bind mesh, four weights a vertex, rest joints, facial actions, display rotations.

The bind pose is the T-pose, so animators find straight limbs, and node rotations give the display pose. glTF has no
pose correctives; the bind mesh carries those of the display pose, by inverting the skinning of the displayed body
with the very four weights that are exported. Measured on the open body, against its own posing (mm, mean and
largest): bind mesh without correctives 0.27 and 15.7 in A-pose, 1.19 and 59 over motion capture; as done here 0.00
and 0.0 in A-pose, 1.07 and 59 in motion. The price is the T-pose, whose shoulders are off by 0.28 and 16.8.
"""

from dataclasses import dataclass

import numpy as np
import roma
import torch

from avatarlab.body import poses
from avatarlab.core.errors import InputError
from avatarlab.export.lod import Lod
from avatarlab.render import vertex_normals

INFLUENCES = 4
"""All that glTF obliges a viewer to support (JOINTS_0, WEIGHTS_0)."""

DISPLAY_POSES = ("apose", "tpose", "photo")

_LARGEST_BIND_SHIFT = 0.04
"""Metres a display-pose corrective may move the bind mesh; beyond it (limbs folded double) the blend is near singular."""


@dataclass(frozen=True)
class Rig:
    """Arrays of one exportable person; K vertices, J joints, E facial actions; metres, y up, soles of the bind at y=0.

    positions, normals (K, 3); owners (K, 4) joint numbers and weights (K, 4), heaviest first, summing to 1;
    joints (J, 3) at rest; parents (J,); rotations (J, 3, 3) local, of the display pose; lift: metres added to the
    root joint's height so that the displayed body stands on y=0; morphs and morph_normals (E, K, 3) offsets;
    morph_weights (E,) displayed.
    """

    positions: np.ndarray
    normals: np.ndarray
    owners: np.ndarray
    weights: np.ndarray
    joints: np.ndarray
    parents: np.ndarray
    rotations: np.ndarray
    lift: float
    morphs: np.ndarray
    morph_normals: np.ndarray
    morph_weights: np.ndarray


def make_rig(body, person, lod: Lod, display_pose: str = "apose", arm_down_deg: float = 45.0) -> Rig:
    """Return the Rig of ``person`` on the vertices of ``lod``; bind mesh and normals come from the full body."""
    pose = display_rotvecs(person, display_pose, arm_down_deg)
    strengths = _shown_expression(person, display_pose, len(body.expression_names))
    return rig_for(body, person, lod, pose[None], strengths)


def rig_for(body, person, lod: Lod, poses: torch.Tensor, strengths: np.ndarray) -> Rig:
    """Return the Rig whose bind mesh serves ``poses`` (P, J, 3) rad best, one exactly; it shows the first of them.

    ``strengths`` (E,) are the facial actions on display.
    """
    rotations = roma.rotvec_to_rotmat(poses.double()).numpy()
    parents = np.asarray(body.parents)
    rest, joints, shown = _body_vertices(body, person, poses)
    owners, weights = heaviest(np.asarray(body.weights, dtype=np.float64)[: body.skin_count])
    transforms = [skinning_transforms(joints, parents, turns) for turns in rotations]
    bind = bind_vertices(rest, shown, owners, weights, transforms)
    morphs = _expression_offsets(body, person)
    normals = vertex_normals(torch.as_tensor(np.concatenate([bind[None], bind + morphs])), body.faces).numpy()
    normals = normals[:, lod.keep]
    ground = np.array([0, -rest[:, 1].min(), 0])
    lift = -skin(bind, owners, weights, transforms[0])[:, 1].min() - ground[1]
    return Rig(
        positions=bind[lod.keep] + ground,
        normals=normals[0],
        owners=owners[lod.keep],
        weights=weights[lod.keep],
        joints=joints + ground,
        parents=parents,
        rotations=rotations[0],
        lift=float(lift),
        morphs=morphs[:, lod.keep],
        morph_normals=normals[1:] - normals[0],
        morph_weights=strengths,
    )


def display_rotvecs(person, display_pose: str, arm_down_deg: float) -> torch.Tensor:
    """Return the display pose as axis-angle (J, 3) radians: 'apose', 'tpose' or 'photo' (the fitted pose)."""
    if display_pose not in DISPLAY_POSES:
        raise InputError(f"display_pose: got {display_pose!r}, expected one of {', '.join(DISPLAY_POSES)}.")
    if display_pose == "apose":
        return poses.apose(arm_down_deg)
    if display_pose == "tpose":
        return poses.tpose()
    if "pose" not in person.state:
        raise InputError("display_pose: 'photo' needs a fitted pose, but this person has none; use 'apose'.")
    return torch.tensor(np.asarray(person.state["pose"]), dtype=torch.float32)


def heaviest(weights: np.ndarray, count: int = INFLUENCES) -> tuple[np.ndarray, np.ndarray]:
    """Skin weights (V, J) -> joint numbers (V, count) and weights (V, count), heaviest first, renormalised to sum 1.

    Unused positions hold joint 0 with weight 0, as glTF 2.0 section 3.7.3.3 recommends.
    """
    owners = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    kept = np.take_along_axis(weights, owners, axis=1)
    kept = np.where(kept > 1e-4, kept, 0)
    return np.where(kept > 0, owners, 0), kept / kept.sum(axis=1, keepdims=True)


def skinning_transforms(joints: np.ndarray, parents: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Rest joints (J, 3) and local rotations (J, 3, 3) -> transforms (J, 3, 4) from the bind pose to the posed one."""
    world, origin = np.empty_like(rotations), np.empty_like(joints)
    for j, p in enumerate(parents):
        if p < 0:
            world[j], origin[j] = rotations[j], joints[j]
        else:
            world[j], origin[j] = world[p] @ rotations[j], origin[p] + world[p] @ (joints[j] - joints[p])
    offset = origin - np.einsum("jab,jb->ja", world, joints)
    return np.concatenate([world, offset[:, :, None]], axis=2)


def skin(vertices: np.ndarray, owners: np.ndarray, weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Pose vertices (V, 3) in metres as a glTF viewer does: linear blend of transforms (J, 3, 4)."""
    blend = np.einsum("vk,vkab->vab", weights, transforms[owners])
    return np.einsum("vab,vb->va", blend[:, :, :3], vertices) + blend[:, :, 3]


def bind_vertices(rest, shown, owners, weights, transforms) -> np.ndarray:
    """Return the bind mesh (V, 3) whose skinning by P ``transforms`` (P, J, 3, 4) is nearest to ``shown`` (P, V, 3).

    One pose is met exactly, several in the least squares. Where inverting the blend would move a vertex more than
    4 cm from the T-pose ``rest`` (near-singular blends inside deep folds), the move is cut to 4 cm, and the displayed
    vertex is off by what is missing.
    """
    blends = (np.einsum("vk,vkab->vab", weights, moves[owners]) for moves in transforms)
    if len(shown) == 1:
        (blend,) = blends
        matrix, expected = blend[:, :, :3], shown[0] - blend[:, :, 3]
    else:
        matrix, expected = np.zeros((len(rest), 3, 3)), np.zeros((len(rest), 3))
        for blend, target in zip(blends, shown, strict=True):
            matrix += blend[:, :, :3].swapaxes(1, 2) @ blend[:, :, :3]
            expected += np.einsum("vab,va->vb", blend[:, :, :3], target - blend[:, :, 3])
    bind = np.linalg.solve(matrix, expected[:, :, None])[:, :, 0]
    move = bind - rest
    length = np.linalg.norm(move, axis=1, keepdims=True)
    return rest + move * np.minimum(1, _LARGEST_BIND_SHIFT / np.maximum(length, 1e-12))


def _body_vertices(body, person, poses: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skin vertices (S, 3) at rest, joints (J, 3) at rest, skin vertices (P, S, 3) in ``poses``; m, no translation."""
    with torch.no_grad():
        betas = person.betas()
        rest = body(betas=betas, pose=torch.zeros_like(poses[0]))
        shown = np.stack([body(betas=betas, pose=pose).vertices[: body.skin_count].double() for pose in poses])
    return rest.vertices[: body.skin_count].double().numpy(), rest.joints.double().numpy(), shown


def _expression_offsets(body, person) -> np.ndarray:
    """Offsets (E, S, 3) in metres of each facial action at full strength, at rest."""
    with torch.no_grad():
        moved = body(betas=person.betas(), expression=torch.eye(len(body.expression_names))).vertices
        still = body(betas=person.betas()).vertices
    return (moved - still)[:, : body.skin_count].double().numpy()


def _shown_expression(person, display_pose: str, count: int) -> np.ndarray:
    """Strengths (count,) of the facial actions on display: the fitted ones in pose 'photo', else none."""
    fitted = np.zeros(count)
    if display_pose == "photo" and "expression" in person.state:
        given = np.asarray(person.state["expression"], dtype=np.float64).ravel()[:count]
        fitted[: len(given)] = given
    return fitted
