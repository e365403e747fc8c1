"""The causal network: a memory and a look at each other for the three devices, a memory for the body, a pose."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avatarlab.learn import weights
from avatarlab.motion.causal.features import HAND_WIDTH, HEAD_WIDTH, DeviceTokens
from avatarlab.motion.skeleton import COUNT

WIDTHS = {"head": HEAD_WIDTH, "left": HAND_WIDTH, "right": HAND_WIDTH}
LEAST_SPREAD = 0.05
"""Numbers that hardly vary in training are not blown up by more than its inverse."""

State = list[tuple[Tensor, Tensor]]
"""What every LSTM remembers, (1, B, width) twice each: the devices' round by round, then the body's."""


class CausalOutput(NamedTuple):
    """B sequences of T frames: 22 x 6 numbers (B, T, 22, 6), rotations seen from the head's heading; logits (B, T, 4)
    of `kinematics.FEET` standing; the memory after the last frame."""

    rotations: Tensor
    contact: Tensor
    state: State


class Forget(nn.Module):
    """Dropout that drops the same numbers in all frames of a sequence (B, T, ...): no memory can average it away."""

    def __init__(self, share: float):
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.share == 0:
            return x
        return x * (torch.empty_like(x[:, :1]).bernoulli_(1 - self.share) / (1 - self.share))


class Whiten(nn.Module):
    """Tokens with mean 0 and spread 1 in the training's motion."""

    def __init__(self):
        super().__init__()
        for name, width in WIDTHS.items():
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_spread", torch.ones(width))

    def learn(self, seen: DeviceTokens) -> None:
        """Take mean and spread from an example."""
        for name in WIDTHS:
            numbers = getattr(seen, name).flatten(0, -2)
            getattr(self, f"{name}_mean").copy_(numbers.mean(0))
            getattr(self, f"{name}_spread").copy_(numbers.std(0).clamp(min=LEAST_SPREAD))

    def forward(self, seen: DeviceTokens) -> list[Tensor]:
        return [(getattr(seen, n) - getattr(self, f"{n}_mean")) / getattr(self, f"{n}_spread") for n in WIDTHS]


class DeviceAttention(nn.Module):
    """Attention of the tokens (..., K, width) of one frame to each other."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.norm = heads, nn.LayerNorm(width)
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        q, k, v = self.ask(self.norm(tokens)).unflatten(-1, (3, self.heads, -1)).unbind(-3)  # (..., K, heads, h)
        # Three tokens are too few for batched matrix products to pay: all pairs, number by number.
        score = (q.unsqueeze(-3) * k.unsqueeze(-4)).sum(-1) * q.shape[-1] ** -0.5  # (..., asking, asked, heads)
        share = score.softmax(-2).unsqueeze(-1)
        return tokens + self.answer((share * v.unsqueeze(-4)).sum(-3).flatten(-2))


class Network(nn.Module):
    """Tokens of ``width`` for the devices, a memory of ``core`` for the body; ``rounds`` of memory and look."""

    def __init__(self, width: int = 128, core: int = 256, rounds: int = 1, heads: int = 4, dropout: float = 0.1):
        super().__init__()
        self.settings = dict(width=width, core=core, rounds=rounds, heads=heads, dropout=dropout)
        self.whiten, self.drop = Whiten(), Forget(dropout)
        self.embed = nn.ModuleList(_embedding(numbers, width) for numbers in WIDTHS.values())
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in range(rounds))
        self.memory = nn.ModuleList(_lstm(width) for _ in range(rounds * len(WIDTHS)))
        self.look = nn.ModuleList(DeviceAttention(width, heads) for _ in range(rounds))
        self.join = nn.Sequential(nn.LayerNorm(len(WIDTHS) * width), nn.Linear(len(WIDTHS) * width, core))
        self.before, self.body, self.last = nn.LayerNorm(core), _lstm(core), nn.LayerNorm(core)
        self.pose = nn.Sequential(nn.Linear(core, 2 * core), nn.GELU(), nn.Linear(2 * core, COUNT * 6))
        self.contact = nn.Linear(core, 4)

    def learn(self, seen: DeviceTokens, turns: Tensor) -> None:
        """Begin with the spread of an example's tokens and with its mean pose; ``turns`` (..., 22, 6)."""
        self.whiten.learn(seen)
        with torch.no_grad():
            self.pose[-1].weight.mul_(0.1)
            self.pose[-1].bias.copy_(turns.flatten(0, -3).mean(0).flatten())

    def forward(self, seen: DeviceTokens, state: State | None = None) -> CausalOutput:
        """Tokens (B, T, ...) of T frames that follow those which left ``state``."""
        before = iter(state or [None] * (len(self.memory) + 1))
        after = []
        tokens = torch.stack([embed(x) for embed, x in zip(self.embed, self.whiten(seen), strict=True)], -2)
        for k, (norm, look) in enumerate(zip(self.norm, self.look, strict=True)):
            x, outputs = norm(tokens), []
            for device in range(len(WIDTHS)):
                memory = self.memory[k * len(WIDTHS) + device]
                outputs.append(_remember(memory, x[..., device, :].contiguous(), next(before), after))
            tokens = look(tokens + self.drop(torch.stack(outputs, -2)))
        x = self.join(tokens.flatten(-2))
        x = self.last(x + self.drop(_remember(self.body, self.before(x), next(before), after)))
        return CausalOutput(self.pose(x).float().unflatten(-1, (COUNT, 6)), self.contact(x).float(), after)


def _remember(lstm: nn.LSTM, x: Tensor, before, after: State) -> Tensor:
    outputs, kept = lstm(x, before)
    after.append(kept)
    return outputs


def _embedding(numbers: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(numbers, width), nn.GELU(), nn.Linear(width, width))


def _lstm(width: int) -> nn.LSTM:
    return nn.LSTM(width, width, batch_first=True)


def load_network(path: str | Path, **other) -> Network:
    """The network of a weights file; ``other`` settings (dropout) take the place of those it was trained with."""
    tensors, card = weights.load(path)
    network = Network(**(card["parameters"]["network"] | other))
    network.load_state_dict(tensors)
    return network.eval()
