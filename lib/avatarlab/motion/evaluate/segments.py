"""Scores of models over the test segments of splits, in several processes; a row for each segment and model."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import roma
import torch

from avatarlab.core.errors import InputError
from avatarlab.core.parallel import Outcome, outcomes
from avatarlab.motion import baselines, models
from avatarlab.motion.data.library import Library
from avatarlab.motion.evaluate.metrics import FURTHER, METRICS, OF_TRUTH, averaged, joint_errors, scores
from avatarlab.motion.predictor import Motion, Predictor
from avatarlab.motion.skeleton import NAMES, Skeleton
from avatarlab.motion.trackers import Trackers

JOB_FRAMES = 3000
"""Frames of a job, about: enough that handing it over costs nothing, few enough that processes end together."""
FIGURES = (*METRICS, *FURTHER, *(f"truth_{key}" for key in OF_TRUTH))
JOINTS = tuple(f"{name}_cm" for name in NAMES)


@dataclass
class Bench:
    """A library, whose weights are asked for, and the models that are loaded by now: (name, split) -> Predictor."""

    library: Library
    which: str = "pretrained"
    ready: dict[tuple[str, str], Predictor] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path, which: str) -> "Bench":
        """Of a library's file."""
        return cls(Library.load(path), which)

    @property
    def skeleton(self) -> Skeleton:
        """The one that the motion lies on."""
        return Skeleton(torch.as_tensor(self.library.rest).float())

    def model(self, name: str, split: str) -> Predictor:
        """Loaded once; baselines all at once, for they learn from the same frames."""
        if (name, split) not in self.ready and name in baselines.NAMES:
            found = baselines.all_learned(self.library, split)
            self.ready |= {(one, split): model for one, model in found.items()}
        elif (name, split) not in self.ready:
            self.ready[name, split] = models.load(name, split, self.library, self.which)
        return self.ready[name, split]

    def truth(self, segment: int, frames: int | None = None) -> Motion:
        """What was measured, the first ``frames`` of it, all if None."""
        begin, end = self.library.starts[segment : segment + 2].tolist()
        part = slice(begin, end if frames is None else min(end, begin + frames))
        poses = torch.as_tensor(self.library.poses[part]).float()
        return Motion(roma.rotvec_to_rotmat(poses), torch.as_tensor(self.library.trans[part]).float())

    def trackers(self, segment: int, frames: int | None = None) -> Trackers:
        """What perfect devices would have seen of it."""
        return Trackers.of(*self.skeleton.fk(*self.truth(segment, frames)))

    @torch.inference_mode()
    def positions(self, segment: int, name: str | None = None, split: str = "") -> np.ndarray:
        """Positions (T, 22, 3) m of a segment: true ones, or as the model ``name`` of a split says."""
        motion = self.model(name, split).predict(self.trackers(segment)) if name else self.truth(segment)
        return self.skeleton.fk(*motion)[1].numpy()


@dataclass(frozen=True)
class SegmentJob:
    """Segments of a split's test side that one model is asked about, one after the other."""

    split: str
    model: str
    segments: tuple[int, ...]


def bench(path: str | Path, which: str) -> Bench:
    """What each process loads."""
    return Bench.load(path, which)


def jobs(
    library: Library, names: Iterable[str], splits: Iterable[str], clips: int | None = None
) -> list[SegmentJob]:
    """Every test segment of every split for every model, cut into jobs; ``clips`` of them, if given (see ``chosen``)."""
    found = []
    for split in splits:
        test = chosen(library, split, clips)
        found += [SegmentJob(split, name, part) for name in names for part in portions(library, test)]
    return found


def chosen(library: Library, split: str, clips: int | None = None) -> list[int]:
    """Test segments of a split; so many at most, evenly over all, if ``clips`` is given."""
    return evenly(library.split(split)[1], clips)


