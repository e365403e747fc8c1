"""What the networks share: attention, transformer blocks, device mixing, sine positions, doubling in time."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatarlab.motion.rotations import UPRIGHT, to_6d

DEVICES, CHANNELS = 3, 18
LEAST_SPREAD = 0.03


class Attention(nn.Module):
    """Self-attention over the tokens of a window: (B, T, width) -> (B, T, width). Every token sees every other."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.inputs, self.outputs = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.inputs(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        seen = functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        return self.outputs(seen.transpose(1, 2).flatten(-2))


def perceptron(width: int, dropout: float = 0.0, approximate: str = "none") -> nn.Sequential:
    """Four times as wide in the middle, GELU."""
    middle = nn.GELU(approximate=approximate)
    return nn.Sequential(nn.Linear(width, 4 * width), middle, nn.Linear(4 * width, width), nn.Dropout(dropout))


class TransformerBlock(nn.Module):
    """A transformer block, normalised before each part: (B, T, width) -> (B, T, width)."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.before, self.attention = nn.LayerNorm(width), Attention(width, heads, dropout)
        self.between, self.mlp = nn.LayerNorm(width), perceptron(width, dropout)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.before(x)))
        return x + self.mlp(self.between(x))


class DeviceMix(nn.Module):
    """Features of three devices (B, L, 3, 18) -> ``joints`` mixtures of them, flat (B, L, joints * 18)."""

    def __init__(self, joints: int):
        super().__init__()
        self.mix = nn.Conv1d(DEVICES, joints, 1)

    def forward(self, sparse: Tensor) -> Tensor:
        mixed = self.mix(sparse.flatten(0, 1))
        return mixed.flatten(1).unflatten(0, sparse.shape[:2])


class Doubling(nn.Module):
    """Twice as many tokens: (B, T, width) -> (B, 2 T, width), by a transposed convolution whose first token is cut."""

    def __init__(self, width: int):
        super().__init__()
        self.spread = nn.ConvTranspose1d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.spread(x.mT)[..., 1:].mT


def keep_signal_size(module: nn.Module) -> nn.Module:
    """Let layers begin by handing signals on at the size they came; torch's own beginning makes them smaller."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.ConvTranspose1d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


class PoseNormaliser(nn.Module):
    """How rotations in six numbers usually are: mean and spread (joints, 6) that networks see and say them by.

    Before anything is measured the mean is the body at rest, upright, its root first, and the spread is one.
    """

    def __init__(self, joints: int):
        super().__init__()
        rest = torch.eye(3).expand(joints - 1, 3, 3)
        self.register_buffer("mean", to_6d(torch.cat([torch.tensor(UPRIGHT)[None], rest])))
        self.register_buffer("spread", torch.ones(joints, 6))

    @torch.no_grad()
    def measure(self, pose: Tensor) -> None:
        """Take mean and spread of poses (..., joints, 6)."""
        self.mean.copy_(pose.flatten(0, -3).mean(0))
        self.spread.copy_(pose.flatten(0, -3).std(0).clamp_min(LEAST_SPREAD))

    def taken(self, pose: Tensor) -> Tensor:
        """Poses (..., joints, 6) as networks see them."""
        return (pose - self.mean) / self.spread

    def given(self, pred: Tensor) -> Tensor:
        """Poses (..., joints, 6) of a network's output (..., joints * 6)."""
        return self.mean + self.spread * pred.float().unflatten(-1, self.mean.shape)


def sinusoidal_positions(count: int, width: int) -> Tensor:
    """Sines and cosines (count, width) that say which token is which. Source: Vaswani et al., arXiv:1706.03762."""
    return frequencies(torch.arange(count, dtype=torch.float32), width)


def frequencies(numbers: Tensor, width: int) -> Tensor:
    """Numbers (...) -> cosines and sines (..., width) of them at falling frequencies."""
    falling = torch.arange(width // 2, dtype=torch.float32, device=numbers.device) / (width // 2)
    angles = numbers[..., None].float() * torch.exp(-math.log(10_000.0) * falling)
    return torch.cat([torch.cos(angles), torch.sin(angles)], -1)
