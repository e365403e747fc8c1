"""The refiner: a recurrent network over the stream of poses that takes the trembling out of them."""

import torch
from torch import Tensor, nn

from avatarlab.motion.rotations import about_vertical
from avatarlab.motion.sage.blocks import CHANNELS, DEVICES, PoseNormaliser
from avatarlab.motion.sage.settings import SageSettings
from avatarlab.motion.skeleton import COUNT

Memory = tuple[Tensor, Tensor]
"""Of a stream: the GRU's state, and the last poses of its two followers (B, 2, 22, 6)."""
EAGER = -0.7
"""What the gates begin with, before the sigmoid: a third of the way to a new pose."""


class Refiner(nn.Module):
    """What is to be added to each pose of a stream, predicted by a GRU that remembers all before.

    Where the settings say ``informed`` it sees the trackers too, in numbers of like size, and each joint moves only as
    far towards its new pose as a gate of its own lets it, twice over.
    """

    def __init__(self, settings: SageSettings):
        super().__init__()
        self.informed, width = settings.informed, settings.refiner_width
        inputs = 6 * COUNT + (DEVICES * CHANNELS if self.informed else 0)
        if self.informed:
            self.usual = PoseNormaliser(COUNT)
            self.inputs = nn.Sequential(nn.Linear(inputs, width), nn.GELU())
            self.gates = nn.Linear(width, COUNT)
            self.begin_gates()
        first = width if self.informed else inputs
        self.memory = nn.GRU(first, width, settings.refiner_layers, batch_first=True)
        self.drop = nn.Dropout(settings.refiner_dropout)
        self.outputs = nn.Linear(width, 6 * COUNT)
        nn.init.zeros_(self.outputs.weight), nn.init.zeros_(self.outputs.bias)

    def begin_gates(self) -> None:
        """Let gates begin anew: all alike, whatever is seen."""
        if self.informed:
            nn.init.zeros_(self.gates.weight), nn.init.constant_(self.gates.bias, EAGER)

    def forward(
        self, pose: Tensor, sparse: Tensor, memory: Memory | None = None, yaw: Tensor | None = None
    ) -> tuple[Tensor, Memory]:
        """Poses (B, T, 22, 6), trackers (B, T, 3, 18) of the same frames, memory -> (refined poses, memory).

        ``yaw`` (B, T): from where the roots are seen; they are followed as the world sees them, because a body does
        not turn with its head.
        """
        state, last = memory or (None, None)
        seen = pose.flatten(-2)
        if self.informed:
            seen = self.inputs(torch.cat([self.usual.taken(pose).flatten(-2), sparse.flatten(-2)], -1))
        remembered, state = self.memory(seen, state)
        remembered = self.drop(remembered)
        added = self.outputs(remembered).unflatten(-1, (COUNT, 6))
        if not self.informed:
            return pose + added, (state, pose[:, -1:])
        yaw = pose.new_zeros(pose.shape[:2]) if yaw is None else yaw
        fresh = turn_roots(pose + self.usual.spread * added, yaw)
        pred, last = filter_stream_twice(fresh, torch.sigmoid(self.gates(remembered)), last)
        return turn_roots(pred, -yaw), (state, last)


def turn_roots(pose: Tensor, yaw: Tensor) -> Tensor:
    """Poses (B, T, 22, 6) with their roots turned about the vertical by ``yaw`` (B, T)."""
    columns = pose[:, :, 0].unflatten(-1, (2, 3)) @ about_vertical(yaw).mT
    return torch.cat([columns.flatten(-2)[:, :, None], pose[:, :, 1:]], 2)


def filter_stream_twice(pose: Tensor, share: Tensor, last: Tensor | None) -> tuple[Tensor, Tensor]:
    """Poses followed by one that is followed by another -> (the latter (B, T, 22, 6), both at the end (B, 2, 22, 6))."""
    one, two = (None, None) if last is None else (last[:, :1], last[:, 1:])
    first = filter_stream(pose, share, one)
    second = filter_stream(first, share, two)
    return second, torch.cat([first[:, -1:], second[:, -1:]], 1)


def filter_stream(pose: Tensor, share: Tensor, last: Tensor | None) -> Tensor:
    """Poses (B, T, 22, 6) followed from ``last`` (B, 1, 22, 6): each frame goes ``share`` (B, T, 22) of the way."""
    pred = pose[:, 0] if last is None else last[:, 0]
    frames = []
    for new, part in zip(pose.unbind(1), share[..., None].unbind(1), strict=True):
        pred = torch.lerp(pred, new, part)
        frames.append(pred)
    return torch.stack(frames, 1)
