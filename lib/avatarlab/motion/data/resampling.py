"""Motion at another rate: between frames, rotations on SO(3) and positions in space follow cubics through the frames."""

import numpy as np
from scipy.spatial.transform import Rotation

from avatarlab.core.errors import InputError
from avatarlab.core.shapes import expect

_SLACK = 1e-4
"""Frames by which the last tick may lie behind the last frame: rates like 120.00004577 Hz are rounded ones."""


def ticks(count: int, rate: float, new_rate: float) -> np.ndarray:
    """Times (N,), in frames of ``count`` ones at ``rate`` Hz, of all ticks at ``new_rate`` Hz from the first frame on.

    The last is the last that is not behind the last frame. A rate that is no number above 0 raises InputError.
    """
    for name, value in (("rate", rate), ("new rate", new_rate)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name}: got {value}, expected frames a second above 0.")
    step = rate / new_rate
    last = int((count - 1) / step + _SLACK / step)
    return np.minimum(np.arange(last + 1) * step, count - 1)


def positions_at(positions: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Positions (T, ..., D) at ``times`` (N,) in frames -> (N, ..., D): a Catmull-Rom cubic, exact on lines."""
    positions = np.asarray(positions, dtype=float)
    rows, part = _neighbours(len(positions), times)
    points = [positions[row] - positions[rows[1]] for row in rows]
    return positions[rows[1]] + _cubic(points, rows, part)


def rotations_at(rotations: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rotations (T, ..., 3, 3) at ``times`` (N,) in frames -> (N, ..., 3, 3).

    The cubic of ``positions_at`` in the tangent space at the frame before: exact for a constant angular velocity, where
    it is slerp, and without slerp's corners in the velocity. Source: Park and Ravani, ACM TOG 16 (1997), the idea.
    """
    expect(
        "rotations", rotations, ("T", ..., 3, 3) if rotations.ndim == 3 else ("T", *rotations.shape[1:-2], 3, 3)
    )
    rows, part = _neighbours(len(rotations), times)
    base = rotations[rows[1]]
    shape = base.shape[:-2]
    points = [_log(np.swapaxes(base, -1, -2) @ rotations[row]).reshape(*shape, 3) for row in rows]
    turn = Rotation.from_rotvec(_cubic(points, rows, part).reshape(-1, 3)).as_matrix().reshape(*shape, 3, 3)
    return base @ turn


def _neighbours(count: int, times: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Numbers of the frames before the one before, before, after and after that; and the part of the way between."""
    before = np.clip(np.floor(times).astype(int), 0, max(count - 2, 0))
    rows = [np.clip(before + k, 0, count - 1) for k in (-1, 0, 1, 2)]
    return rows, np.asarray(times) - before


def _cubic(points: list[np.ndarray], rows: list[np.ndarray], part: np.ndarray) -> np.ndarray:
    """Hermite's cubic from points[1] to points[2]; slopes from the neighbours, at the ends of the clip straight."""
    wide = (-1, *[1] * (points[0].ndim - 1))
    u = part.reshape(wide)
    first, last = ((rows[a] == rows[b]).reshape(wide) for a, b in ((0, 1), (2, 3)))
    way = points[2] - points[1]
    leave = np.where(first, way, (points[2] - points[0]) / 2)
    arrive = np.where(last, way, (points[3] - points[1]) / 2)
    return points[1] + u * leave + u**2 * (3 * way - 2 * leave - arrive) + u**3 * (leave + arrive - 2 * way)


def _log(matrices: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec()
