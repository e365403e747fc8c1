"""From the axes of a headset's software into ours and back: handedness, up axis, quaternions.

Ours: right-handed, z up, metres; who looks along -y has the left hand at +x. A device that points straight ahead with
its top up has the rotation UPRIGHT, as a joint of a body at rest has: its own axes are x left, y up, z ahead.
"""

import math

import roma
import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.core.shapes import expect
from avatarlab.motion.rotations import upright

DEVICES = ("head", "left", "right")
"""What the three devices are called, in the order that they have everywhere."""
FLIPS = {"unity": (-1.0, 1.0, 1.0), "openxr": (-1.0, 1.0, -1.0)}
"""Signs that take x, y, z of a software into a y-up right-handed frame, x left and z ahead, in world and device alike.

Unity: left-handed, x right, y up, z ahead. OpenXR: right-handed, x right, y up, z back. Sources: SAGE's real_demo
(facts); OpenXR 1.0 specification, section 2.16 (coordinate system).
"""
HELD = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    ((0.0, 0.0, -1.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
)
"""How headset, left and right controller are turned, from the joints they belong to, in somebody's T-pose.

Controllers point outwards along the arms with their tops ahead. Source: SAGE's process_quan (facts).
"""
SHORTEST = 0.5
"""A quaternion shorter than this, or longer than 1 / it, is no rounded rotation."""


def flip(axes: str, like: Tensor) -> Tensor:
    """The signs (3,) of FLIPS as a tensor like ``like``; unknown ``axes`` raise InputError."""
    if axes not in FLIPS:
        raise InputError(f"axes: got {axes!r}, expected one of {', '.join(FLIPS)}.")
    return like.new_tensor(FLIPS[axes])


def into(axes: str, positions: Tensor, quaternions: Tensor) -> tuple[Tensor, Tensor]:
    """Positions (..., 3) m and unit quaternions (..., 4), x y z w, of a software -> our rotations (..., 3, 3), positions."""
    expect("quaternions", quaternions, (..., 4))
    signs, up = flip(axes, positions), upright(positions)
    turned = roma.unitquat_to_rotmat(quaternions) * signs[:, None] * signs
    return up @ turned, (up @ (positions * signs)[..., None])[..., 0]


def back(axes: str, rotations: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Our rotations (..., 3, 3), positions (..., 3) -> a software's positions (..., 3), quaternions (..., 4) x y z w."""
    expect("rotations", rotations, (..., 3, 3))
    signs, down = flip(axes, positions), upright(positions).mT
    quaternions = roma.rotmat_to_unitquat((down @ rotations) * signs[:, None] * signs)
    return (down @ positions[..., None])[..., 0] * signs, quaternions


def joints_of(rotations: Tensor) -> Tensor:
    """Rotations (..., 3, 3, 3) of the devices -> of the joints (..., 3, 3, 3) if they are held exactly as HELD says."""
    return rotations @ rotations.new_tensor(HELD).mT


def unit(quaternions: Tensor, where) -> Tensor:
    """Quaternions (N, D, 4) made exactly unit length; one near zero or far from 1 raises InputError.

    ``where(n, d)`` says in words in which line, of which device, the faulty one is.
    """
    length = quaternions.norm(dim=-1)
    wrong = (~((length > SHORTEST) & (length < 1 / SHORTEST))).nonzero()
    if len(wrong):
        n, d = wrong[0].tolist()
        size = float(length[n, d])
        text = "NaN" if math.isnan(size) else f"{size:.3g}"
        raise InputError(
            f"{where(n, d)}: its quaternion has length {text}, expected 1 (x, y, z, w); "
            "was the device off? mark it as not tracked, or cut the line."
        )
    return quaternions / length[..., None]


def numbers(rows: list, where) -> Tensor:
    """Rows (N, D, ...) of floats as a tensor of doubles; NaN or infinity raises InputError, ``where`` as in ``unit``."""
    table = torch.tensor(rows, dtype=torch.float64)
    wrong = (~torch.isfinite(table)).nonzero()
    if len(wrong):
        raise InputError(f"{where(*wrong[0, :2].tolist())}: got NaN or an infinite number; cut the line.")
    return table
