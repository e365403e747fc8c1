"""One take of a folder, whatever form its file has, as motion of our skeleton."""

import torch

from avatarlab.motion.clip import Clip
from avatarlab.motion.data.recordings import Take
from avatarlab.motion.data.retarget import retarget
from avatarlab.motion.formats.opening import read
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import Skeleton

SMPL_PELVIS = (0.0, 0.0, -0.24)
"""About how far SMPL's pelvis is from its origin, in an upright world, m; the floor mends what this is off by."""


def read_take(take: Take, skeleton: Skeleton) -> tuple[Motion, float]:
    """A take -> its motion on ``skeleton`` and its rate in Hz; unreadable or strange files raise InputError.

    Rates as 120.00004577, or a frame time of 0.0083333 s, are whole ones that were rounded.
    """
    taken = read(take.path, take.skeleton)
    if isinstance(taken, Clip):
        motion, rate = of_clip(taken, skeleton), taken.mocap_frame_rate
    else:
        motion, rate = retarget(taken, skeleton), taken.rate
    return motion, float(round(rate)) if abs(rate - round(rate)) < 1e-3 else rate


def of_clip(clip: Clip, skeleton: Skeleton) -> Motion:
    """The motion of an AMASS clip on ``skeleton``: its rotations as they are, as all do who learn from AMASS."""
    positions = torch.tensor(clip.trans).double() + torch.tensor(SMPL_PELVIS, dtype=torch.float64)
    return Motion(clip.rotations.double(), positions - skeleton.rest[0].double())
