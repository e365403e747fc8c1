"""``Trackers``: where headset and controllers were, as the joints head, left and right wrist; and SAGE's features."""

from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.core.shapes import expect
from avatarlab.motion.rotations import about_vertical, heading, to_6d
from avatarlab.motion.skeleton import DEVICES

RATE = 60.0
"""Frames a second of everything that networks see and say."""


@dataclass(frozen=True)
class Trackers:
    """Head, left and right wrist over T frames at 60 Hz: rotations (T, 3, 3, 3), positions (T, 3, 3) m, z-up world.

    ``tracked`` (T, 3): False where a device was lost; its rotation and place there mean nothing but are finite.
    """

    rotations: Tensor
    positions: Tensor
    tracked: Tensor

    def __post_init__(self):
        expect("rotations", self.rotations, ("T", 3, 3, 3))
        expect("positions", self.positions, ("T", 3, 3), T=len(self.rotations))
        expect("tracked", self.tracked, ("T", 3), T=len(self.rotations))
        if not (bool(torch.isfinite(self.rotations).all()) and bool(torch.isfinite(self.positions).all())):
            raise InputError("trackers: got NaN or infinite numbers; mark lost frames in `tracked` and fill them.")

    def __len__(self) -> int:
        return len(self.rotations)

    @classmethod
    def of(cls, world: Tensor, positions: Tensor) -> "Trackers":
        """What perfect devices would say of a body's world rotations (T, 22, 3, 3) and positions (T, 22, 3) m."""
        chosen = list(DEVICES)
        seen = torch.ones(len(world), 3, dtype=torch.bool, device=world.device)
        return cls(world[:, chosen].float(), positions[:, chosen].float(), seen)


def features(rotations: Tensor, positions: Tensor) -> Tensor:
    """Device rotations (..., N, D, 3, 3), positions (..., N, D, 3) m -> SAGE's features (..., N - 1, D, 18), frames 1 on.

    Per device: rotation in 6 numbers, rotation R(t-1)^-1 R(t) in 6, place (m), place minus the last (m a frame).
    Source: SAGE's prepare_data (facts), first two columns of each matrix.
    """
    expect("rotations", rotations, (..., "N", "D", 3, 3))
    now, before = rotations[..., 1:, :, :, :], rotations[..., :-1, :, :, :]
    moved = positions[..., 1:, :, :] - positions[..., :-1, :, :]
    return torch.cat([to_6d(now), to_6d(before.mT @ now), positions[..., 1:, :, :], moved], -1)


def seen_from(rotations: Tensor, positions: Tensor, yaw: Tensor, origin: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations (..., 3, 3) and positions (..., 3) m seen from a frame with ``yaw`` (...) at ``origin`` (..., 3) m.

    ``yaw`` and ``origin`` broadcast against the leading dimensions; of ``origin`` only x and y count, so that heights
    above the floor stay.
    """
    back = about_vertical(-yaw)
    flat = origin * origin.new_tensor((1.0, 1.0, 0.0))
    return back @ rotations, (back @ (positions - flat)[..., None])[..., 0]


def frame_of(rotations: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Device rotations (..., D, 3, 3), positions (..., D, 3) -> the head's yaw (...) and place (..., 3): a frame to see from."""
    return heading(rotations[..., 0, :, :]), positions[..., 0, :]
