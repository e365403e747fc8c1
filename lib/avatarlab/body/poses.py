"""Display and measuring poses as axis-angle (55, 3) in radians on SMPL-X joints.

In the T-pose a positive z rotation raises the left arm and lowers the right one.
"""

import math

import torch

from avatarlab.body.layout import JOINT
from avatarlab.core.errors import InputError, number

COLLAR_SHARE = 0.1
"""Share of the arm's lowering done at the collar; motion capture lowers arms mostly at the shoulder."""

STANDING_ARM_DEG, STANDING_ELBOW_DEG = 75.0, 8.0
"""Arms hang slightly off the body: the T-pose overstates chest girth and understates shoulder breadth."""


def tpose() -> torch.Tensor:
    """Return the T-pose: axis-angle (55, 3), all zero."""
    return torch.zeros(len(JOINT), 3)


def apose(arm_down_deg: float = 45.0) -> torch.Tensor:
    """Return axis-angle (55, 3) with both straight arms ``arm_down_deg`` below the horizontal; legs as in T."""
    angle = math.radians(number("arm_down_deg", arm_down_deg, 0, 90, "degrees below the horizontal"))
    pose = tpose()
    for side, sign in (("left", -1.0), ("right", 1.0)):
        pose[JOINT[f"{side}_collar"], 2] = sign * angle * COLLAR_SHARE
        pose[JOINT[f"{side}_shoulder"], 2] = sign * angle * (1 - COLLAR_SHARE)
    return pose


def standing() -> torch.Tensor:
    """Return THE measuring pose (55, 3): arms hanging 75 degrees down, elbows bent 8 degrees forward, legs as in T."""
    pose = apose(STANDING_ARM_DEG)
    bend = math.radians(STANDING_ELBOW_DEG)
    pose[JOINT["left_elbow"], 1] = -bend
    pose[JOINT["right_elbow"], 1] = bend
    return pose


def arms_up() -> torch.Tensor:
    """Return both arms overhead (55, 3)."""
    pose = tpose()
    pose[JOINT["left_shoulder"], 2], pose[JOINT["right_shoulder"], 2] = 1.0, -1.0
    return pose


NAMED = {"tpose": tpose, "apose": apose, "standing": standing}


def named(name: str, arm_down_deg: float | None = None) -> torch.Tensor:
    """Return the pose called ``name`` (tpose, apose, standing) as (55, 3); ``arm_down_deg`` only belongs to apose."""
    if name not in NAMED:
        raise InputError(f"pose: got {name!r}, expected one of {', '.join(NAMED)}.")
    if arm_down_deg is None:
        return NAMED[name]()
    if name != "apose":
        raise InputError(f"arm_down_deg: the pose {name!r} has fixed arms; use 'apose' or leave the angle out.")
    return apose(arm_down_deg)
