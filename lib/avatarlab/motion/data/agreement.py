"""A library beside somebody else's retarget of the same takes, and its feet beside the floor."""

import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz
from avatarlab.motion.data.library import Library
from avatarlab.motion.data.recordings import takes_in, unpacked
from avatarlab.motion.data.retarget.retarget import LIMBS, retarget
from avatarlab.motion.data.retarget.tables import table_for
from avatarlab.motion.formats.opening import read
from avatarlab.motion.formats.recording import Recording
from avatarlab.motion.rotations import UPRIGHT
from avatarlab.motion.skeleton import COUNT, JOINT, NAMES, Skeleton

TRUNK = tuple(
    JOINT[name] for name in NAMES if name in ("pelvis", "neck", "head") or "spine" in name or "collar" in name
)
LAG, LEAST = 4, 40
"""Frames by which two retargets of a take may be shifted, frames that they must share to be compared."""


class Reference:
    """Segments of cmu_hdm05_smpl22_60fps_lp8.npz (see its LICENSES.md): poses (T, 22, 3) rad by take and begin."""

    def __init__(self, path: str | Path):
        arrays, _ = read_npz(path)
        if missing := {"poses", "seg_start", "seg_len", "seg_file", "seg_first_frame60"} - {*arrays}:
            raise InputError(f"{path}: has no {', '.join(sorted(missing))}; the reference retarget was expected.")
        self.segments = defaultdict(list)
        rows = zip(*(arrays[f"seg_{key}"] for key in ("file", "first_frame60", "start", "len")), strict=True)
        for file, first, start, count in rows:
            poses = arrays["poses"][start : start + count].reshape(-1, COUNT, 3)
            self.segments[str(file).rsplit(".", 1)[0]].append((int(first), poses))


def agreement(library: Library, reference: Reference, stride: int = 1) -> dict[str, dict[str, float]]:
    """By source, both rotations put on the library's skeleton: how far joints are apart, seen from the pelvis.

    Every ``stride``-th segment. Figures: frames; mean_cm, median_cm over frames and joints; trunk_deg, the median angle
    of pelvis, spine, neck, head and collars in the world.
    """
    found = defaultdict(list)
    skeleton = Skeleton(torch.as_tensor(library.rest).float())
    for segment in range(0, len(library), stride):
        begin = round(library.header["begins_s"][segment] * library.header["rate"])
        mine = library.poses[library.frames(segment)]
        for first, theirs in reference.segments.get(library.clips[segment], ()):
            pairs = (_shared(mine, begin, theirs, first + lag) for lag in range(-LAG, LAG + 1))
            compared = [_apart(skeleton, *pair) for pair in pairs if len(pair[0]) >= LEAST]
            if compared:
                found[library.sources[segment]].append(min(compared, key=lambda pair: float(pair[0].mean())))
    return {source: _figures(parts) for source, parts in sorted(found.items())}


def _shared(mine: np.ndarray, begin: int, theirs: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    """The frames that two pieces (T, 22, 3) share, which begin at frames ``begin`` and ``first`` of a take."""
    start, stop = max(begin, first), min(begin + len(mine), first + len(theirs))
    return mine[start - begin : max(start, stop) - begin], theirs[start - first : max(start, stop) - first]


def _apart(skeleton: Skeleton, mine: np.ndarray, theirs: np.ndarray) -> tuple[Tensor, Tensor]:
    """Distances (T, 22) cm between joints seen from the pelvis, angles (T, K) deg between the trunk's rotations."""
    a, b = (skeleton.fk(roma.rotvec_to_rotmat(torch.as_tensor(poses))) for poses in (mine, theirs))
    far = ((a[1] - a[1][:, :1]) - (b[1] - b[1][:, :1])).norm(dim=-1)
    angle = roma.rotmat_geodesic_distance(a[0][:, TRUNK], b[0][:, TRUNK])
    return 100 * far, torch.rad2deg(angle)


def _figures(parts: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    far, angle = (torch.cat(part) for part in zip(*parts, strict=True))
    return {
        "frames": len(far),
        "mean_cm": float(far.mean()),
        "median_cm": float(far.median()),
        "trunk_deg": float(angle.median()),
    }


def limb_angles(recording: Recording, skeleton: Skeleton) -> np.ndarray:
    """Angles (T, 8) deg between the limbs of a recording and those of its retarget; T without dropped frames."""
    table, motion = table_for(recording), retarget(recording, skeleton)
    ours = skeleton.fk(*motion)[1].numpy()
    theirs = recording.positions[table.drop :]
    column = {name: recording.names.index(theirs[0]) for name, theirs in table.joints.items()}
    angles = []
    for start, end in LIMBS.items():
        a = theirs[:, column[end]] - theirs[:, column[start]]
        b = (ours[:, JOINT[end]] - ours[:, JOINT[start]]) @ np.array(UPRIGHT)  # back to y up
        a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
        angles.append(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=1) / 2, 0, 1)))
    return np.degrees(np.stack(angles, 1))


def worst_limb(folder: Path, skeleton: Skeleton, every: int) -> tuple[int, float]:
    """(takes, degrees): how far limbs are off the recorded ones at most, in every so many takes of the ASF sources."""
    worst, looked = 0.0, 0
    with tempfile.TemporaryDirectory() as scratch:
        for source in unpacked(folder, Path(scratch)):
            takes = [take for take in takes_in(source)[0] if take.skeleton]
            for take in takes[::every]:
                worst = max(worst, float(limb_angles(read(take.path, take.skeleton), skeleton).max()))
                looked += 1
    return looked, worst


def positions_of(library: Library, segment: int) -> Tensor:
    """Positions (T, 22, 3) m of the joints in a segment."""
    frames = library.frames(segment)
    rotations = roma.rotvec_to_rotmat(torch.as_tensor(library.poses[frames]))
    return Skeleton(torch.as_tensor(library.rest).float()).fk(rotations, torch.as_tensor(library.trans[frames]))[1]


def lowest_balls(library: Library) -> np.ndarray:
    """By segment, the height (m) below which the lower ball of the foot is in two of a hundred frames."""
    balls = [JOINT["left_foot"], JOINT["right_foot"]]
    lowest = (positions_of(library, segment)[:, balls, 2].amin(1) for segment in range(len(library)))
    return np.array([np.percentile(heights, 2.0) for heights in lowest])
