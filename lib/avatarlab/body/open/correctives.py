"""Pose correctives: what SMPL-X's merged joints need added to follow Anny's 163 bones.

Anny blends its bones from a rest pose with raised arms, SMPL-X its joints from the T-pose; where skin hangs on several
joints the two differ by centimetres (collar, shoulder, spine, toes). The difference is almost linear in SMPL-X's pose
features vec(R_j - I), so it is solved for in posed space by least squares over random poses.
"""

import numpy as np
import roma
import torch

from avatarlab.body.layout import JOINT_NAMES, PARENTS
from avatarlab.body.open.rig import TPose, entry_bones, walk
from avatarlab.body.open.source import AnnySource

POSE_SPREAD = {
    "hip": ((-0.39, 0.0, 0.0), (0.50, 0.25, 0.25)),
    "knee": ((0.70, 0.0, 0.0), (0.55, 0.05, 0.05)),
    "ankle": ((-0.25, 0.0, 0.0), (0.30, 0.20, 0.25)),
    "foot": ((-0.06, 0.0, 0.0), (0.30, 0.15, 0.10)),
    "collar": ((0.0, 0.0, 0.0), (0.15, 0.20, 0.20)),
    "shoulder": ((0.10, -0.60, -0.95), (0.60, 0.55, 0.65)),
    "elbow": ((0.0, -0.70, 0.35), (0.15, 0.60, 0.35)),
    "wrist": ((0.0, 0.10, 0.37), (0.55, 0.40, 0.30)),
    "finger": ((0.0, 0.0, -0.25), (0.10, 0.10, 0.35)),
    "spine1": ((0.24, 0.0, 0.0), (0.35, 0.15, 0.15)),
    "spine2": ((0.06, 0.0, 0.0), (0.15, 0.12, 0.10)),
    "spine3": ((-0.06, 0.0, 0.0), (0.15, 0.12, 0.10)),
    "neck": ((-0.15, 0.0, 0.0), (0.25, 0.20, 0.20)),
    "head": ((0.31, 0.0, 0.0), (0.40, 0.30, 0.25)),
    "jaw": ((0.10, 0.0, 0.0), (0.15, 0.05, 0.05)),
}
"""Mean and standard deviation of left-side axis-angles, rad: rounded statistics of 43 minutes of CMU and HDM05 motion
(arms mostly down), widened a little; collars, fingers and jaw, which those recordings lack, by judgement."""

RIDGE = 0.05
LEAST_RESIDUAL = 1e-5  # metres rms; below it a vertex needs no corrective


def random_rotations(count: int, seed: int) -> np.ndarray:
    """Return ``count`` plausible poses as local rotations (count, 55, 3, 3), the root upright."""
    return roma.rotvec_to_rotmat(torch.from_numpy(random_poses(count, seed))).numpy()


def random_poses(count: int, seed: int) -> np.ndarray:
    """Return ``count`` plausible poses (count, 55, 3) axis-angle, rad, left and right alike in distribution."""
    rng = np.random.default_rng(seed)
    poses = np.zeros((count, len(JOINT_NAMES), 3))
    for j, name in enumerate(JOINT_NAMES):
        side, _, joint = name.rpartition("_")
        key = "finger" if joint[-1].isdigit() and side in ("left", "right") else joint if side else name
        if key in POSE_SPREAD:
            mean, std = np.array(POSE_SPREAD[key])
            mirror = [1, -1, -1] if side == "right" else [1, 1, 1]
            poses[:, j] = (mean + std * rng.standard_normal((count, 3))) * mirror
    return poses


def global_rotations(rotations: np.ndarray) -> np.ndarray:
    """Return world rotations (..., 55, 3, 3) of local ones."""
    world = np.array(rotations)
    for j, p in enumerate(PARENTS):
        if p >= 0:
            world[..., j, :, :] = world[..., p, :, :] @ rotations[..., j, :, :]
    return world


def bone_entries(source: AnnySource) -> np.ndarray:
    """Return for each bone the joint whose local rotation enters there, or -1; each foot's enters at all five toes."""
    entries = np.full(len(source.bones), -1)
    entries[entry_bones(source.bones)] = np.arange(len(JOINT_NAMES))
    for side in ("left", "right"):
        for toe in (1, 2, 3, 4, 5):
            entries[source.bones.index(f"toe{toe}-1.{side[0].upper()}")] = JOINT_NAMES.index(f"{side}_foot")
    return entries


def bone_rotations(source: AnnySource, rotations: np.ndarray) -> np.ndarray:
    """Return each bone's world rotation from the T-pose (B, 3, 3) for local joint rotations (55, 3, 3)."""
    world = np.tile(np.eye(3), (len(source.bones), 1, 1))
    for b, (parent, joint) in enumerate(zip(source.bone_parents, bone_entries(source), strict=True)):
        above = world[parent] if parent >= 0 else np.eye(3)
        world[b] = above @ rotations[joint] if joint >= 0 else above
    return world


