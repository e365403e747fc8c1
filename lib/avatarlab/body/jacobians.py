"""How points of a posed body move with shape and pose, in closed form: one forward pass instead of a hundred.

Skinning is linear in the shape, and turning a joint turns all that hangs below it about that joint. Left out is how
the pose correctives change with the pose (millimetres where the turn itself moves a point by decimetres), so slopes by
pose are a few per cent off near joints; slopes by shape are exact.
"""

import numpy as np
import roma
import torch
from scipy.sparse import csr_array
from torch import Tensor

from avatarlab.body.layout import PARENTS
from avatarlab.body.model import Body
from avatarlab.body.skinning import Offsets

NOTHING_M, SPARSE = 1e-7, 0.2
"""Correctives under this are dropped; if less than this share of them is left, they are kept sparse."""
_SMALL = 1e-3
"""Angle (rad) under which the series of sine and cosine are taken."""


class Jacobians:
    """The parts of a body that its slopes need; ``at(betas, pose)`` poses it."""

    def __init__(self, body: Body, shapes: int, turned: range, vertices: Tensor | None = None):
        """``shapes`` first components; ``turned`` joints (no root); ``vertices`` (K,) if only those are wanted."""
        self.shapes, self.turned = shapes, torch.tensor(turned)
        self.joint_points, self.chain = body._joints, body._chain
        self.skin = body._skin if vertices is None else body._subset(vertices)
        self.directions = self.skin.points.shape.dense(shapes).permute(2, 1, 0).contiguous()
        self.correctives = _sparse(self.skin.correctives)
        self.weights = self.skin.weights.T.contiguous()
        self.joints = body._joints.shape.dense(shapes).permute(2, 1, 0).contiguous()
        self.above = _ancestors()
        self.parents = torch.tensor(PARENTS)

    def at(self, betas: Tensor, pose: Tensor) -> "Posture":
        """betas (S,), pose (55, 3) rad -> the body there."""
        with torch.no_grad():
            return Posture(self, betas, pose)

    def corrected(self, rest: Tensor, local: Tensor) -> Tensor:
        """What the skin's ``corrected`` gives, for one body: rest (1, 3, V), local rotations (1, 55, 3, 3)."""
        if self.correctives is None:
            return self.skin.corrected(rest, local)
        features = (local[0, 1:] - torch.eye(3)).reshape(-1)[self.skin.correctives.columns]
        offsets = torch.from_numpy(self.correctives @ features.numpy()).view(3, -1)
        return rest.index_add(2, self.skin.correctives.points, offsets[None])


class Posture:
    """A posed body: vertices (V, 3) and joints (55, 3) m, and the slopes of any of its points; ``joints_by_shape``.

    Slopes are (N, 3, S) by shape and (N, 3, 3 J) by the axis-angles of the J turned joints, both m per unit.
    """

    def __init__(self, parts: Jacobians, betas: Tensor, pose: Tensor):
        self.parts, skin = parts, parts.skin
        rest_joints = parts.joint_points.rest(betas[None], None).mT
        local = roma.rotvec_to_rotmat(pose[None])
        rotations, joints = parts.chain(local, rest_joints)
        shift = joints[..., None] - rotations @ rest_joints[..., None]
        moved = torch.cat([rotations, shift], 3)
        self.rest = parts.corrected(skin.points.rest(betas[None], None), local)
        self.vertices = skin.blended(self.rest, moved)[0].mT
        self.joints, self.moved = joints[0], moved[0]
        self.joints_by_shape = self._joint_slopes()
        self._axes = self.moved[parts.parents[parts.turned], :, :3] @ left_jacobian(pose[parts.turned])

    def _joint_slopes(self) -> Tensor:
        """(55, 3, S): how the posed joints move with the shape."""
        parts, rotations = self.parts, self.moved[:, :, :3]
        bones = parts.joints.clone()
        bones[1:] -= parts.joints[parts.parents[1:]]
        bones[1:] = rotations[parts.parents[1:]] @ bones[1:]
        return (parts.above @ bones.flatten(1)).unflatten(1, (3, -1))

    def joint_slopes(self) -> tuple[Tensor, Tensor]:
        """Slopes of the 55 joints by shape and by pose."""
        arms = self.joints[:, None] - self.joints[self.parts.turned]
        below = self.parts.above[:, self.parts.turned]
        return self.joints_by_shape, self._turned(arms * below[..., None])

    def vertex_slopes(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes of the vertices ``chosen`` (K,), numbers within ``vertices``, by shape and by pose."""
        parts = self.parts
        weights, rotations = parts.weights[chosen], self.moved[:, :, :3]
        blend = (weights @ rotations.flatten(1)).unflatten(1, (3, 3))
        shift = self.joints_by_shape - rotations @ parts.joints
        by_shape = blend @ parts.directions[chosen] + (weights @ shift.flatten(1)).unflatten(1, (3, -1))
        point = torch.cat([self.rest[0, :, chosen], self.rest.new_ones(1, len(chosen))])
        each = (self.moved.reshape(-1, 4) @ point).T.reshape(-1, len(rotations), 3)
        each = torch.cat([each, torch.ones_like(each[..., :1])], 2) * weights[..., None]
        below = parts.above[:, parts.turned]
        total = torch.einsum("kdc,dj->kjc", each, below)
        arms = total[..., :3] - total[..., 3:] * self.joints[parts.turned]
        return by_shape, self._turned(arms)

    def _turned(self, arms: Tensor) -> Tensor:
        """arms (N, J, 3) m, from each joint to what it carries of a point -> slopes (N, 3, 3 J)."""
        slopes = torch.linalg.cross(self._axes.mT[None], arms[:, :, None], dim=-1)
        return slopes.permute(0, 3, 1, 2).flatten(2)


def _sparse(correctives: Offsets) -> csr_array | None:
    """(3 R, C) of the offsets of R points; None where most entries count, so that a dense product is faster."""
    flat = correctives.matrix.flatten(1).T.cpu().numpy()
    counts = np.abs(flat) > NOTHING_M
    return csr_array(np.where(counts, flat, 0)) if flat.size and counts.mean() < SPARSE else None


def left_jacobian(turn: Tensor) -> Tensor:
    """Axis-angles (N, 3) rad -> (N, 3, 3): the turn in space per change of the axis-angle."""
    angle = turn.norm(dim=1)[:, None, None]
    small, safe = angle < _SMALL, angle.clamp_min(_SMALL)
    cross = cross_matrices(turn)
    first = torch.where(small, 0.5 - angle**2 / 24, (1 - safe.cos()) / safe**2)
    second = torch.where(small, 1 / 6 - angle**2 / 120, (safe - safe.sin()) / safe**3)
    return torch.eye(3).to(turn) + first * cross + second * cross @ cross


def _ancestors() -> Tensor:
    """(55, 55): 1 where the second joint is the first or above it."""
    above = torch.eye(len(PARENTS))
    for joint, parent in enumerate(PARENTS[1:], start=1):
        above[joint] += above[parent]
    return above


def cross_matrices(v: Tensor) -> Tensor:
    """v (N, 3) -> (N, 3, 3) with m @ w = v x w."""
    zero = torch.zeros_like(v[:, 0])
    x, y, z = v.unbind(1)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
