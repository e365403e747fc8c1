"""The refiner: a recurrent network over the stream of poses that takes the trembling out of them."""

import torch
from torch import Tensor, nn

from avatarlab.motion.sage.blocks import CHANNELS, DEVICES
from avatarlab.motion.sage.settings import Settings
from avatarlab.motion.skeleton import COUNT


class Refiner(nn.Module):
    """What is to be added to each pose of a stream, said by a GRU that remembers all before."""

    def __init__(self, settings: Settings):
        super().__init__()
        self.informed = settings.informed
        inputs = 6 * COUNT + (DEVICES * CHANNELS if self.informed else 0)
        self.memory = nn.GRU(inputs, settings.refiner_width, settings.refiner_layers, batch_first=True)
        self.drop = nn.Dropout(settings.refiner_dropout)
        self.outputs = nn.Linear(settings.refiner_width, 6 * COUNT)

    def forward(self, pose: Tensor, sparse: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Poses (B, T, 22, 6), trackers (B, T, 3, 18) of the same frames, memory -> (refined poses, memory)."""
        seen = torch.cat([pose.flatten(-2), sparse.flatten(-2)], -1) if self.informed else pose.flatten(-2)
        remembered, state = self.memory(seen, state)
        return pose + self.outputs(self.drop(remembered)).unflatten(-1, (COUNT, 6)), state
