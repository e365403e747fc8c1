"""Where the wrists shall be, frame by frame, also while a controller is lost and when it comes back: without a jump."""

from typing import NamedTuple

import torch
from torch import Tensor

from avatarlab.motion.rotations import about_vertical, heading
from avatarlab.motion.trackers import RATE, Trackers

FADE_S, RETURN_S = 0.3, 0.15
"""Seconds in which a lost controller's last word loses its weight, and in which one that is back gains it."""


class Wanted(NamedTuple):
    """Left and right wrist: places (..., 2, 3) m, world rotations (..., 2, 3, 3), weight (..., 2) from 0 to 1."""

    places: Tensor
    turns: Tensor
    weight: Tensor


class Hands:
    """One recording's wrists as they come in; for ``limbs.arms``.

    A tracked controller is followed exactly, weight 1. A lost one stays where it was seen from the head's heading,
    and its weight goes to 0 within FADE_S, so that the arm passes over to what the model thinks; back again, it
    weighs 1 after RETURN_S. One never seen weighs 0.
    """

    def __init__(self):
        self.weight = self.places = self.turns = None

    def push(self, rotations: Tensor, places: Tensor, tracked: Tensor) -> Wanted:
        """Devices' rotations (3, 3, 3), places (3, 3) m, tracked (3,) of a frame -> its wrists."""
        seen = tracked[1:]
        frame, origin = about_vertical(heading(rotations[0])), places[0]
        if self.weight is None:
            self.weight = seen.to(places)
            self.places, self.turns = (places[1:] - origin) @ frame, frame.mT @ rotations[1:]
        else:
            step = torch.where(seen, 1 / (RETURN_S * RATE), -1 / (FADE_S * RATE)).to(places)
            self.weight = (self.weight + step).clamp(0, 1)
            here, turned = (places[1:] - origin) @ frame, frame.mT @ rotations[1:]
            self.places = torch.where(seen[:, None], here, self.places)
            self.turns = torch.where(seen[:, None, None], turned, self.turns)
        there, turn = origin + self.places @ frame.mT, frame @ self.turns
        there = torch.where(seen[:, None], places[1:], there)
        turn = torch.where(seen[:, None, None], rotations[1:], turn)
        return Wanted(there, turn, self.weight * self.weight * (3 - 2 * self.weight))


def wanted(trackers: Trackers) -> Wanted:
    """The wrists of a whole recording (T, 2, ...); the same that ``Hands`` says frame by frame."""
    if bool(trackers.tracked[:, 1:].all()):
        return Wanted(
            trackers.places[:, 1:], trackers.rotations[:, 1:], torch.ones_like(trackers.places[:, 1:, 0])
        )
    hands = Hands()
    frames = zip(trackers.rotations, trackers.places, trackers.tracked, strict=True)
    return Wanted(*(torch.stack(part) for part in zip(*(hands.push(*frame) for frame in frames), strict=True)))
