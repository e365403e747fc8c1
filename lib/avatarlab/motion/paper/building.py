"""Clips of AMASS as a Library on one body's mean shape, taken as SAGE's prepare_data takes them (facts).

Nothing is normalised, the betas of whoever moved are left out, and the header's ``test_clips`` make the split `paper`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.core.parallel import outcomes
from avatarlab.motion.clip import Clip
from avatarlab.motion.data.library import RESTS_ON, Library
from avatarlab.motion.paper.settings import AmassClip, entries
from avatarlab.motion.skeleton import COUNT, Skeleton
from avatarlab.motion.trackers import RATE

SHORTEST, WINDOW = 5, 20
"""Frames a clip needs at least; features of a training clip (one less than its frames)."""


@dataclass(frozen=True)
class Given:
    """Where AMASS is, and whether its rates are resampled instead of thinned out."""

    amass: Path
    resample: bool


def strided(clip: Clip) -> Clip:
    """Every round(rate / 60)th frame, taken to be 60 Hz, as the paper does it."""
    step = max(1, round(clip.mocap_frame_rate / RATE))
    return Clip(clip.poses[::step], clip.trans[::step], clip.betas, clip.gender, RATE)


def read_entry(given: Given, entry: AmassClip) -> tuple[np.ndarray, np.ndarray]:
    """poses (T, 22, 3) rad, trans (T, 3) m at 60 Hz of a clip; one that is unreadable or too short raises InputError."""
    clip = Clip.load(given.amass / entry.path)
    clip = clip.resampled(RATE) if given.resample else strided(clip)
    shortest = SHORTEST if entry.test else WINDOW + 1
    if len(clip) < shortest:
        raise InputError(f"{entry.path}: {len(clip)} frames at 60 Hz, {shortest} are needed.")
    return clip.poses[:, : 3 * COUNT].reshape(-1, COUNT, 3), clip.trans


def build(
    setting: int,
    amass: str | Path,
    splits: str | Path | None = None,
    body_file: str | Path | None = None,
    resample: bool = False,
    workers: int | None = None,
    tell: Callable[[str], None] = print,
) -> Library:
    """The Library of a setting on the mean shape of ``body_file``; header: test_clips, setting, skipped clips and why."""
    jobs = entries(setting, amass, splits)
    kept, skipped = [], []
    for outcome in outcomes(read_entry, jobs, workers, Given, (Path(amass), resample)):
        entry = jobs[outcome.number]
        if outcome.error:
            skipped.append([entry.path, outcome.error])
        else:
            kept.append((entry, *outcome.result))
        if outcome.done % 500 == 0 or outcome.done == outcome.total:
            tell(f"{outcome.done} of {outcome.total} clips, {outcome.seconds_left:.0f} s left")
    for side in (False, True):
        if not any(entry.test == side for entry, *_ in kept):
            raise InputError(
                f"{amass}: no clip to {'test on' if side else 'learn from'} is left of setting {setting}."
            )
    return _library(kept, {"setting": setting, "resampled": resample, "skipped": skipped}, body_file)


def _library(kept, about: dict, body_file: str | Path | None) -> Library:
    body = Body.load(body_file)
    listed = [entry for entry, *_ in kept]
    sizes = [len(trans) for *_, trans in kept]
    header = {
        **{
            "rate": RATE,
            "bases": {name: body.bases[name] for name in RESTS_ON},
            "held_out": [],
            "cross_sources": [],
        },
        "test_clips": [entry.path for entry in listed if entry.test],
        "licences": {
            subset: "AMASS: research only, see its licence" for subset in sorted({e.subset for e in listed})
        },
        **about,
    }
    return Library(
        poses=np.concatenate([poses for _, poses, _ in kept]),
        trans=np.concatenate([trans for *_, trans in kept]),
        starts=np.cumsum([0, *sizes]),
        clips=tuple(entry.path for entry in listed),
        subjects=tuple(entry.subject for entry in listed),
        sources=tuple(entry.subset for entry in listed),
        rest=Skeleton.of(body).rest.numpy(),
        header=header,
    )
