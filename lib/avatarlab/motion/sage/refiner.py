"""The refiner: a recurrent network over the stream of poses that takes the trembling out of them."""

import torch
from torch import Tensor, nn

from avatarlab.motion.sage.blocks import CHANNELS, DEVICES, Usual
from avatarlab.motion.sage.settings import Settings
from avatarlab.motion.skeleton import COUNT

Memory = tuple[Tensor, Tensor]
"""Of a stream: the GRU's state, and the last pose said (B, 1, 22, 6)."""
EAGER = 1.0
"""What the gates begin with, before the sigmoid: new poses count about three quarters."""


class Refiner(nn.Module):
    """What is to be added to each pose of a stream, said by a GRU that remembers all before.

    Where the settings say ``informed`` it sees the trackers too, in numbers of like size, and each joint moves only as
    far towards its new pose as a gate of its own lets it.
    """

    def __init__(self, settings: Settings):
        super().__init__()
        self.informed, width = settings.informed, settings.refiner_width
        inputs = 6 * COUNT + (DEVICES * CHANNELS if self.informed else 0)
        if self.informed:
            self.usual = Usual(COUNT)
            self.inputs = nn.Sequential(nn.Linear(inputs, width), nn.GELU())
            self.gates = nn.Linear(width, COUNT)
            nn.init.zeros_(self.gates.weight), nn.init.constant_(self.gates.bias, EAGER)
        first = width if self.informed else inputs
        self.memory = nn.GRU(first, width, settings.refiner_layers, batch_first=True)
        self.drop = nn.Dropout(settings.refiner_dropout)
        self.outputs = nn.Linear(width, 6 * COUNT)
        nn.init.zeros_(self.outputs.weight), nn.init.zeros_(self.outputs.bias)

    def forward(self, pose: Tensor, sparse: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Poses (B, T, 22, 6), trackers (B, T, 3, 18) of the same frames, memory -> (refined poses, memory)."""
        state, last = memory or (None, None)
        seen = pose.flatten(-2)
        if self.informed:
            seen = torch.cat([self.usual.taken(pose).flatten(-2), sparse.flatten(-2)], -1)
            seen = self.inputs(seen)
        remembered, state = self.memory(seen, state)
        remembered = self.drop(remembered)
        added = self.outputs(remembered).unflatten(-1, (COUNT, 6))
        if not self.informed:
            said = pose + added
        else:
            said = followed(pose + self.usual.spread * added, torch.sigmoid(self.gates(remembered)), last)
        return said, (state, said[:, -1:])


def followed(pose: Tensor, share: Tensor, last: Tensor | None) -> Tensor:
    """Poses (B, T, 22, 6) followed from ``last`` (B, 1, 22, 6): each frame goes ``share`` (B, T, 22) of the way."""
    said = pose[:, 0] if last is None else last[:, 0]
    frames = []
    for new, part in zip(pose.unbind(1), share[..., None].unbind(1), strict=True):
        said = torch.lerp(said, new, part)
        frames.append(said)
    return torch.stack(frames, 1)
