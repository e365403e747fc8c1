"""From a folder of recordings to a ``Library``: read, put onto our skeleton, cleaned; what cannot be is said."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.core.parallel import outcomes
from avatarlab.motion.data import procedural
from avatarlab.motion.data.cleaning import (
    CUTOFF_HZ,
    MARGIN_S,
    SHORTEST,
    Piece,
    check_floor,
    cleaned,
    floor_height,
    smoothed,
)
from avatarlab.motion.data.library import HELD_OUT, RESTS_ON, Library
from avatarlab.motion.data.reading import read_take
from avatarlab.motion.data.recordings import Take, takes_in, unpacked
from avatarlab.motion.kinematics import jerk
from avatarlab.motion.skeleton import COUNT, JOINT, Skeleton
from avatarlab.motion.trackers import RATE

CROSS_SOURCES = ("hdm05_asfamc",)
"""Sources from which nothing is learned in the split `cross`."""
LICENCES = {
    "cmu": "CMU Graphics Lab Motion Capture Database (mocap.cs.cmu.edu), free for all uses, not to be resold as motion",
    "hdm05": "HDM05 (CG-2007-2, Universitaet Bonn), CC BY-SA 3.0",
    "made": "made up by avatarlab, CC0",
}
"""Terms by what a source's name begins with."""


@dataclass(frozen=True)
class Ground:
    """What takes are put onto: our skeleton, how high the ball of its foot is over the sole (m), the filter (Hz)."""

    skeleton: Skeleton
    ball: float
    cutoff: float | None


@dataclass(frozen=True)
class Cleaned:
    """What became of one take: pieces (poses (T, 22, 3) rad, trans (T, 3) m, begin s) and figures of it."""

    pieces: tuple[tuple[np.ndarray, np.ndarray, float], ...]
    seconds: float
    floor_m: float
    jitter_raw: float
    jitter: float
    speed: np.ndarray  # histogram of wrist speeds, m/s


SAME_RAD = 1e-3
"""Takes whose joints are nowhere further apart are one take."""


@dataclass
class Report:
    """What was kept and what was not: figures by take, (name, reason) of skipped takes."""

    takes: dict[str, dict] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def of(self, source: str) -> dict[str, float]:
        """Figures of a source: minutes kept, and medians over takes of jitter before and after the low-pass."""
        mine = [figures for figures in self.takes.values() if figures["source"] == source]
        found = {"minutes": round(sum(figures["kept_s"] for figures in mine) / 60, 2)}
        for key in ("jitter_raw_m_s3", "jitter_m_s3"):
            found[key] = round(float(np.median([figures[key] for figures in mine])), 1)
        return found

    def column(self, source: str, key: str) -> np.ndarray:
        """One figure of all takes of a source (N, ...)."""
        return np.array([figures[key] for figures in self.takes.values() if figures["source"] == source])


def ground(body_file: str | Path | None, cutoff: float | None) -> Ground:
    """Our body's mean shape to put motion on."""
    body = Body.load(body_file)
    skeleton = Skeleton.of(body)
    sole = float(body.template[:, 1].min())
    return Ground(skeleton, float(skeleton.rest[JOINT["left_foot"], 1]) - sole, cutoff)


def clean_take(on: Ground, take: Take) -> Cleaned:
    """Read one take, retarget, cut, filter, set on the floor; what cannot be used raises InputError with the reason."""
    motion, rate = read_take(take, on.skeleton)
    pieces = cleaned(motion, rate, on.cutoff)
    if not pieces:
        raise InputError(
            f"no stretch of {SHORTEST} frames at 60 Hz without jumps in {len(motion.trans) / rate:.1f} s."
        )
    positions = [on.skeleton.fk(*piece.motion)[1].numpy() for piece in pieces]
    height = floor_height(np.concatenate(positions), on.ball)
    if take.path.suffix.lower() != ".npz":  # AMASS does not say where its bodies' pelvis is at rest
        check_floor(height)
    raw = smoothed(motion, rate, None)
    return Cleaned(
        tuple(_arrays(piece, height) for piece in pieces),
        len(motion.trans) / rate,
        height,
        float(jerk(on.skeleton.fk(*raw)[1])),
        float(
            np.average([float(jerk(torch.from_numpy(p))) for p in positions], weights=[len(p) for p in positions])
        ),
        wrist_speeds(np.concatenate(positions)),
    )


