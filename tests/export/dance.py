"""Clips in closed form for the exporters' tests."""

import numpy as np

from avatarlab.body.layout import JOINT
from avatarlab.motion.clip import Clip


def clip(frames: int = 61, rate: float = 60.0, trans=(0, 0, 0), expression=None, **rotations) -> Clip:
    """A clip of somebody upright in the z-up world, who turns each joint named in ``rotations`` evenly.

    joint=(3,): axis-angle in radians, in the joint's own axes at rest, reached in the last frame; ``trans`` (T, 3).
    """
    share = np.linspace(0, 1, frames)[:, None]
    poses = np.zeros((frames, 55, 3))
    poses[:, 0, 0] = np.pi / 2
    for name, turn in rotations.items():
        poses[:, JOINT[name]] = share * np.asarray(turn)
    positions = np.broadcast_to(trans, (frames, 3))
    return Clip(poses.reshape(frames, 165), positions, mocap_frame_rate=rate, expression=expression)
