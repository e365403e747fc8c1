"""Rollouts: unrefined poses beside the true ones, predicted once and kept; what the refiner learns from."""

from typing import NamedTuple

import torch
from torch import Tensor

from avatarlab.motion.data.windows import Windows
from avatarlab.motion.sage.model import Sage, tracker_features
from avatarlab.motion.trackers import frame_of

CHUNK = 512


class Rollout(NamedTuple):
    """B streams of T frames: unrefined rotations ``pose`` (B, T, 22, 6), the root's seen from ``yaw`` (B, T); trackers
    ``sparse`` (B, T, 3, 18); true local ``rotations`` (B, T, 22, 3, 3), the root's of the world; ``positions`` m."""

    pose: Tensor
    sparse: Tensor
    yaw: Tensor
    rotations: Tensor
    positions: Tensor


class Rollouts:
    """All frames of a library's segments through a model; draws stretches of ``length`` frames."""

    def __init__(self, model: Sage, windows: Windows, length: int, half: bool = False):
        self.skeleton, self.length, self.first, self.half = windows.skeleton, length, windows.first, half
        pred = [self._pred(model, windows, rows) for rows in torch.arange(len(windows)).split(CHUNK)]
        self.frames = Rollout(*(torch.cat(part) for part in zip(*pred, strict=True)))

    @torch.no_grad()
    def _pred(self, model: Sage, windows: Windows, rows: Tensor) -> Rollout:
        """Frames ``rows``, each from its own window; every second segment is shown left for right."""
        settings, rows = model.settings, rows.to(windows.first.device)
        window = windows.at(rows)
        if settings.mirror:
            numbers = torch.unique_consecutive(windows.first, return_inverse=True)[1]
            window = window.mirrored(numbers[rows] % 2 == 1)
        shown = window.seen_from_last() if settings.normalised else window
        sparse = tracker_features(shown.device_rotations, shown.device_positions, settings)
        with torch.autocast(sparse.device.type, torch.bfloat16, enabled=self.half):
            pose = model.eval()(sparse, model.noise)[:, -1]
        yaw, _ = frame_of(window.device_rotations[:, -1], window.device_positions[:, -1])
        yaw = yaw if settings.normalised else torch.zeros_like(yaw)
        return Rollout(pose.float(), sparse[:, -1], yaw, window.rotations[:, -1], window.positions[:, -1])

    def draw(self, count: int, generator: torch.Generator) -> Rollout:
        """``count`` stretches that end anywhere; before the begin of a segment its first frame stands still."""
        ends = torch.randint(len(self.first), (count,), generator=generator).to(self.first.device)
        rows = ends[:, None] + torch.arange(1 - self.length, 1, device=ends.device)
        rows = torch.maximum(rows, self.first[ends][:, None])
        return Rollout(*(x[rows] for x in self.frames))
