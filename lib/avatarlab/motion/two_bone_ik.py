"""Arms and legs in closed form: a wrist or an ankle goes exactly where it has to, the rest of the limb changes least.

Two bones and a wanted end leave one freedom, the swivel of elbow or knee about the line from the limb's root to its
end. It is kept as the pose had it: the limb is first turned as a whole, the shortest way, until it points at the
target; then the law of cosines bends the hinge. A limb that is nearly straight, or bent the wrong way, has no swivel
to keep; there the hinge's own axis in the bone above takes over without a jump. Everything is a continuous function
of pose and target, so limbs move continuously where both do.
"""

from typing import NamedTuple

import roma
import torch
from torch import Tensor
from torch.nn.functional import normalize

from avatarlab.core.shapes import expect
from avatarlab.motion.skeleton import JOINT, PARENT, Skeleton

STRETCH = 0.9999
"""Share of a limb's length to which it is stretched at most; keeps the bend's direction defined, costs 0.05 mm."""
LEAST_POLE_M = 0.03
"""How far the hinge stays off the line from root to end, on its natural side, when the swivel is decided."""
COLLAR_TURN = 0.35
"""Radians by which a collar may follow its hand when the arm alone is too short."""


class Limbs(NamedTuple):
    """Joints of the left and the right limb: girdle (or None), root, hinge, end; and where the hinge points, at rest."""

    girdle: tuple[int, int] | None
    root: tuple[int, int]
    hinge: tuple[int, int]
    end: tuple[int, int]
    pole: tuple[float, float, float]


def _both(part: str) -> tuple[int, int]:
    return JOINT[f"left_{part}"], JOINT[f"right_{part}"]


ARMS = Limbs(_both("collar"), _both("shoulder"), _both("elbow"), _both("wrist"), (0.0, 0.0, -1.0))
LEGS = Limbs(None, _both("hip"), _both("knee"), _both("ankle"), (0.0, 0.0, 1.0))


def solve_limbs(
    skeleton: Skeleton, limbs: Limbs, rotations: Tensor, trans: Tensor, positions: Tensor, turns: Tensor | None = None,
    weight: Tensor | None = None, posed: tuple[Tensor, Tensor] | None = None,
) -> Tensor:  # fmt: skip
    """Local rotations (..., 22, 3, 3) whose limbs' ends are at ``positions`` (..., 2, 3) m and, if given, turned ``turns``.

    ``trans`` (..., 3) m; ``turns`` (..., 2, 3, 3) world rotations of the ends, which keep the pose's where None.
    ``weight`` (..., 2) from 0, the limb stays as it is, to 1, it reaches; between, it aims between. A place out of
    reach is approached as near as the limb can, arms with some help of the collar. Nothing above the girdle moves.
    ``posed``: world rotations and positions of the pose where they are known already (what ``skeleton.fk`` says).
    """
    expect("rotations", rotations, (..., 22, 3, 3))
    expect("positions", positions, (..., 2, 3))
    world, now = skeleton.fk(rotations, trans) if posed is None else posed
    end = list(limbs.end)
    aim = world[..., end, :, :] if turns is None else turns.to(world)
    positions = positions.to(now)
    if weight is not None:
        positions = now[..., end, :] + weight[..., None] * (positions - now[..., end, :])
        aim = _between(world[..., end, :, :], aim, weight)
    offsets = skeleton.offsets.to(now)
    girdle = None
    if limbs.girdle is not None:
        turn = roma.rotvec_to_rotmat(_help(skeleton, limbs, now, positions))
        girdle = turn @ world[..., list(limbs.girdle), :, :]
        now, world = _carried(limbs, now, world, turn)
    first, second = _bent(limbs, offsets, now, world, positions)
    return _written(limbs, rotations, world, girdle, first, second, aim)


def arms(
    skeleton, rotations: Tensor, trans: Tensor, positions: Tensor, turns: Tensor, weight=None, posed=None
) -> Tensor:
    """``solve_limbs`` for ARMS: left and right wrist at the controllers' ``positions`` (..., 2, 3), rotated as ``turns``."""
    return solve_limbs(skeleton, ARMS, rotations, trans, positions, turns, weight, posed)


def legs(
    skeleton, rotations: Tensor, trans: Tensor, positions: Tensor, turns=None, weight=None, posed=None
) -> Tensor:
    """``solve_limbs`` for LEGS: left and right ankle at ``positions`` (..., 2, 3); feet keep their world rotation if None."""
    return solve_limbs(skeleton, LEGS, rotations, trans, positions, turns, weight, posed)


def reach(skeleton: Skeleton, limbs: Limbs) -> Tensor:
    """How far root and end can be apart (2,), m, without the girdle's help."""
    offsets = skeleton.offsets
    return STRETCH * (offsets[list(limbs.hinge)].norm(dim=-1) + offsets[list(limbs.end)].norm(dim=-1))


def _between(start: Tensor, stop: Tensor, share: Tensor) -> Tensor:
    """World rotations (..., 3, 3) on the shortest way from ``start`` to ``stop``, ``share`` (...) of it."""
    vector = roma.rotmat_to_rotvec(start.mT @ stop)
    return start @ roma.rotvec_to_rotmat(share[..., None] * vector)


