"""The denoiser of a part's latents: transformer blocks that the time of the diffusion modulates (DiT)."""

import torch
from torch import Tensor, nn

from avatarlab.core.shapes import expect
from avatarlab.motion.sage.blocks import (
    CHANNELS,
    Attention,
    DeviceMix,
    frequencies,
    perceptron,
    sinusoidal_positions,
)
from avatarlab.motion.sage.settings import SageSettings

MIXED = 22
"""Mixtures of the three devices' features that a frame is shown as."""
WAVES = 256
HIDDEN = 0.01


class TimeBlock(nn.Module):
    """A transformer block whose norms are shifted and scaled, and whose parts are weighed, by the time.

    Source: Peebles and Xie, DiT, arXiv:2212.09748 (adaLN).
    """

    def __init__(self, width: int, heads: int, time_width: int, dropout: float):
        super().__init__()
        self.before = nn.LayerNorm(width, elementwise_affine=False)
        self.between = nn.LayerNorm(width, elementwise_affine=False)
        self.attention, self.mlp = Attention(width, heads, dropout), perceptron(width, dropout, "tanh")
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(time_width, 6 * width))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Tokens (B, T, width), embedded time (B or 1, time_width) -> tokens."""
        shift, scale, gate, shift2, scale2, gate2 = self.modulation(time)[:, None].chunk(6, -1)
        x = x + (1 + gate) * self.attention(self.before(x) * (1 + scale) + shift)
        return x + (1 + gate2) * self.mlp(self.between(x) * (1 + scale2) + shift2)


class TokenHeads(nn.Module):
    """A last layer of each token's own: (B, T, width) -> (B, T, latent)."""

    def __init__(self, tokens: int, width: int, latent: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(tokens, width, latent) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(tokens, 1, latent))

    def forward(self, x: Tensor) -> Tensor:
        return (torch.bmm(x.transpose(0, 1), self.weight) + self.bias.to(x.dtype)).transpose(0, 1)


class Denoiser(nn.Module):
    """Says the clean latents behind noisy ones, of a window whose trackers are known.

    ``above``: True for the lower body, which is told the latents of the upper one. Latents come and go divided by
    ``spread``, so that the diffusion sees numbers of size one.
    """

    def __init__(self, settings: SageSettings, above: bool = False):
        super().__init__()
        width, tokens, latent = settings.width, settings.tokens, settings.latent
        self.latent, self.above, self.drop_channels = latent, above, 2
        self.devices, self.frames = DeviceMix(MIXED), nn.Linear(MIXED * CHANNELS, width)
        self.to_tokens = nn.Conv1d(settings.window, tokens, 1)
        self.join = nn.Linear(2 * latent, latent) if above else nn.Identity()
        self.mix_tokens = nn.Conv1d(tokens, tokens, 1)
        self.inputs = nn.Linear(width + latent, width)
        wide = settings.time_width
        self.time = nn.Sequential(nn.Linear(WAVES, wide), nn.SiLU(), nn.Linear(wide, wide))
        blocks = (TimeBlock(width, settings.heads, wide, settings.dropout) for _ in range(settings.blocks))
        self.blocks = nn.ModuleList(blocks)
        self.outputs = TokenHeads(tokens, width, latent) if settings.token_heads else nn.Linear(width, latent)
        self.register_buffer(
            "positions", sinusoidal_positions(tokens, width) * settings.token_heads, persistent=False
        )
        self.register_buffer("spread", torch.ones(1))

    def condition(self, sparse: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Trackers (B, L, 3, 18) -> what the denoiser knows of them (B, L/2, width); once for all times.

        With a generator two of the mixtures are hidden, as in SAGE's training.
        """
        mixed = self.devices(sparse)
        if generator is not None:
            order = torch.rand(len(mixed), MIXED, generator=generator).argsort(-1).to(mixed.device)
            hide = (order < self.drop_channels).repeat_interleave(CHANNELS, -1)[:, None]
            mixed = mixed.masked_fill(hide, HIDDEN)
        return self.to_tokens(self.frames(mixed))

    def forward(self, noisy: Tensor, time: Tensor, known: Tensor, above: Tensor | None = None) -> Tensor:
        """Noisy latents (B, T, latent), times (B or 1,), ``condition``'s answer, upper latents -> clean latents.

        Noisy and clean are in units of ``spread``; ``above`` is as the upper denoiser says it, in units of its own.
        """
        expect("noisy", noisy, ("B", "T", self.latent))
        if self.above != (above is not None):
            raise ValueError("above: the lower denoiser needs the upper latents, the upper one has none.")
        x = noisy if above is None else torch.cat([noisy, above.to(noisy.dtype)], -1)
        x = self.inputs(torch.cat([known, self.mix_tokens(self.join(x))], -1)) + self.positions
        embedded = self.time(frequencies(time, WAVES))
        for block in self.blocks:
            x = block(x, embedded)
        return self.outputs(x)