class Deformers:
    """Anny's own deformation and SMPL-X's, of one shape, for the same joint rotations; pelvis at the origin."""

    def __init__(self, source: AnnySource, pose: TPose, coefficients: np.ndarray):
        self.source, self.pose = source, pose
        rest, heads, _ = source.rest(coefficients)
        self.bone_heads = walk(source.bone_parents, pose.rotations, heads)
        from_head = np.einsum("bij,vbj->vbi", pose.rotations, rest[:, None] - heads[None])
        self.weighted = source.weights[..., None] * from_head  # (V, B, 3)
        self.vertices, self.joints = pose.at(coefficients)

    def anny(self, rotations: np.ndarray) -> np.ndarray:
        """Return Anny's posed vertices (V, 3)."""
        world = bone_rotations(self.source, rotations)
        heads = walk(self.source.bone_parents, world, self.bone_heads)
        posed = np.tensordot(self.weighted, world, ((1, 2), (0, 2))) + self.source.weights @ heads
        return posed - heads[entry_bones(self.source.bones)[0]] + self._pelvis_shift(world)

    def _pelvis_shift(self, world: np.ndarray) -> np.ndarray:
        """Anny turns about its root, SMPL-X about the pelvis joint: return root - pelvis after posing."""
        pelvis, root = self.source.bones.index("spine04"), self.source.bones.index("root")
        return -world[root] @ (self.bone_heads[pelvis] - self.bone_heads[root])

    def smplx(self, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return plain linear blend skinning (V, 3) without correctives, and the blended rotations (V, 3, 3)."""
        world = global_rotations(rotations)
        joints = walk(PARENTS, world, self.joints)
        blend = np.tensordot(self.pose.weights, world, 1)
        shift = self.pose.weights @ (joints - np.einsum("jab,jb->ja", world, self.joints))
        return np.einsum("vij,vj->vi", blend, self.vertices) + shift, blend


def disagreement(deformers: Deformers, posedirs: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Return distances (N, V) in metres between Anny and SMPL-X skinning with ``posedirs`` (V, 3, 486) over poses
    (N, 55, 3, 3)."""
    found = []
    for rotation in rotations:
        skinned, blend = deformers.smplx(rotation)
        offsets = posedirs @ (rotation[1:] - np.eye(3)).reshape(-1)
        found.append(skinned + np.einsum("vij,vj->vi", blend, offsets) - deformers.anny(rotation))
    return np.linalg.norm(found, axis=-1)


def relevant_joints(weights: np.ndarray) -> list[frozenset[int]]:
    """Return per vertex the joints whose rotations bend it: those on the paths between the joints it hangs on.

    Toe vertices also get their foot joint, because Anny turns each toe about its own head.
    """
    feet = {JOINT_NAMES.index("left_foot"), JOINT_NAMES.index("right_foot")}
    chains = [_chain(j) for j in range(len(PARENTS))]
    found = []
    for row in weights:
        hung = np.flatnonzero(row > 1e-6)
        common = set.intersection(*(set(chains[j]) for j in hung))
        found.append(frozenset(set().union(*(chains[j] for j in hung)) - common | feet & set(hung)))
    return found


def _chain(joint: int) -> list[int]:
    chain = []
    while joint >= 0:
        chain.append(joint)
        joint = PARENTS[joint]
    return chain


def solve(
    source: AnnySource, pose: TPose, coefficients: np.ndarray, count: int = 300, seed: int = 0
) -> np.ndarray:
    """Return posedirs (V, 3, 486) in metres that bring SMPL-X skinning onto Anny's at one shape."""
    deformers = Deformers(source, pose, coefficients)
    rotations = random_rotations(count, seed)
    sets = relevant_joints(pose.weights)
    active = np.flatnonzero([bool(s) for s in sets])
    residual = np.empty((count, len(active), 3))
    blend = np.empty((count, len(active), 3, 3))
    for p, rotation in enumerate(rotations):
        skinned, blended = deformers.smplx(rotation)
        residual[p], blend[p] = (deformers.anny(rotation) - skinned)[active], blended[active]
    features = (rotations - np.eye(3)).reshape(count, -1)
    posedirs = np.zeros((len(sets), 3, 9 * (len(PARENTS) - 1)))
    worth = np.sqrt((residual**2).sum(2).mean(0)) > LEAST_RESIDUAL
    for joints in set(sets[v] for v in active[worth]):
        members = np.flatnonzero([sets[v] == joints for v in active] & worth)
        columns = np.concatenate([np.arange(9 * j, 9 * j + 9) for j in sorted(joints)])
        solved = _least_squares(blend[:, members], features[:, columns], residual[:, members])
        posedirs[active[members][:, None, None], np.arange(3)[:, None], columns - 9] = solved
    return posedirs


def _least_squares(blend: np.ndarray, features: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Solve blend_p @ X @ features_p = residual_p for X (M, 3, n) per vertex, ridge-damped; blend (P, M, 3, 3)."""
    m, n = blend.shape[1], features.shape[1]
    gram = np.einsum("pmba,pmbc->pmac", blend, blend)
    outer = np.einsum("pi,pj->pij", features, features)
    normal = np.tensordot(gram, outer, ((0,), (0,))).transpose(0, 1, 3, 2, 4).reshape(m, 3 * n, 3 * n)
    right = np.einsum("pmba,pmb,pi->mai", blend, residual, features).reshape(m, 3 * n, 1)
    return np.linalg.solve(normal + RIDGE * np.eye(3 * n), right).reshape(m, 3, n)
