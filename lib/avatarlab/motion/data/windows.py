"""Windows of motion to learn from, drawn at random from segments that lie on the training device."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import Tensor

from avatarlab.motion.data.library import Library
from avatarlab.motion.rotations import about_vertical
from avatarlab.motion.skeleton import DEVICES, Skeleton, mirror
from avatarlab.motion.trackers import frame_of, seen_from


@dataclass(frozen=True)
class Window:
    """B windows of L frames: local rotations (B, L, 22, 3, 3) with the root in the world, positions (B, L, 22, 3) m,
    and the devices' world rotations (B, L, 3, 3, 3) and positions (B, L, 3, 3) m."""

    rotations: Tensor
    positions: Tensor
    device_rotations: Tensor
    device_positions: Tensor

    def seen_from_last(self) -> "Window":
        """The same from the head's heading and place in the last frame (what is known when it is to be answered)."""
        yaw, origin = frame_of(self.device_rotations[:, -1], self.device_positions[:, -1])
        yaw, origin = yaw[:, None, None], origin[:, None, None]
        root, positions = seen_from(self.rotations[:, :, :1], self.positions, yaw, origin)
        rotations = torch.cat([root, self.rotations[:, :, 1:]], 2)
        return Window(rotations, positions, *seen_from(self.device_rotations, self.device_positions, yaw, origin))

    def mirrored(self, chosen: Tensor) -> "Window":
        """The same with the windows ``chosen`` (B,) left for right."""
        pairs = (self.rotations, self.positions), (self.device_rotations, self.device_positions)
        flipped = [x for pair in pairs for x in mirror(*pair)]
        mine = (x for pair in pairs for x in pair)
        return Window(
            *(torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), b, a) for a, b in zip(mine, flipped, strict=True))
        )


class Windows:
    """Draws Windows of ``length`` frames that end anywhere in the given segments, all frames equally likely.

    Before the begin of a segment its first frame is repeated, as a stream does that has just begun.
    """

    def __init__(self, library: Library, segments: Sequence[int], length: int, device: str = "cpu"):
        self.length, self.skeleton = length, Skeleton(torch.as_tensor(library.rest).float().to(device))
        frames = np.concatenate([np.arange(len(library.poses))[library.frames(k)] for k in segments])
        sizes = [library.length([k]) for k in segments]
        first = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
        self.first = torch.as_tensor(first, device=device)
        poses = torch.as_tensor(library.poses[frames], device=device).float()
        self.rotations = roma.rotvec_to_rotmat(poses)
        world, self.positions = self.skeleton.fk(
            self.rotations, torch.as_tensor(library.trans[frames], device=device).float()
        )
        self.device_rotations, self.device_positions = world[:, list(DEVICES)], self.positions[:, list(DEVICES)]

    def __len__(self) -> int:
        return len(self.first)

    def at(self, ends: Tensor) -> Window:
        """The windows that end at frames ``ends`` (B,)."""
        rows = ends[:, None] + torch.arange(1 - self.length, 1, device=ends.device)
        rows = torch.maximum(rows, self.first[ends][:, None])
        return Window(
            self.rotations[rows], self.positions[rows], self.device_rotations[rows], self.device_positions[rows]
        )

    def draw(self, count: int, generator: torch.Generator, mirror: bool = True, turn: bool = False) -> Window:
        """``count`` windows; half of them mirrored if ``mirror``; each turned to a random heading if ``turn``."""
        ends = torch.randint(len(self), (count,), generator=generator).to(self.first.device)
        window = self.at(ends)
        if mirror:
            window = window.mirrored((torch.rand(count, generator=generator) < 0.5).to(ends.device))
        if turn:
            yaw = (2 * torch.pi * torch.rand(count, generator=generator)).to(ends.device)
            window = _turned(window, yaw)
        return window


def _turned(window: Window, yaw: Tensor) -> Window:
    """Windows turned about the vertical through the world's origin by yaws (B,) in radians."""
    turn = about_vertical(yaw)[:, None, None]
    rotations = torch.cat([turn @ window.rotations[:, :, :1], window.rotations[:, :, 1:]], 2)
    around = ((turn @ x[..., None])[..., 0] for x in (window.positions, window.device_positions))
    positions, device_positions = around
    return Window(rotations, positions, turn @ window.device_rotations, device_positions)
