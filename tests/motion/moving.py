"""Motion for the tests of devices and limbs: a body that turns, bends and reaches by sines, arms and knees bent."""

import math

import roma
import torch

from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import about_vertical, upright
from avatarlab.motion.skeleton import JOINT, Skeleton


def swaying(skeleton: Skeleton, frames: int = 240, turns: float = 0.0) -> Motion:
    """T frames at 60 Hz that look along -y at first; ``turns`` times round the vertical in all."""
    t = torch.arange(frames) / 60
    vectors = torch.zeros(frames, 22, 3)
    for k, joint in enumerate(("spine1", "spine3", "neck", "head")):
        vectors[:, JOINT[joint]] = 0.1 * torch.stack(
            [torch.sin(t * (1 + 0.3 * k) + a) for a in (0.0, 1.0, 2.0)], -1
        )
    for side, sign in (("left", 1.0), ("right", -1.0)):
        vectors[:, JOINT[f"{side}_shoulder"], 2] = -sign * (1.1 + 0.3 * torch.sin(1.7 * t + sign))
        vectors[:, JOINT[f"{side}_elbow"], 1] = -sign * (0.9 + 0.5 * torch.sin(2.1 * t))
        vectors[:, JOINT[f"{side}_wrist"], 0] = 0.3 * torch.sin(2 * t)
        vectors[:, JOINT[f"{side}_hip"], 0] = -0.5 + 0.3 * torch.sin(2 * t + sign)
        vectors[:, JOINT[f"{side}_knee"], 0] = 0.8 + 0.3 * torch.sin(2 * t)
    rotations = roma.rotvec_to_rotmat(vectors)
    yaw = 2 * math.pi * turns * t / max(float(t[-1]), 1.0)
    rotations[:, 0] = about_vertical(yaw) @ upright(rotations)
    trans = torch.stack([0.2 * torch.sin(t), 0.2 * torch.cos(t), 0.95 + 0.03 * torch.sin(2 * t)], -1)
    return Motion(rotations, trans - skeleton.rest[0])
