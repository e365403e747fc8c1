"""The full-body decoder: latents of both parts and the trackers -> the rotations of all 22 joints."""

import torch
from torch import Tensor, nn

from avatarlab.motion.sage.blocks import (
    CHANNELS,
    DeviceMix,
    Doubling,
    PoseNormaliser,
    TransformerBlock,
    sinusoidal_positions,
)
from avatarlab.motion.sage.denoiser import MIXED
from avatarlab.motion.sage.pose_pca import PosePCA
from avatarlab.motion.sage.settings import SageSettings
from avatarlab.motion.skeleton import COUNT, LOWER, UPPER


class FullBodyDecoder(nn.Module):
    """Tokens of upper latent, lower latent and trackers, transformed, spread to frames, and read as rotations."""

    def __init__(self, settings: SageSettings):
        super().__init__()
        width, latent = settings.decoder_width, settings.latent
        known = settings.decoder_known
        self.devices, self.frames = DeviceMix(MIXED), nn.Linear(MIXED * CHANNELS, known)
        self.to_tokens = nn.Conv1d(settings.window, settings.tokens, 1)
        self.inputs = nn.Linear(known + 2 * latent, width)
        self.register_buffer("positions", sinusoidal_positions(settings.tokens, width), persistent=False)
        heads, drop = settings.decoder_heads, settings.dropout
        self.blocks = nn.Sequential(
            *(TransformerBlock(width, heads, drop) for _ in range(settings.decoder_blocks))
        )
        self.up = nn.Sequential(Doubling(width), nn.LayerNorm(width))
        self.root = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 6))
        self.body = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 6 * (COUNT - 1)))
        self.usual = PoseNormaliser(COUNT)
        self.upper = PosePCA(settings, len(UPPER)) if settings.movements else None
        self.lower = PosePCA(settings, len(LOWER)) if settings.movements else None
        if self.upper:  # as in the codebooks: what the latents stand for, and what is learned beyond
            nn.init.zeros_(self.root[-1].weight), nn.init.zeros_(self.body[-1].weight)

    def forward(self, sparse: Tensor, upper: Tensor, lower: Tensor) -> Tensor:
        """Trackers (B, L, 3, 18), latents (B, L/2, latent) twice -> rotations (B, L, 22, 6)."""
        known = self.to_tokens(self.frames(self.devices(sparse)))
        tokens = self.inputs(torch.cat([known, upper.to(known.dtype), lower.to(known.dtype)], -1))
        frames = self.up(self.blocks(tokens + self.positions))
        pred = torch.cat([self.root(frames), self.body(frames)], -1)
        if self.upper:
            return self.stood_for(upper, lower) + self.usual.spread * pred.float().unflatten(-1, (COUNT, 6))
        return self.usual.given(pred)

    def stood_for(self, upper: Tensor, lower: Tensor) -> Tensor:
        """What latents of both parts mean by the movements alone (B, L, 22, 6); the root is the mean of both."""
        parts = self.upper.given(upper), self.lower.given(lower)
        pose = parts[0].new_zeros(*parts[0].shape[:2], COUNT, 6)
        pose[:, :, list(UPPER)] = parts[0]
        pose[:, :, list(LOWER)] = parts[1]
        pose[:, :, 0] = (parts[0][:, :, 0] + parts[1][:, :, 0]) / 2
        return pose
