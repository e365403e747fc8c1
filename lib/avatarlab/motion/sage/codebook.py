"""The VQ-VAE of a part of the body: windows of poses as ten tokens of eight small codes each, and back."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from avatarlab.core.shapes import expect
from avatarlab.motion.sage.blocks import (
    CHANNELS,
    DeviceMix,
    Doubling,
    PoseNormaliser,
    TransformerBlock,
    keep_signal_size,
    sinusoidal_positions,
)
from avatarlab.motion.sage.pose_pca import PosePCA
from avatarlab.motion.sage.settings import SageSettings

KEPT = 0.99
"""Share of the past in the running usage of a code."""
SETTLED = 40_000
"""Tokens, at most, that k-means looks at."""
HIDDEN = 0.01
"""What stands in the six numbers of a joint whose track the encoder is not shown. Source: SAGE's loader (facts)."""


class Coded(NamedTuple):
    """Latents as codes: ``latent`` (B, T, books * entry_size), gradients passed straight through; ``indices``
    (B, T, books); ``distance``, what codes and encoder are drawn together by."""

    latent: Tensor
    indices: Tensor
    distance: Tensor


class Quantiser(nn.Module):
    """Each token is cut into ``books`` pieces, each of which becomes the nearest of its book's ``entries``."""

    def __init__(self, books: int, entries: int, size: int):
        super().__init__()
        self.entries = nn.Parameter(torch.randn(books, entries, size))
        self.register_buffer("usage", torch.zeros(books, entries))

    def forward(self, z: Tensor, beta: float = 1.0) -> Coded:
        """Latents (B, T, books * size), float32 -> Coded. In training, codes that nobody uses are revived."""
        expect("z", z, ("B", "T", self.entries.shape[0] * self.entries.shape[2]))
        pieces = z.unflatten(-1, (len(self.entries), -1))
        apart = self.apart(pieces)
        indices = apart.argmin(-1)
        chosen = self.look_up(indices)
        distance = (chosen.detach() - z).square().mean() + beta * (chosen - z.detach()).square().mean()
        if self.training:
            self._revive(pieces.detach().flatten(0, 1), apart.flatten(0, 1), indices.flatten(0, 1))
        return Coded(z + (chosen - z).detach(), indices, distance)

    @torch.no_grad()
    def apart(self, pieces: Tensor) -> Tensor:
        """Pieces (B, T, books, size) -> squared distances (B, T, books, entries) to the codes of their books."""
        across = torch.einsum("btks,kes->btke", pieces, self.entries)
        return pieces.square().sum(-1, keepdim=True) + self.entries.square().sum(-1) - 2 * across

    def look_up(self, indices: Tensor) -> Tensor:
        """Numbers of codes (B, T, books) -> latents (B, T, books * size)."""
        book = torch.arange(len(self.entries), device=indices.device)
        return self.entries[book, indices].flatten(-2)

    @torch.no_grad()
    def settle(self, z: Tensor, generator: torch.Generator, rounds: int = 15) -> None:
        """Set each book by k-means on latents (B, T, books * size), begun from pieces drawn at random."""
        pieces = z.unflatten(-1, (len(self.entries), -1)).flatten(0, 1)
        pieces = pieces[torch.randperm(len(pieces), generator=generator)[:SETTLED].to(z.device)]
        drawn = torch.randperm(len(pieces), generator=generator)[: self.entries.shape[1]].to(z.device)
        self.entries.copy_(pieces[drawn].transpose(0, 1))
        for _ in range(rounds):
            mine = nn.functional.one_hot(self.apart(pieces[None])[0].argmin(-1), self.entries.shape[1]).float()
            count = mine.sum(0)[..., None]
            means = torch.einsum("nke,nks->kes", mine, pieces) / count.clamp_min(1)
            self.entries.copy_(torch.where(count > 0, means, self.entries))
        self.usage.fill_(1 / self.entries.shape[1])

    @torch.no_grad()
    def _revive(self, pieces: Tensor, apart: Tensor, indices: Tensor) -> None:
        """Draw each code to the nearest of this batch's pieces, the more the less it is used.

        Source: Zheng and Vedaldi, CVQ-VAE, arXiv:2307.15139, their running usage and weight.
        """
        count = self.entries.shape[1]
        used = nn.functional.one_hot(indices, count).float().mean(0)
        nearest = apart.argmin(0)
        anchors = pieces.transpose(0, 1).gather(1, nearest[..., None].expand(-1, -1, pieces.shape[-1]))
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.broadcast(anchors, 0)
            torch.distributed.all_reduce(used)
            used /= torch.distributed.get_world_size()
        self.usage.mul_(KEPT).add_(used, alpha=1 - KEPT)
        weight = torch.exp(-10 * count * self.usage / (1 - KEPT) - 1e-3)[..., None]
        self.entries.data.lerp_(anchors, weight)


