"""Rotations as motion networks say them: six numbers (two columns), and headings about the vertical of a z-up world."""

import roma
import torch
from torch import Tensor

from avatarlab.core.shapes import expect

UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
"""+90 degrees about x: from a body at rest (y up, facing +z) into the z-up world of AMASS (facing -y)."""


def to_6d(matrices: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) -> (..., 6): first column, then second. Source: Zhou et al., arXiv:1812.07035."""
    expect("matrices", matrices, (..., 3, 3))
    return matrices[..., :, :2].mT.flatten(-2)


def from_6d(numbers: Tensor) -> Tensor:
    """Any six numbers (..., 6) -> the rotation (..., 3, 3) that Gram and Schmidt make of the two columns."""
    expect("numbers", numbers, (..., 6))
    return roma.special_gramschmidt(numbers.unflatten(-1, (2, 3)).mT)


def upright(like: Tensor) -> Tensor:
    """UPRIGHT (3, 3) as a tensor of the type and device of ``like``."""
    return like.new_tensor(UPRIGHT)


def heading(matrices: Tensor) -> Tensor:
    """World rotations (..., 3, 3), z up, of a part that faces +z at rest -> its yaw (...) in radians.

    The twist about the vertical (swing-twist decomposition) of the turn from the upright rest: it stays defined when
    somebody looks straight down, where the direction of the gaze does not. Zero faces -y.
    """
    turn = matrices @ upright(matrices).mT
    return torch.atan2(turn[..., 1, 0] - turn[..., 0, 1], turn[..., 0, 0] + turn[..., 1, 1])


def about_vertical(yaw: Tensor) -> Tensor:
    """Yaws (...) in radians -> rotations (..., 3, 3) about z."""
    cos, sin, zero = torch.cos(yaw), torch.sin(yaw), torch.zeros_like(yaw)
    rows = (cos, -sin, zero), (sin, cos, zero), (zero, zero, torch.ones_like(yaw))
    return torch.stack([torch.stack(row, -1) for row in rows], -2)