def _arrays(piece: Piece, height: float) -> tuple[np.ndarray, np.ndarray, float]:
    turns = Rotation.from_matrix(piece.motion.rotations.numpy().reshape(-1, 3, 3)).as_rotvec()
    trans = piece.motion.trans.numpy() - np.array([0, 0, height])
    return turns.reshape(-1, COUNT, 3).astype(np.float32), trans.astype(np.float32), piece.begin_s


SPEED_EDGES = np.linspace(0.0, 4.0, 41)
"""Bounds (m/s) of the histogram of how fast wrists move."""


def wrist_speeds(positions: np.ndarray) -> np.ndarray:
    """Positions (T, 22, 3) m at 60 Hz -> how many frames (40,) have wrists that fast, faster ones in the last bin."""
    wrists = positions[:, [JOINT["left_wrist"], JOINT["right_wrist"]]]
    speed = np.linalg.norm(np.diff(wrists, axis=0), axis=-1) * RATE
    return np.histogram(np.minimum(speed, SPEED_EDGES[-1]), SPEED_EDGES)[0]


def build(
    folder: str | Path,
    body_file: str | Path | None = None,
    cutoff: float | None = CUTOFF_HZ,
    workers: int | None = None,
    tell: Callable[[str], None] = print,
) -> tuple[Library, Report]:
    """All takes of ``folder`` (see takes.py) as a Library on the mean shape of ``body_file``, and what became of each.

    ``cutoff`` Hz of the low-pass, None for none; ``workers`` processes, all cores if None, 0 for none of its own.
    """
    folder = Path(folder)
    with tempfile.TemporaryDirectory() as scratch:
        sources = unpacked(folder, Path(scratch))
        listed = [takes_in(source) for source in sources]
        takes = [take for found, _ in listed for take in found]
        report = Report(skipped=[pair for _, skipped in listed for pair in skipped])
        if not takes:
            raise InputError(f"data.motion: {folder} holds no recordings (AMC with ASF, BVH, txt, npz).")
        made = once(list(_all(takes, (body_file, cutoff), workers, tell, report)), report)
    return library([(take, cleaned.pieces) for take, cleaned in made], body_file, _header(report, cutoff)), report


def _all(takes: Sequence[Take], given: tuple, workers, tell, report: Report) -> Iterable[tuple[Take, Cleaned]]:
    for outcome in outcomes(clean_take, takes, workers, ground, given):
        take = takes[outcome.number]
        if outcome.error:
            report.skipped.append((take.name, outcome.error))
        else:
            report.takes[take.name] = _figures(take, outcome.result)
            yield take, outcome.result
        if (outcome.number + 1) % 40 == 0 or outcome.number + 1 == outcome.total:
            tell(f"{outcome.number + 1} of {outcome.total} takes, {outcome.seconds_left:.0f} s left")


def once(made: Sequence[tuple[Take, Cleaned]], report: Report) -> list[tuple[Take, Cleaned]]:
    """Without takes that are there again later under another name: they would lie on both sides of a split."""
    kept: list[tuple[Take, Cleaned]] = []
    for take, done in reversed(made):
        other = next((other.name for other, found in kept if same(done.pieces, found.pieces)), None)
        if other:
            report.skipped.append((take.name, f"the same motion as {other}."))
            report.takes.pop(take.name)
        else:
            kept.append((take, done))
    return kept[::-1]


