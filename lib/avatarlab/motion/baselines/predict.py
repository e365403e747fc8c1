"""A baseline as a Predictor: each frame answered by itself, the head brought onto the headset."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.motion.baselines.frame_models import ANSWERS
from avatarlab.motion.baselines.frames import TURNS, held, lesson, seen
from avatarlab.motion.data.library import Library
from avatarlab.motion.predictor import Motion, Stream
from avatarlab.motion.rotations import about_vertical, from_6d, heading
from avatarlab.motion.skeleton import Skeleton, align_heads
from avatarlab.motion.trackers import Trackers

NAMES = tuple(ANSWERS)


@dataclass(frozen=True)
class FrameByFrame:
    """``answer``: features (T, 25) -> targets (T, 198) of which the first 132 are rotations in six numbers."""

    answer: Callable[[Tensor], Tensor]
    skeleton: Skeleton

    def predict(self, trackers: Trackers) -> Motion:
        """The poses of all frames; a lost controller is taken to stay where the head saw it last."""
        return self.posed(held(trackers))

    def posed(self, trackers: Trackers) -> Motion:
        """The poses of frames in which no device is lost."""
        rotations = from_6d(self.answer(seen(trackers))[:, :TURNS].unflatten(1, (-1, 6)))
        toward = about_vertical(heading(trackers.rotations[:, 0]))[:, None]
        rotations = torch.cat([toward @ rotations[:, :1], rotations[:, 1:]], 1)
        return Motion(rotations, align_heads(self.skeleton, rotations, trackers.positions[:, 0])[0])

    def stream(self) -> Stream:
        """A fresh stream; it remembers one frame, as its devices were taken to be."""
        return _Held(self)


@dataclass
class _Held:
    model: FrameByFrame
    last: list[Trackers] = field(default_factory=list)

    def push(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> Motion:
        """The pose of the next frame."""
        frames = [*self.last, Trackers(rotations[None], positions[None], tracked[None])]
        parts = zip(*((f.rotations, f.positions, f.tracked) for f in frames), strict=True)
        now = held(Trackers(*(torch.cat(part) for part in parts)))
        self.last = [Trackers(now.rotations[-1:], now.positions[-1:], now.tracked[-1:])]
        return self.model.posed(self.last[0])


def learned(name: str, library: Library, split: str) -> FrameByFrame:
    """A baseline of NAMES that has learned the training segments of a split, and nothing else."""
    if name not in ANSWERS:
        raise InputError(f"baseline: got {name!r}, expected one of {', '.join(NAMES)}.")
    return all_learned(library, split)[name]


def all_learned(library: Library, split: str) -> dict[str, FrameByFrame]:
    """Every baseline by name, each having learned the training segments of a split, and nothing else."""
    skeleton = Skeleton(torch.as_tensor(library.rest).float())
    known = lesson(library, library.split(split)[0])
    return {name: FrameByFrame(kind.learn(known), skeleton) for name, kind in ANSWERS.items()}
