"""One Gauss-Newton step under the stature's constraint, and the shape's certainty at the end."""

import torch
from torch import Tensor

from avatarlab.fit.estimator.residuals import DOUBLE, NormalEquations
from avatarlab.fit.estimator.state import CAMERA, PER_VIEW

TURN_LIMIT = 0.35
"""Longest step of any angle (rad)."""
SHAPE_LIMIT = 1.5


def constrained_step(
    normal: NormalEquations, slope: Tensor | None, missing: float, damping: float, free: Tensor
) -> Tensor:
    """Solve H s = -g over the ``free`` columns (P,) bool, with slope (S,) . s_shape = missing (m).

    ``slope`` None: the shape is not free. ``damping`` is added relative to the diagonal; long steps are shortened as a whole.
    """
    index = torch.nonzero(free)[:, 0]
    h = normal.h[index[:, None], index]
    h = h + torch.diag(damping * h.diagonal() + 1e-6)
    step = torch.zeros_like(normal.g)
    if slope is None:
        step[index] = torch.linalg.solve(h, -normal.g[index])
    else:
        line = torch.zeros(len(index), dtype=DOUBLE)
        line[: normal.shapes] = slope
        both = torch.linalg.solve(h, torch.stack([-normal.g[index], line], 1))
        plain, along = both.unbind(1)
        step[index] = plain + along * (missing - line @ plain) / (line @ along)
    return step * min(1.0, _limit(step[: normal.shapes], SHAPE_LIMIT), _limit(_turns(step, normal), TURN_LIMIT))


def _turns(step: Tensor, normal: NormalEquations) -> Tensor:
    """The angles of a step: all but shape, shifts and focal."""
    rest = step[normal.shapes :].reshape(-1, PER_VIEW)
    return torch.cat([rest[:, :3], rest[:, CAMERA:]], 1)


def _limit(part: Tensor, limit: float) -> float:
    longest = float(part.abs().max()) if part.numel() else 0.0
    return limit / longest if longest > limit else 1.0


def shape_system(normal: NormalEquations) -> tuple[Tensor, Tensor]:
    """H (S, S) and g (S,) of the shape alone, cameras and poses eliminated (Schur complement)."""
    s = normal.shapes
    rest = normal.h[s:, s:] + 1e-6 * torch.eye(len(normal.h) - s, dtype=DOUBLE)
    back = torch.linalg.solve(rest, torch.cat([normal.h[s:, :s], normal.g[s:, None]], 1))
    reduced = torch.cat([normal.h[:s, :s], normal.g[:s, None]], 1) - normal.h[:s, s:] @ back
    return reduced[:, :s], reduced[:, s]
