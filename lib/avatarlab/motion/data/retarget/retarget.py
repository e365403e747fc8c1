"""From a recording's skeleton to the 22 joints of our body: rotations carried over, legs scaled, y up to z up.

Every joint turns in the world as the recording's does, after the small constant turn A that lays our bone at rest on
the recording's at rest: G_ours = G_theirs A. Then our limbs point where theirs point, whatever the two rests are.
"""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from avatarlab.core.errors import InputError
from avatarlab.motion.data.retarget.tables import SPINE, Table, table_for
from avatarlab.motion.formats.recording import Recording
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import UPRIGHT
from avatarlab.motion.skeleton import JOINT, NAMES, PARENT, Skeleton

LIMBS = {
    f"{side}_{joint}": f"{side}_{end}"
    for side in ("left", "right")
    for joint, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
}
"""Our joint -> the one at the other end of its bone, whose direction must be the recording's."""
LEG = ("hip", "knee", "ankle")
LOWEST_M, HIGHEST_M = 0.3, 1.6
"""Lengths of a leg (hip to ankle) between which a skeleton is taken to be a person's, in metres."""


def smallest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Directions (3,), (3,) -> the rotation (3, 3) by the smallest angle that takes the first into the second."""
    start, end = (v / np.linalg.norm(v) for v in (start, end))
    axis, cos = np.cross(start, end), start @ end
    if cos < -1 + 1e-9:  # any axis across will do
        axis = np.cross(start, np.eye(3)[np.argmin(np.abs(start))])
        return Rotation.from_rotvec(np.pi * axis / np.linalg.norm(axis)).as_matrix()
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + cos)


def rest_turns(skeleton: Skeleton, bones: dict[str, np.ndarray]) -> np.ndarray:
    """The constant turns A (22, 3, 3); ``bones`` are directions (3,) of the recording's limbs at rest, by our joint.

    A limb's turn is its parent's followed by the smallest that then lays the bones on each other: what a knee or a
    foot is to its thigh at rest is not twisted. Feet, toes and wrists take their limb's turn alone, so that a sole
    that is flat in the recording is flat, though the bone above it rises by another angle.
    """
    rest, turns = skeleton.rest.double().numpy(), np.tile(np.eye(3), (len(NAMES), 1, 1))
    for number, name in enumerate(NAMES):
        if name in SPINE:
            continue
        above = turns[PARENT[number]]
        turns[number] = above
        if name in LIMBS:
            ours = rest[JOINT[LIMBS[name]]] - rest[number]
            turns[number] = above @ smallest_turn(ours, above.T @ bones[name])
    return turns


def recorded_bones(recording: Recording, table: Table) -> dict[str, np.ndarray]:
    """Directions (3,) of the limbs at the recording's rest, by our joint."""
    rest = {name: place for name, place in zip(recording.names, recording.rest, strict=True)}
    at = {name: rest[table.joints[name][0]] for name in {*LIMBS, *LIMBS.values()}}
    return {name: at[end] - at[name] for name, end in LIMBS.items()} | table.bones


def driven(recording: Recording, table: Table) -> np.ndarray:
    """The recording's world rotations (T, 22, 3, 3) of the joints that drive ours, constant offsets undone."""
    column = {name: number for number, name in enumerate(recording.names)}
    found = np.empty((len(recording.rotations), len(NAMES), 3, 3))
    for number, name in enumerate(NAMES):
        used = [recording.rotations[:, column[theirs]] for theirs in table.joints[name]]
        turn = used[0] if len(used) == 1 else halfway(*used)
        found[:, number] = turn @ table.offsets[name] if name in table.offsets else turn
    return found


def halfway(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The rotation (T, 3, 3) in the middle of two (T, 3, 3), (T, 3, 3)."""
    between = Rotation.from_matrix(np.swapaxes(first, -1, -2) @ second).as_rotvec()
    return first @ Rotation.from_rotvec(0.5 * between).as_matrix()


def leg_ratio(recording: Recording, table: Table, skeleton: Skeleton) -> float:
    """How long our legs are for the recording's, hip to ankle; a skeleton in millimetres or feet is refused."""
    rest = {name: place for name, place in zip(recording.names, recording.rest, strict=True)}
    ours, theirs = 0.0, 0.0
    for side in ("left", "right"):
        positions = [rest[table.joints[f"{side}_{joint}"][0]] for joint in LEG]
        theirs += sum(np.linalg.norm(b - a) for a, b in zip(positions, positions[1:], strict=False)) / 2
        mine = [skeleton.rest[JOINT[f"{side}_{joint}"]].double().numpy() for joint in LEG]
        ours += sum(np.linalg.norm(b - a) for a, b in zip(mine, mine[1:], strict=False)) / 2
    if not LOWEST_M < theirs < HIGHEST_M:
        raise InputError(
            f"skeleton: its leg is {theirs:.3g} m long, expected {LOWEST_M} to {HIGHEST_M}; give the file's unit."
        )
    return ours / theirs


def retarget(recording: Recording, skeleton: Skeleton) -> Motion:
    """A recording (y up, facing +z at rest, as all that have a table) -> its motion on ``skeleton`` in the z-up world, at the recording's own rate.

    The middle between the hips goes where the recording's went, scaled by the ratio of the legs' lengths.
    """
    table, raised = table_for(recording), np.array(UPRIGHT)
    turns = rest_turns(skeleton, recorded_bones(recording, table))
    world = raised @ driven(recording, table) @ turns
    local = world.copy()
    local[:, 1:] = np.swapaxes(world[:, list(PARENT[1:])], -1, -2) @ world[:, 1:]
    ratio = leg_ratio(recording, table, skeleton)
    column = [recording.names.index(table.joints[f"{side}_hip"][0]) for side in ("left", "right")]
    hips = ratio * recording.positions[:, column].mean(1) @ raised.T
    rest = skeleton.rest.double().numpy()
    to_hips = rest[[JOINT["left_hip"], JOINT["right_hip"]]].mean(0) - rest[0]
    trans = hips - local[:, 0] @ to_hips - rest[0]
    moved = slice(table.drop, None)
    return Motion(torch.from_numpy(local[moved]), torch.from_numpy(trans[moved]))
