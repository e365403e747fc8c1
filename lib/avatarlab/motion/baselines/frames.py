"""One frame as a baseline sees it: devices from the head's heading and place; and the pose that belongs to it.

Neither where somebody stands nor where he faces is in these numbers, only how high the head is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import roma
import torch
from torch import Tensor

from avatarlab.motion.data.library import Library
from avatarlab.motion.rotations import about_vertical, heading, to_6d
from avatarlab.motion.skeleton import COUNT, HEAD, Skeleton
from avatarlab.motion.trackers import Trackers, frame_of, seen_from

FEATURES = 25
"""Numbers of a frame: three rotations in six, the head's height, two wrists relative to the head."""
TURNS = 6 * COUNT
"""The first numbers of a target, rotations in six; the other 66 are the positions of the joints relative to the head."""
EVERY = 6
"""Every such frame is learned from: 10 a second.

It is quicker, and it makes the nearest frames better: at 60 Hz all five tend to be one moment. Places relative to the
head, held-out subjects of a prototype library: 12.5 cm from every frame, 11.6 from every sixth; one clip in ten: 9.2, 8.5.
"""


class TrainingFrames(NamedTuple):
    """N frames to learn from: features (N, 25), targets (N, 198)."""

    features: Tensor
    targets: Tensor


def seen(trackers: Trackers) -> Tensor:
    """The features (T, 25) of each frame of a recording, all devices as they are."""
    yaw, origin = frame_of(trackers.rotations, trackers.positions)
    turns, positions = seen_from(trackers.rotations, trackers.positions, yaw[:, None], origin[:, None])
    hands = positions[:, 1:] - positions[:, :1]
    return torch.cat([to_6d(turns).flatten(1), positions[:, 0, 2:], hands.flatten(1)], 1)


def held(trackers: Trackers) -> Trackers:
    """A recording in which a lost device stays where it was last: the head in the world, a wrist as the head saw it.

    A device that was not tracked yet is taken as it comes.
    """
    if bool(trackers.tracked.all()):
        return trackers
    rows = torch.arange(len(trackers))[:, None]
    last = torch.where(trackers.tracked, rows, -1).cummax(0).values
    last = torch.where(last < 0, rows, last)
    rotations, positions = trackers.rotations.clone(), trackers.positions.clone()
    rotations[:, 0], positions[:, 0] = rotations[last[:, 0], 0], positions[last[:, 0], 0]
    toward, head = about_vertical(heading(rotations[:, 0]))[:, None], positions[:, :1]
    turns = toward @ (toward.mT @ rotations)[last, torch.arange(3)]
    offsets = (toward.mT @ (positions - head)[..., None])[last, torch.arange(3)]
    kept, placed = trackers.tracked[..., None], head + (toward @ offsets)[..., 0]
    return Trackers(
        torch.where(kept[..., None], trackers.rotations, turns),
        torch.where(kept, trackers.positions, placed),
        torch.ones_like(trackers.tracked),
    )


def lesson(library: Library, segments: Sequence[int], every: int = EVERY) -> TrainingFrames:
    """Every such frame of the segments, the first of each included."""
    frames = np.concatenate([np.arange(len(library.poses))[library.frames(k)][::every] for k in segments])
    skeleton = Skeleton(torch.as_tensor(library.rest).float())
    rotations = roma.rotvec_to_rotmat(torch.as_tensor(library.poses[frames]).float())
    world, positions = skeleton.fk(rotations, torch.as_tensor(library.trans[frames]).float())
    trackers = Trackers.of(world, positions)
    return TrainingFrames(seen(trackers), targets(rotations, positions, trackers))


def targets(rotations: Tensor, positions: Tensor, trackers: Trackers) -> Tensor:
    """Local rotations (T, 22, 3, 3), positions (T, 22, 3) m -> targets (T, 198): as the head's heading sees them.

    Of the rotations only the root's, which is the world's, changes by that.
    """
    yaw, origin = frame_of(trackers.rotations, trackers.positions)
    root, own = seen_from(rotations[:, :1], positions, yaw[:, None], origin[:, None])
    turns = torch.cat([root, rotations[:, 1:]], 1)
    return torch.cat([to_6d(turns).flatten(1), (own - own[:, HEAD : HEAD + 1]).flatten(1)], 1)