def evenly(items: Sequence[int], count: int | None, ends: bool = True) -> list[int]:
    """At most ``count`` of some items, evenly over all; all if None or 0.

    With ``ends`` the first and the last are among them; without, each is the first of one of ``count`` runs, as the
    training stages' checks have it.
    """
    if not count or count >= len(items):
        return list(items)
    if ends:
        return [items[k] for k in np.linspace(0, len(items) - 1, count).round().astype(int)]
    return [items[k * len(items) // count] for k in range(count)]


def portions(library: Library, segments: Sequence[int], frames: int = JOB_FRAMES) -> list[tuple[int, ...]]:
    """Segments in their order, in runs of about so many frames."""
    parts, size = [[]], 0
    for segment in segments:
        if size >= frames:
            parts, size = [*parts, []], 0
        parts[-1].append(segment)
        size += library.length([segment])
    return [tuple(part) for part in parts if part]


def score(at: Bench, job: SegmentJob) -> list[dict]:
    """A row for each segment of a job."""
    model = at.model(job.model, job.split)
    return [
        row(at, job.split, job.model, segment, model.predict(at.trackers(segment))) for segment in job.segments
    ]


@torch.inference_mode()
def row(at: Bench, split: str, name: str, segment: int, pred: Motion) -> dict:
    """Who and what, FIGURES of one segment in float64, and each joint's mean error (JOINTS)."""
    truth, library = at.truth(segment), at.library
    exact = [Motion(*(part.double() for part in motion)) for motion in (truth, pred)]
    positions = [at.skeleton.fk(*motion)[1][1:] for motion in exact]
    figures = {key: float(value) for key, value in scores(at.skeleton, *exact).items()}
    joints = dict(zip(JOINTS, (100 * joint_errors(*positions)).tolist(), strict=True))
    about = {
        "clip": library.clips[segment],
        "subject": library.subjects[segment],
        "source": library.sources[segment],
    }
    return {
        "split": split, "model": name, "segment": segment, **about, "frames": library.length([segment]), **figures,
        **joints,
    }  # fmt: skip


def gather(
    path: str | Path,
    asked: Sequence[SegmentJob],
    which: str = "pretrained",
    workers: int | None = None,
    progress: Callable[[Outcome], None] | None = None,
    work: Callable[[Bench, SegmentJob], list] = score,
) -> list:
    """What ``work`` makes of all jobs on the library at ``path``, in their order, by default a row for each segment.

    One that fails raises InputError, so that no figure has a gap. ``workers`` as in core.parallel.
    """
    found = []
    for outcome in outcomes(work, asked, workers, bench, (str(path), which)):
        if outcome.error:
            job = asked[outcome.number]
            raise InputError(f"{job.model}, split {job.split}, segments {job.segments}: {outcome.error}")
        found += outcome.result
        if progress:
            progress(outcome)
    return found


def means(rows: Iterable[dict], keys: Sequence[str] = FIGURES) -> dict[tuple[str, str], dict[str, float]]:
    """(split, model) -> the mean over its segments of each figure, every segment counting once."""
    parted: dict[tuple[str, str], list[dict]] = {}
    for one in rows:
        parted.setdefault((one["split"], one["model"]), []).append(one)
    return {pair: averaged(found, keys) for pair, found in parted.items()}


def leaks(model: Predictor, trackers: Trackers, at: int) -> bool:
    """Whether anything said of frames up to ``at`` changes, by a bit, when the devices do something else after it.

    What follows is played backwards, in the dark and elsewhere: turned, shifted by metres, the last frames lost.
    """
    rotations, positions, tracked = (
        trackers.rotations.clone(),
        trackers.positions.clone(),
        trackers.tracked.clone(),
    )
    rotations[at + 1 :] = rotations[at + 1 :].flip(0).mT
    positions[at + 1 :] = positions[at + 1 :].flip(0) + 3.0
    tracked[at + 1 :, 1] = False
    before, after = model.predict(trackers), model.predict(Trackers(rotations, positions, tracked))
    return any(not torch.equal(a[: at + 1], b[: at + 1]) for a, b in zip(before, after, strict=True))