def same(pieces: Sequence, others: Sequence) -> bool:
    """Whether two takes' pieces (poses, trans, begin s) are one motion, wherever and whither it went."""
    sizes = [len(poses) for poses, *_ in pieces] == [len(poses) for poses, *_ in others]
    pairs = zip(pieces, others, strict=False)
    return sizes and all(np.abs(a[0][:, 1:] - b[0][:, 1:]).max() < SAME_RAD for a, b in pairs)


def _figures(take: Take, done: Cleaned) -> dict:
    return {
        "source": take.source,
        "subject": take.subject,
        "seconds": done.seconds,
        "kept_s": sum(len(trans) for _, trans, _ in done.pieces) / RATE,
        "pieces": len(done.pieces),
        "floor_m": done.floor_m,
        "jitter_raw_m_s3": done.jitter_raw,
        "jitter_m_s3": done.jitter,
        "wrist_speeds": done.speed.tolist(),
    }


def made(body_file: str | Path | None = None, seed: int = 7) -> tuple[Library, Report]:
    """A Library of made-up people (see procedural.py), for where there are no recordings."""
    on, report = ground(body_file, None), Report()
    found = []
    for name, subject, source, motion in procedural.clips(procedural.Choreography(on.skeleton, on.ball), seed):
        take, positions = Take(name, subject, source, Path(name)), on.skeleton.fk(*motion)[1].numpy()
        piece = _arrays(Piece(motion, 0.0), 0.0)
        shake = float(jerk(torch.from_numpy(positions)))
        done = Cleaned(
            (piece,),
            len(positions) / RATE,
            floor_height(positions, on.ball),
            shake,
            shake,
            wrist_speeds(positions),
        )
        report.takes[name] = _figures(take, done)
        found.append((take, done.pieces))
    header = _header(report, None) | {"held_out": list(procedural.HELD_OUT), "cross_sources": [procedural.CYCLE]}
    return library(found, body_file, header | {"made_up": True}), report


def _header(report: Report, cutoff: float | None) -> dict:
    sources = sorted({figures["source"] for figures in report.takes.values()})
    return {
        "held_out": list(HELD_OUT),
        "cross_sources": list(CROSS_SOURCES),
        "low_pass_hz": cutoff,
        "margin_s": MARGIN_S,
        "licences": {source: licence_of(source) for source in sources},
        "skipped": [list(pair) for pair in report.skipped],
    }


def licence_of(source: str) -> str:
    """Terms of a source by its name; of a folder nobody knows, that its owner does."""
    known = (terms for begin, terms in LICENCES.items() if source.startswith(begin))
    return next(known, "not known to avatarlab: see where the files come from")


def library(made: Sequence[tuple[Take, Sequence]], body_file: str | Path | None, header: dict) -> Library:
    """Pieces (poses, trans, begin s) of takes, one after the other, as a Library with a header of its own figures."""
    body = Body.load(body_file)
    pieces = [(take, *piece) for take, found in made for piece in found]
    counts = {source: [0, 0] for source in sorted({take.source for take, *_ in pieces})}
    for take, _, trans, _ in pieces:
        counts[take.source][0] += 1
        counts[take.source][1] += len(trans)
    about = {"rate": RATE, "bases": {name: body.bases[name] for name in RESTS_ON}, "segments_frames": counts}
    return Library(
        poses=np.concatenate([poses for _, poses, _, _ in pieces]),
        trans=np.concatenate([trans for _, _, trans, _ in pieces]),
        starts=np.cumsum([0] + [len(trans) for _, _, trans, _ in pieces]),
        clips=tuple(take.name for take, *_ in pieces),
        subjects=tuple(take.subject for take, *_ in pieces),
        sources=tuple(take.source for take, *_ in pieces),
        rest=Skeleton.of(body).rest.numpy(),
        header=header | about | {"begins_s": [round(begin, 3) for *_, begin in pieces]},
    )
