"""Linear blend skinning, planar inside: vertices are (N, 3, V), which halves its time on a CPU.

Leading sizes N may be 1 where all bodies share a value. Source of the equations: Loper et al. 2015 (SMPL), section 3.
"""

from bisect import bisect_left

import numpy as np
import torch
from torch import Tensor, nn


class Offsets(nn.Module):
    """Linear offsets of points, of which only columns and points with a non-zero entry are kept."""

    def __init__(self, columns: Tensor, points: Tensor, matrix: Tensor, count: int):
        """columns (C,) numbers in the file, points (R,) out of ``count``, matrix (C, 3, R) in metres per unit."""
        super().__init__()
        self.count = count
        self.numbers = columns.tolist()
        self.register_buffer("columns", columns)
        self.register_buffer("points", points)
        self.register_buffer("matrix", matrix)

    @classmethod
    def of(cls, directions: np.ndarray) -> "Offsets":
        """directions (V, 3, C) as in the file -> the non-zero part of them."""
        used = directions != 0
        points, columns = np.flatnonzero(used.any(axis=(1, 2))), np.flatnonzero(used.any(axis=(0, 1)))
        kept = directions if used.shape == (len(points), 3, len(columns)) else directions[points][:, :, columns]
        matrix = np.ascontiguousarray(kept.transpose(2, 1, 0), dtype=np.float32)
        return cls(*map(torch.from_numpy, (columns, points, matrix)), len(directions))

    def only(self, chosen: Tensor) -> "Offsets":
        """Return the offsets of the points ``chosen`` (K,), renumbered 0 to K - 1."""
        row = torch.full((self.count,), -1, device=chosen.device)
        row[self.points] = torch.arange(len(self.points), device=chosen.device)
        row = row[chosen]
        points = torch.nonzero(row >= 0)[:, 0]
        return Offsets(self.columns, points, self.matrix[:, :, row[points]], len(chosen))

    def dense(self, columns: int) -> Tensor:
        """Return (columns, 3, V): the first columns of all points, zeros included."""
        used = bisect_left(self.numbers, columns)
        full = self.matrix.new_zeros(columns, 3, self.count)
        full[self.columns[:used, None], :, self.points] = self.matrix[:used].transpose(1, 2)
        return full

    def through(self, regressor: Tensor) -> "Offsets":
        """regressor (P, V) -> the offsets of the points it makes, in the columns that move any of them."""
        matrix = self.matrix @ regressor[:, self.points].T
        moves = (matrix != 0).flatten(1).any(1)
        return Offsets(self.columns[moves], torch.arange(len(regressor)), matrix[moves], len(regressor))

    def forward(self, base: Tensor, coefficients: Tensor | None) -> Tensor:
        """base (N, 3, V), coefficients (N, B), B of any length -> base plus the offsets they call for."""
        if coefficients is None:
            return base
        used = bisect_left(self.numbers, coefficients.shape[1])
        if used == 0 or len(self.points) == 0:
            return base
        weights = coefficients[:, self.columns[:used]]
        offsets = (weights @ self.matrix[:used].flatten(1)).unflatten(1, (3, -1))
        if len(self.points) == self.count:
            return base + offsets
        rows = max(len(base), len(offsets))
        return base.expand(rows, -1, -1).index_add(2, self.points, offsets.expand(rows, -1, -1))


class Points(nn.Module):
    """Points with a place in the T-pose that depends on shape and expression: the skin, or the joints."""

    def __init__(self, template: Tensor, shape: Offsets, expression: Offsets):
        """template (3, V) in metres."""
        super().__init__()
        self.register_buffer("template", template)
        self.shape, self.expression = shape, expression

    def through(self, regressor: Tensor) -> "Points":
        """regressor (P, V) -> the points it makes of these."""
        shape, expression = self.shape.through(regressor), self.expression.through(regressor)
        return Points(self.template @ regressor.T, shape, expression)

    def only(self, chosen: Tensor) -> "Points":
        """Return the points ``chosen`` (K,) alone."""
        return Points(self.template[:, chosen], self.shape.only(chosen), self.expression.only(chosen))

    def rest(self, betas: Tensor | None, expression: Tensor | None) -> Tensor:
        """betas (N, B), expression (N, E) -> T-pose points (N, 3, V) in metres."""
        return self.expression(self.shape(self.template[None], betas), expression)


class Skin(nn.Module):
    """The surface: its points, pose correctives and skin weights (55, V)."""

    def __init__(self, points: Points, correctives: Offsets, weights: Tensor):
        super().__init__()
        self.points, self.correctives = points, correctives
        self.register_buffer("weights", weights)

    def only(self, chosen: Tensor) -> "Skin":
        """Return the skin of the vertices ``chosen`` (K,) alone."""
        return Skin(self.points.only(chosen), self.correctives.only(chosen), self.weights[:, chosen].contiguous())

    def posed(self, rest: Tensor, local: Tensor, moved: Tensor) -> Tensor:
        """rest (N, 3, V), local rotations (N, 55, 3, 3), transforms ``moved`` (N, 55, 3, 4) -> (N, 3, V)."""
        return self.blended(self.corrected(rest, local), moved)

    def corrected(self, rest: Tensor, local: Tensor) -> Tensor:
        """rest (N, 3, V), local rotations (N, 55, 3, 3) -> (N, 3, V) with the pose's correctives, still in T-pose."""
        features = local[:, 1:] - torch.eye(3, dtype=local.dtype, device=local.device)
        return self.correctives(rest, features.flatten(1))

    def blended(self, v: Tensor, moved: Tensor) -> Tensor:
        """v (N, 3, V) in T-pose, transforms ``moved`` (N, 55, 3, 4) -> (N, 3, V)."""
        t = (moved.flatten(2).mT @ self.weights).unflatten(1, (3, 4))
        x, y, z = v[:, None].unbind(2)
        return t[:, :, 0] * x + t[:, :, 1] * y + t[:, :, 2] * z + t[:, :, 3]


class KinematicChain(nn.Module):
    """The joint tree, walked one generation at a time."""

    def __init__(self, parents: tuple[int, ...]):
        super().__init__()
        depth = [0] * len(parents)
        for joint, parent in enumerate(parents[1:], start=1):
            depth[joint] = depth[parent] + 1
        generations = [[j for j, d in enumerate(depth) if d == k] for k in range(max(depth) + 1)]
        self.count = len(generations)
        for k, members in enumerate(generations):
            slots = [generations[k - 1].index(parents[j]) for j in members] if k else [0]
            self.register_buffer(f"members_{k}", torch.tensor(members))
            self.register_buffer(f"parents_{k}", torch.tensor(slots))
        self.register_buffer("order", torch.argsort(torch.tensor(sum(generations, []))))
        self.register_buffer("parents", torch.tensor([0, *parents[1:]]))

    def forward(self, local: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """local rotations (N, 55, 3, 3), rest joints (N, 55, 3) m -> world rotations, posed joints (N, 55, 3) m."""
        rest = rest.expand(max(len(local), len(rest)), -1, -1)
        bones = (rest - rest[:, self.parents])[..., None]
        rotations, positions = [local[:, :1]], [rest[:, :1, :, None]]
        for k in range(1, self.count):
            members, slots = getattr(self, f"members_{k}"), getattr(self, f"parents_{k}")
            above = rotations[-1][:, slots]
            positions.append(positions[-1][:, slots] + above @ bones[:, members])
            rotations.append(above @ local[:, members])
        return torch.cat(rotations, 1)[:, self.order], torch.cat(positions, 1)[:, self.order, :, 0]
