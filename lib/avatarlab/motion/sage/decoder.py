"""The full-body decoder: latents of both parts and the trackers -> the rotations of all 22 joints."""

import torch
from torch import Tensor, nn

from avatarlab.motion.sage.blocks import CHANNELS, Block, DeviceMix, Doubling, positions
from avatarlab.motion.sage.denoiser import MIXED
from avatarlab.motion.sage.settings import Settings
from avatarlab.motion.skeleton import COUNT


class FullBodyDecoder(nn.Module):
    """Tokens of upper latent, lower latent and trackers, transformed, spread to frames, and read as rotations."""

    def __init__(self, settings: Settings):
        super().__init__()
        width, latent = settings.decoder_width, settings.latent
        self.devices, self.frames = DeviceMix(MIXED), nn.Linear(MIXED * CHANNELS, latent)
        self.to_tokens = nn.Conv1d(settings.window, settings.tokens, 1)
        self.inputs = nn.Linear(3 * latent, width)
        self.register_buffer("places", positions(settings.tokens, width), persistent=False)
        heads, drop = settings.decoder_heads, settings.dropout
        self.blocks = nn.Sequential(*(Block(width, heads, drop) for _ in range(settings.decoder_blocks)))
        self.up = nn.Sequential(Doubling(width), nn.LayerNorm(width))
        self.root = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 6))
        self.body = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 6 * (COUNT - 1)))

    def forward(self, sparse: Tensor, upper: Tensor, lower: Tensor) -> Tensor:
        """Trackers (B, L, 3, 18), latents (B, L/2, latent) twice -> rotations (B, L, 22, 6)."""
        known = self.to_tokens(self.frames(self.devices(sparse)))
        tokens = self.inputs(torch.cat([known, upper.to(known.dtype), lower.to(known.dtype)], -1))
        frames = self.up(self.blocks(tokens + self.places))
        return torch.cat([self.root(frames), self.body(frames)], -1).unflatten(-1, (COUNT, 6))
