"""Whether positions and rotations of a recording turn the same way round: what one second in T-pose cannot always show."""

import math

import numpy as np
import torch

from avatarlab.core.errors import InputError
from avatarlab.motion.capture.recording import RawRecording
from avatarlab.motion.rotations import heading

ENOUGH_RAD = 2.0
"""A user who never turns so far gives no answer (and walks the same, mirrored or not)."""
AGAINST = -0.3
"""Hands that turn with the headset by this share say that one of both is mirrored.

Over the 82 segments of the motion library in which the head turns by more than ENOUGH_RAD the share is 0.05 to 1.2.
"""
STEP = 6


def shared(raw: RawRecording) -> float | None:
    """How far the hands turn about each other and the head for a turn of the headset; None if it never turns enough.

    The slope of the least squares line through the turns of each tenth of a second, weighted by distance squared.
    """
    even = raw.resampled()
    seen = even.tracked.all(1)[::STEP]
    yaw = np.unwrap(heading(even.rotations[::STEP, 0])[seen].numpy())
    if not len(yaw) or np.ptp(yaw) < ENOUGH_RAD:
        return None
    head, left, right = even.positions[::STEP, :, :2][seen].unbind(1)
    lines = torch.stack([left - right, left - head, right - head]).numpy()
    now, then = lines[:, :-1], lines[:, 1:]
    weight = (now**2).sum(-1)
    turn = np.arctan2(now[..., 0] * then[..., 1] - now[..., 1] * then[..., 0], (now * then).sum(-1))
    step = np.diff(yaw)
    slopes = (turn * step * weight).sum(1) / np.maximum((step**2 * weight).sum(1), 1e-12)
    return float(slopes.mean())


def verify(raw: RawRecording) -> None:
    """Raise InputError where positions turn left while rotations turn right."""
    share = shared(raw)
    if share is not None and math.isfinite(share) and share < AGAINST:
        raise InputError(
            f"{raw.source}: the hands go round to the other side than the headset turns ({share:.1f} of its turn); "
            "likely its positions are mirrored but its rotations are not, or the other way round; convert both."
        )
