"""What a model does when a controller is lost for two seconds: errors by time since it was lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from avatarlab.core.parallel import Outcome
from avatarlab.motion.data.library import Library
from avatarlab.motion.evaluate.metrics import HANDS
from avatarlab.motion.evaluate.segments import Bench, SegmentJob, evenly, gather
from avatarlab.motion.trackers import RATE, Trackers

BEFORE, LOST, AFTER = 90, 120, 60
"""Frames: a model watches 1.5 s, a controller is lost for 2 s, it is seen again for 1 s."""
TOLD = 30
"""Frames before the loss that curves show."""


@dataclass(frozen=True)
class Curve:
    """Mean errors (TOLD + LOST + AFTER,) cm over clips: of the lost wrist, of all 22 joints."""

    wrist_cm: np.ndarray
    mpjpe_cm: np.ndarray

    def lost(self) -> dict[str, float]:
        """Both, averaged over the two seconds."""
        inside = slice(TOLD, TOLD + LOST)
        return {
            "lost_wrist_cm": float(self.wrist_cm[inside].mean()),
            "lost_mpjpe_cm": float(self.mpjpe_cm[inside].mean()),
        }


def seconds() -> np.ndarray:
    """Times (TOLD + LOST + AFTER,) of a Curve; 0 is the first frame without the controller."""
    return (np.arange(TOLD + LOST + AFTER) - TOLD) / RATE


def without(trackers: Trackers, device: int, begin: int, frames: int) -> Trackers:
    """A recording in which a device is lost from ``begin`` on: it stays where it was last seen, as headsets say it."""
    end, last = begin + frames, max(begin - 1, 0)
    parts = trackers.rotations.clone(), trackers.positions.clone(), trackers.tracked.clone()
    for part in parts[:2]:
        part[begin:end, device] = part[last, device]
    parts[2][begin:end, device] = False
    return Trackers(*parts)


def long_enough(library: Library, split: str, clips: int) -> list[int]:
    """At most so many test segments, evenly over those that hold all three parts; none if there are none."""
    found = [k for k in library.split(split)[1] if library.length([k]) >= BEFORE + LOST + AFTER]
    return evenly(found, clips)


def curves(
    path: str | Path,
    asked: tuple[Sequence[str], str, int],
    which: str = "pretrained",
    workers: int | None = None,
    progress: Callable[[Outcome], None] | None = None,
) -> dict[str, Curve]:
    """``asked``: names of models, a split, how many clips of it -> each model's Curve; {} where no clip is long enough.

    Every other clip loses the left controller, the others the right one.
    """
    names, split, clips = asked
    segments = long_enough(Library.load(path), split, clips)
    work = [
        SegmentJob(split, name, tuple(part.tolist()))
        for name in names
        for part in np.array_split(segments, 2)
        if len(part)
    ]
    errors: Mapping[str, list] = {name: [] for name in names if segments}
    for name, of_clip in gather(path, work, which, workers, progress, losing):
        errors[name].append(of_clip)
    return {name: Curve(*np.mean(found, 0)) for name, found in errors.items()}


@torch.inference_mode()
def losing(at: Bench, job: SegmentJob) -> list[tuple[str, np.ndarray]]:
    """(model, errors (2, TOLD + LOST + AFTER) cm: lost wrist, all joints) of each segment of a job."""
    model, found = at.model(job.model, job.split), []
    for segment in job.segments:
        device = 1 + segment % 2
        world, positions = at.skeleton.fk(*at.truth(segment, BEFORE + LOST + AFTER))
        pred = model.predict(without(Trackers.of(world, positions), device, BEFORE, LOST))
        apart = 100 * (positions - at.skeleton.fk(*pred)[1]).norm(dim=-1)[BEFORE - TOLD :]
        found.append((job.model, torch.stack([apart[:, HANDS[device - 1]], apart.mean(1)]).numpy()))
    return found