def _help(skeleton: Skeleton, limbs: Limbs, now: Tensor, positions: Tensor) -> Tensor:
    """World turns (..., 2, 3) of the girdles, as rotation vectors, that bring the roots within reach; zero where they are."""
    centre, root = now[..., list(limbs.girdle), :], now[..., list(limbs.root), :]
    arm, to = root - centre, positions - centre
    short, far = arm.norm(dim=-1), to.norm(dim=-1).clamp(min=1e-6)
    longest = reach(skeleton, limbs).to(now)
    axis = torch.linalg.cross(arm, to)
    angle = torch.atan2(axis.norm(dim=-1), (arm * to).sum(-1))
    cos = (short.square() + far.square() - longest.square()) / (2 * short * far)
    turn = (angle - torch.acos(cos.clamp(-1 + 1e-6, 1 - 1e-6))).clamp(0, COLLAR_TURN)
    return normalize(axis, dim=-1, eps=1e-9) * turn[..., None]


def _carried(limbs: Limbs, now: Tensor, world: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Places and world rotations after the girdles' turns have moved root, hinge and end."""
    now, world = now.clone(), world.clone()
    centre = now[..., list(limbs.girdle), :]
    for joints in (limbs.root, limbs.hinge, limbs.end):
        joints = list(joints)
        now[..., joints, :] = centre + (turn @ (now[..., joints, :] - centre)[..., None])[..., 0]
        world[..., joints, :, :] = turn @ world[..., joints, :, :]
    return now, world


def _bent(limbs: Limbs, offsets: Tensor, now: Tensor, world: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """World rotations (..., 2, 3, 3) of the bones above and below the hinges that bring the ends to ``positions``."""
    root, hinge, end = (now[..., list(joints), :] for joints in limbs[1:4])
    a, b = (offsets[list(joints)].norm(dim=-1) for joints in (limbs.hinge, limbs.end))
    upper = world[..., list(limbs.root), :, :]
    line = normalize(end - root, dim=-1, eps=1e-6)
    pole = _pole(hinge - root, line, upper @ line.new_tensor(limbs.pole))
    to = positions - root
    far = to.norm(dim=-1)
    aim = torch.where(far[..., None] > 1e-6, normalize(to, dim=-1, eps=1e-9), line)
    swing = _shortest(line, aim)
    wide, bent = (swing @ torch.linalg.cross(line, pole)[..., None])[..., 0], (swing @ pole[..., None])[..., 0]
    far = torch.minimum(torch.maximum(far, (a - b).abs() / STRETCH + 1e-6), STRETCH * (a + b))
    cos = ((a.square() + far.square() - b.square()) / (2 * a * far)).clamp(-1, 1)
    along, across = a * cos, a * (1 - cos.square()).sqrt()
    up = along[..., None] * aim + across[..., None] * bent
    down = far[..., None] * aim - up
    old = torch.linalg.cross(line, pole)
    first = _basis(up, wide) @ _basis(hinge - root, old).mT @ upper
    second = _basis(down, wide) @ _basis(end - hinge, old).mT @ world[..., list(limbs.hinge), :, :]
    return first, second


def _pole(bone: Tensor, line: Tensor, natural: Tensor) -> Tensor:
    """The unit direction (..., 3), square to ``line``, in which the hinge stands off; never to its unnatural side."""
    natural = normalize(_square(natural, line), dim=-1, eps=1e-6)
    off = _square(bone, line)
    lack = (LEAST_POLE_M - (off * natural).sum(-1, keepdim=True)).clamp(min=0)
    return normalize(off + lack * natural, dim=-1, eps=1e-6)


def _square(vector: Tensor, line: Tensor) -> Tensor:
    """What of ``vector`` is at right angles to the unit ``line``."""
    return vector - (vector * line).sum(-1, keepdim=True) * line


def _shortest(start: Tensor, stop: Tensor) -> Tensor:
    """The smallest rotation (..., 3, 3) that takes unit vectors (..., 3) to unit vectors."""
    axis = torch.linalg.cross(start, stop)
    skew = _skew(axis)
    lean = 1 / (1 + (start * stop).sum(-1)).clamp(min=1e-4)
    return torch.eye(3).to(axis) + skew + skew @ skew * lean[..., None, None]


def _skew(v: Tensor) -> Tensor:
    """Vectors (..., 3) -> the matrices (..., 3, 3) of their cross products."""
    zero = torch.zeros_like(v[..., 0])
    x, y, z = v.unbind(-1)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def _basis(bone: Tensor, wide: Tensor) -> Tensor:
    """Rotations (..., 3, 3) whose first column is along ``bone``, the second as near to ``wide`` as can be."""
    first = normalize(bone, dim=-1)
    second = normalize(_square(wide, first), dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)


def _written(limbs: Limbs, rotations, world, girdle, first, second, aim) -> Tensor:
    """The local rotations with girdle, root, hinge and end replaced by what the world rotations say."""
    out = rotations.clone()
    above = world[..., [PARENT[j] for j in limbs.root], :, :] if girdle is None else girdle
    if girdle is not None:
        out[..., list(limbs.girdle), :, :] = world[..., [PARENT[j] for j in limbs.girdle], :, :].mT @ girdle
    out[..., list(limbs.root), :, :] = above.mT @ first
    out[..., list(limbs.hinge), :, :] = first.mT @ second
    out[..., list(limbs.end), :, :] = second.mT @ aim
    return out
