"""What every model of motion answers to: a whole recording at once, or one frame after the other."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from avatarlab.motion.trackers import Trackers


class Motion(NamedTuple):
    """T frames at 60 Hz: local rotations (T, 22, 3, 3), the root's in the z-up world, and trans (T, 3) in metres."""

    rotations: Tensor
    trans: Tensor


class Stream(Protocol):
    """One recording as it happens; holds the model's memory of it."""

    def push(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> Motion:
        """Devices' rotations (3, 3, 3), positions (3, 3) m, tracked (3,) of the next frame -> its pose, T = 1."""
        ...


class Predictor(Protocol):
    """A model of motion; nothing it says of frame t depends on later frames."""

    def predict(self, trackers: Trackers) -> Motion:
        """The poses of all frames of a recording."""
        ...

    def stream(self) -> Stream:
        """A fresh stream."""
        ...


def streamed(model: Predictor, trackers: Trackers) -> Motion:
    """``predict`` frame by frame through a stream; what a live session would have predicted."""
    stream = model.stream()
    frames = zip(trackers.rotations, trackers.positions, trackers.tracked, strict=True)
    motions = [stream.push(*frame) for frame in frames]
    return Motion(*(torch.cat(part) for part in zip(*motions, strict=True)))
