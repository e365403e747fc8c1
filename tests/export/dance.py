"""Clips in closed form for the exporters' tests, with the attributes of a ``motion.Clip``."""

from types import SimpleNamespace

import numpy as np

from avatarlab.body.layout import JOINT


def clip(frames: int = 61, rate: float = 60.0, expression=None, **turns):
    """A clip of somebody upright in the z-up world, who turns each joint named in ``turns`` evenly.

    joint=(3,): axis-angle in radians, in the joint's own axes at rest, reached in the last frame.
    """
    share = np.linspace(0, 1, frames)[:, None]
    poses = np.zeros((frames, 55, 3))
    poses[:, 0, 0] = np.pi / 2
    for name, turn in turns.items():
        poses[:, JOINT[name]] = share * np.asarray(turn)
    facts = {"betas": np.zeros(10), "mocap_frame_rate": rate, "expression": expression, "gender": "neutral"}
    return SimpleNamespace(poses=poses.reshape(frames, 165), trans=np.zeros((frames, 3)), **facts)
