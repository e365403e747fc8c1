"""Where the wrists shall be, frame by frame, also while a controller is lost and when it comes back: without a jump."""

from typing import NamedTuple

import torch
from torch import Tensor

from avatarlab.motion.rotations import about_vertical, heading
from avatarlab.motion.trackers import RATE, Trackers

FADE_S, RETURN_S = 0.3, 0.15
"""Seconds in which a lost controller's last word loses its weight, and in which one that is back gains it."""


class WristTargets(NamedTuple):
    """Left and right wrist: positions (..., 2, 3) m, world rotations (..., 2, 3, 3), weight (..., 2) from 0 to 1."""

    positions: Tensor
    rotations: Tensor
    weight: Tensor


class WristTracker:
    """One recording's wrists as they come in; for ``limbs.arms``.

    A tracked controller is followed exactly, weight 1. A lost one stays where it was seen from the head's heading,
    and its weight goes to 0 within FADE_S, so that the arm passes over to what the model thinks; back again, it
    weighs 1 after RETURN_S. One never seen weighs 0.
    """

    def __init__(self):
        self.weight = self.positions = self.rotations = None

    def push(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> WristTargets:
        """Devices' rotations (3, 3, 3), positions (3, 3) m, tracked (3,) of a frame -> its wrists."""
        seen = tracked[1:]
        frame, origin = about_vertical(heading(rotations[0])), positions[0]
        if self.weight is None:
            self.weight = seen.to(positions)
            self.positions, self.rotations = (positions[1:] - origin) @ frame, frame.mT @ rotations[1:]
        else:
            step = torch.where(seen, 1 / (RETURN_S * RATE), -1 / (FADE_S * RATE)).to(positions)
            self.weight = (self.weight + step).clamp(0, 1)
            here, turned = (positions[1:] - origin) @ frame, frame.mT @ rotations[1:]
            self.positions = torch.where(seen[:, None], here, self.positions)
            self.rotations = torch.where(seen[:, None, None], turned, self.rotations)
        there, turn = origin + self.positions @ frame.mT, frame @ self.rotations
        there = torch.where(seen[:, None], positions[1:], there)
        turn = torch.where(seen[:, None, None], rotations[1:], turn)
        return WristTargets(there, turn, self.weight * self.weight * (3 - 2 * self.weight))


def wrist_targets(trackers: Trackers) -> WristTargets:
    """The wrists of a whole recording (T, 2, ...); the same that ``WristTracker`` says frame by frame."""
    if bool(trackers.tracked[:, 1:].all()):
        return WristTargets(
            trackers.positions[:, 1:], trackers.rotations[:, 1:], torch.ones_like(trackers.positions[:, 1:, 0])
        )
    hands = WristTracker()
    frames = zip(trackers.rotations, trackers.positions, trackers.tracked, strict=True)
    return WristTargets(
        *(torch.stack(part) for part in zip(*(hands.push(*frame) for frame in frames), strict=True))
    )
