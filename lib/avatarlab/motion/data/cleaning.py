"""Recorded motion made fit to learn from: cut where it jumps, low-passed, at 60 Hz, with its floor at zero.

Filter: Butterworth of order 4 at 8 Hz run forwards and backwards (no delay; -6 dB at 8 Hz), on each rotation's
quaternion with its sign kept from frame to frame, made of length one again, and on the translation. A steady turn at
45 rad/s moves its quaternion at 3.6 Hz, of which the filter leaves 0.998: the length hardly matters. It runs at the
recording's own rate, above 60 Hz, so that taking every second frame afterwards folds nothing back.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.signal import butter, sosfiltfilt
from scipy.spatial.transform import Rotation

from avatarlab.core.errors import InputError
from avatarlab.motion.data.resampling import positions_at, rotations_at, ticks
from avatarlab.motion.predictor import Motion
from avatarlab.motion.skeleton import COUNT, JOINT, NAMES
from avatarlab.motion.trackers import RATE

CUTOFF_HZ, ORDER = 8.0, 4
SHORTEST = 60
"""Frames at 60 Hz below which a piece is not kept."""
FAST, FASTER, HEAD_LIMIT, WRIST_LIMIT = 30.0, 45.0, 40.0, 60.0
LIMITS = np.array([
    np.inf if name.endswith("foot")
    else WRIST_LIMIT if name.endswith("wrist")
    else HEAD_LIMIT if name == "head"
    else FASTER if any(part in name for part in ("shoulder", "elbow", "ankle"))
    else FAST
    for name in NAMES
])  # fmt: skip
"""Fastest turn of each joint against its parent (rad/s) that is believed; above, the recording jumped. Toes may."""
STEP_S = 1 / 60
"""Time over which a turn is measured: over less, the noise of markers looks like jumps."""
FASTEST_M_S = 12.0
"""Fastest way of the pelvis that is believed."""
MARGIN_S = 0.05
"""What is cut off at each side of a jump: the trackers' software had begun to slide towards it."""
FLOOR_PERCENTILE = 2.0
FLOOR_LIMIT_M = 0.12
"""Farthest from zero where a recording's floor is still found to be its floor and is brought to zero."""


class Piece(NamedTuple):
    """A clean stretch of a recording at 60 Hz: motion, and the second of the recording where it begins."""

    motion: Motion
    begin_s: float


def speeds(motion: Motion, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Turning speeds (T - k, 22) rad/s of joints against their parents, and the pelvis' (T - k,) m/s, over STEP_S.

    k is how many frames STEP_S is at ``rate`` Hz, at least one.
    """
    rotations, trans, k = motion.rotations.numpy(), motion.trans.numpy(), max(1, round(STEP_S * rate))
    step = np.swapaxes(rotations[:-k], -1, -2) @ rotations[k:]
    across = np.stack([step[..., i, j] - step[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], -1)
    angle = np.arctan2(np.linalg.norm(across, axis=-1), np.trace(step, axis1=-2, axis2=-1) - 1)
    return angle * rate / k, np.linalg.norm(trans[k:] - trans[:-k], axis=-1) * rate / k


def spoilt(motion: Motion, rate: float) -> np.ndarray:
    """(T,) whether a frame lies in or within MARGIN_S of a stretch where something moves impossibly fast."""
    turning, moving = speeds(motion, rate)
    impossible = ~((turning <= LIMITS).all(1) & (moving <= FASTEST_M_S))  # NaN is impossible too
    k, margin = len(motion.trans) - len(impossible), round(MARGIN_S * rate)
    marks = np.zeros(len(motion.trans), bool)
    for first in np.flatnonzero(impossible):
        marks[max(0, first + 1 - margin) : first + k + margin] = True
    return marks


def stretches(marks: np.ndarray) -> list[tuple[int, int]]:
    """Marks (T,) -> [(begin, end)] of the stretches of frames without one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], marks, [True]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def low_passed(values: np.ndarray, rate: float, cutoff: float = CUTOFF_HZ) -> np.ndarray:
    """Values (T, ...) at ``rate`` Hz without what is faster than ``cutoff`` Hz, not delayed."""
    if rate <= 2 * cutoff:
        return values
    filtering = butter(ORDER, cutoff, fs=rate, output="sos")
    room = min(len(values) - 1, int(rate / cutoff) * 4)
    return sosfiltfilt(filtering, values, axis=0, padlen=room)


def steady(quaternions: np.ndarray) -> np.ndarray:
    """Quaternions (T, ..., 4), each with the sign that is nearer to the frame before."""
    dots = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdims=True)
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
    return np.concatenate([quaternions[:1], quaternions[1:] * signs])


def smoothed(motion: Motion, rate: float, cutoff: float | None = CUTOFF_HZ) -> Motion:
    """Motion at any ``rate`` Hz -> at 60 Hz, low-passed at ``cutoff`` Hz (None: only resampled)."""
    times = ticks(len(motion.trans), rate, RATE)
    rotations, trans = motion.rotations.numpy(), motion.trans.numpy()
    if cutoff is not None:
        turned = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat().reshape(-1, COUNT, 4)
        turned = low_passed(steady(turned), rate, cutoff)
        rotations = Rotation.from_quat(turned.reshape(-1, 4)).as_matrix().reshape(-1, COUNT, 3, 3)
        trans = low_passed(trans, rate, cutoff)
    if np.array_equal(times, np.round(times)):
        chosen = times.astype(int)
        rotations, trans = rotations[chosen], trans[chosen]
    else:
        rotations, trans = rotations_at(rotations, times), positions_at(trans, times)
    return Motion(torch.from_numpy(rotations), torch.from_numpy(trans))


def cleaned(motion: Motion, rate: float, cutoff: float | None = CUTOFF_HZ) -> list[Piece]:
    """Motion at ``rate`` Hz -> its clean pieces at 60 Hz of 60 frames or more."""
    shortest = int(np.ceil(SHORTEST / RATE * rate))
    pieces = []
    if len(motion.trans) < shortest:
        return pieces
    for begin, end in stretches(spoilt(motion, rate)):
        if end - begin < shortest:
            continue
        part = smoothed(Motion(motion.rotations[begin:end], motion.trans[begin:end]), rate, cutoff)
        if len(part.trans) >= SHORTEST:
            pieces.append(Piece(part, begin / rate))
    return pieces


def floor_height(positions: np.ndarray, ball: float) -> float:
    """Positions (T, 22, 3) m -> height (m) of the floor: how high the lower ball of the foot was in the lowest frames.

    ``ball`` (m): how high that joint is above the sole at rest. Who stands on tiptoe has it no nearer to the floor.
    """
    balls = positions[:, [JOINT["left_foot"], JOINT["right_foot"]], 2].min(1)
    return float(np.percentile(balls, FLOOR_PERCENTILE)) - ball


def check_floor(height: float) -> None:
    """Refuse a recording whose floor is too far from zero to be the floor (a person who hovers, another unit)."""
    if abs(height) > FLOOR_LIMIT_M:
        raise InputError(f"its floor is at {height:+.2f} m, expected within {FLOOR_LIMIT_M} m of zero.")
