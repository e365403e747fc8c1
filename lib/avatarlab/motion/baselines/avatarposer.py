"""AvatarPoser's network, smaller, and its Predictor: a window of 40 frames of trackers -> the pose of its last frame.

Facts from Jiang et al., AvatarPoser (arXiv:2207.13784) and its published code (MIT): one linear embedding, a transformer
encoder of three layers and eight heads, without positions; the last frame's token goes to two small networks, the
root's rotation and the 21 local rotations. Published at 256 wide with 2048 inside (4.1 M numbers); here 192 with 512,
for a CPU. Its last step, arms fitted to the hands by iterated IK, is left out: our comparison is of networks.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from avatarlab.core.errors import InputError
from avatarlab.learn import weights
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import about_vertical, from_6d
from avatarlab.motion.skeleton import COUNT, Skeleton, align_heads
from avatarlab.motion.trackers import Trackers, features, frame_of, seen_from

WINDOW = 40
"""Frames that the network sees, each with its velocity. Source: the paper, section 3."""
HIDDEN = 256
CHUNK = 512
"""Windows that go through the network together."""


@dataclass(frozen=True)
class AvatarPoserSettings:
    """``normalised``: windows seen from the head's heading and place in their last frame, and half of them mirrored in
    training; False as published: the world's frame, as it is."""

    width: int = 192
    inner: int = 512
    layers: int = 3
    heads: int = 8
    dropout: float = 0.1
    normalised: bool = False


class AvatarPoser(nn.Module):
    """Features (B, L, 54) -> 22 x 6 numbers (B, 22, 6) of the last frame: the root's world rotation, local rotations."""

    def __init__(self, settings: AvatarPoserSettings):
        super().__init__()
        self.settings, width = settings, settings.width
        layer = nn.TransformerEncoderLayer(
            width, settings.heads, settings.inner, settings.dropout, batch_first=True
        )
        self.embed = nn.Linear(54, width)
        self.encoder = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
        self.root, self.body = _head(width, 6), _head(width, (COUNT - 1) * 6)

    def forward(self, seen: Tensor) -> Tensor:
        last = self.encoder(self.embed(seen))[:, -1]
        return torch.cat([self.root(last), self.body(last)], -1).float().unflatten(-1, (COUNT, 6))


def _head(width: int, numbers: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, numbers))


def load(path: str | Path) -> AvatarPoser:
    """The network of a weights file."""
    tensors, card = weights.load(path)
    network = AvatarPoser(AvatarPoserSettings(**card["parameters"]["network"]))
    network.load_state_dict(tensors)
    return network.eval()


def save(network: AvatarPoser, path: str | Path, card: dict) -> None:
    """Write weights and card; the card's parameters get the network's settings."""
    parameters = card["parameters"] | {"network": asdict(network.settings)}
    weights.save(path, network.state_dict(), card | {"parameters": parameters})


class AvatarPoserPredictor:
    """Predictor of a trained network on a skeleton; ``half``: the network in bfloat16."""

    def __init__(self, network: AvatarPoser, skeleton: Skeleton, half: bool = False):
        self.network, self.skeleton, self.half = network.eval(), skeleton, half

    @classmethod
    def load(cls, path: str | Path, skeleton: Skeleton, half: bool = False) -> "AvatarPoserPredictor":
        """Of a weights file."""
        return cls(load(path), skeleton, half)

    @torch.inference_mode()
    def predict(self, trackers: Trackers) -> Motion:
        """The poses of all frames; before its begin the first frame stands still. It knows nothing of ``tracked``."""
        if not len(trackers):
            raise InputError("trackers: got no frame, expected at least one; record longer.")
        pred = [self._chunk(trackers, first) for first in range(0, len(trackers), CHUNK)]
        return Motion(*(torch.cat(part) for part in zip(*pred, strict=True)))

    def _chunk(self, trackers: Trackers, first: int) -> Motion:
        last = torch.arange(first, min(first + CHUNK, len(trackers)))
        rows = (last[:, None] + torch.arange(-WINDOW, 1)).clamp(min=0)
        return self.windows(trackers.rotations[rows].float(), trackers.positions[rows].float())

    def windows(self, rotations: Tensor, positions: Tensor) -> Motion:
        """Devices of B windows, (B, 41, 3, 3, 3) and (B, 41, 3, 3) m, z-up world -> the poses of their last frames."""
        head, yaw = positions[:, -1, 0], rotations.new_zeros(len(rotations))
        if self.network.settings.normalised:
            yaw, origin = frame_of(rotations[:, -1], positions[:, -1])
            rotations, positions = seen_from(rotations, positions, yaw[:, None, None], origin[:, None, None])
        with torch.autocast(rotations.device.type, torch.bfloat16, enabled=self.half):
            numbers = self.network(features(rotations, positions).flatten(-2))
        pose = from_6d(numbers)
        pose = torch.cat([about_vertical(yaw)[:, None] @ pose[:, :1], pose[:, 1:]], 1)
        return Motion(pose, align_heads(self.skeleton, pose, head)[0])

    def stream(self) -> "AvatarPoserStream":
        """A fresh stream."""
        return AvatarPoserStream(self)


class AvatarPoserStream:
    """The last 41 frames of one recording."""

    def __init__(self, predictor: AvatarPoserPredictor):
        self.predictor, self.kept = predictor, None

    @torch.inference_mode()
    def push(self, rotations: Tensor, positions: Tensor, tracked: Tensor) -> Motion:
        """The next frame's devices, (3, 3, 3), (3, 3) m and (3,) -> its pose, T = 1."""
        fresh = rotations.float()[None], positions.float()[None]
        if self.kept is None:
            self.kept = tuple(x.repeat(WINDOW + 1, *[1] * (x.ndim - 1)) for x in fresh)
        self.kept = tuple(torch.cat([old[1:], new]) for old, new in zip(self.kept, fresh, strict=True))
        return self.predictor.windows(*(x[None] for x in self.kept))