class Codebook(nn.Module):
    """Encoder, quantiser and decoder of ``joints`` joints."""

    def __init__(self, settings: SageSettings, joints: int):
        super().__init__()
        width, latent, drop = settings.code_width, settings.latent, settings.code_dropout
        self.joints, self.hidden = joints, settings.hidden
        self.usual = PoseNormaliser(joints)
        self.movements = PosePCA(settings, joints) if settings.movements else None
        self.devices = DeviceMix(joints)
        self.inputs = nn.Linear(joints * (6 + CHANNELS), width)
        self.down = nn.Sequential(nn.Conv1d(width, width, 3, padding=1), nn.MaxPool1d(2))
        self.register_buffer("positions", sinusoidal_positions(settings.tokens, width), persistent=False)
        self.encoder = nn.Sequential(
            *(TransformerBlock(width, settings.code_heads, drop) for _ in range(settings.code_blocks))
        )
        self.encoded = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width, bias=False))
        self.to_codes = nn.Linear(width, latent)
        self.quantiser = Quantiser(settings.books, settings.entries, settings.entry_size)
        self.from_codes = nn.Linear(latent, width)
        self.decoder = nn.Sequential(
            *(TransformerBlock(width, settings.code_heads, drop) for _ in range(settings.code_blocks))
        )
        self.up = nn.Sequential(Doubling(width), nn.LayerNorm(width), nn.Linear(width, width))
        self.bend = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.head = nn.Linear(width, 6 * joints)
        for part in (self.inputs, self.down, self.encoded, self.to_codes, self.from_codes, self.up, self.head):
            keep_signal_size(part)
        if self.movements:  # they begin, the rest adds what it learns
            nn.init.zeros_(self.to_codes.weight), nn.init.zeros_(self.head.weight)

    def encode(self, pose: Tensor, sparse: Tensor) -> Tensor:
        """Rotations (B, L, joints, 6), the first the root's; trackers (B, L, 3, 18) -> latents (B, L/2, latent)."""
        expect("pose", pose, ("B", "L", self.joints, 6))
        frames = self.inputs(torch.cat([self.usual.taken(pose).flatten(-2), self.devices(sparse)], -1))
        tokens = self.down(frames.mT).mT
        z = self.to_codes(self.encoded(self.encoder(tokens + self.positions))).float()
        return z + self.movements.taken(pose) if self.movements else z

    def decode(self, latent: Tensor) -> Tensor:
        """Latents (B, L/2, latent) -> rotations (B, L, joints, 6)."""
        frames = self.up(self.decoder(self.from_codes(latent)))
        pred = self.head(frames + self.bend(frames))
        if self.movements:
            return self.movements.given(latent) + self.usual.spread * pred.float().unflatten(-1, (self.joints, 6))
        return self.usual.given(pred)

    def masked(self, pose: Tensor, generator: torch.Generator) -> Tensor:
        """Hide whole tracks of joints, never the root's: each with the chance `hidden`."""
        if not self.hidden:
            return pose
        drawn = torch.rand(len(pose), 1, self.joints, 1, generator=generator).to(pose.device) < self.hidden
        drawn[:, :, 0] = False
        return pose.masked_fill(drawn, HIDDEN)


def used_codes(indices: Tensor, entries: int) -> Tensor:
    """Numbers of codes (..., books) -> perplexity of each book (books,): how many codes are in use, evenly counted."""
    counts = nn.functional.one_hot(indices.flatten(0, -2), entries).float().mean(0)
    return torch.exp(-(counts * torch.log(counts.clamp_min(1e-10))).sum(-1))
