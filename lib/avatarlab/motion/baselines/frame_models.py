"""Three ways to answer a frame from frames learned: their mean, the mean of the nearest five, a straight line."""

from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.motion.baselines.frames import TrainingFrames

NEIGHBOURS = 5
RIDGE = 1.0
"""Weight of a squared coefficient against a squared error; features have unit spread, so it is next to nothing."""
ROWS = 1024
"""Frames compared with all learned ones at a time."""


@dataclass(frozen=True)
class Mean:
    """The same answer to every frame."""

    target: Tensor

    @classmethod
    def learn(cls, lesson: TrainingFrames) -> "Mean":
        """The mean of all targets."""
        return cls(lesson.targets.double().mean(0).float())

    def __call__(self, features: Tensor) -> Tensor:
        """Features (T, F) -> targets (T, K)."""
        return self.target.expand(len(features), -1)


@dataclass(frozen=True)
class Nearest:
    """The mean target of the NEIGHBOURS frames whose features, each of unit spread, are nearest."""

    scale: Tensor
    features: Tensor
    targets: Tensor

    @classmethod
    def learn(cls, lesson: TrainingFrames) -> "Nearest":
        """Keep all frames of the lesson; fewer than NEIGHBOURS raise ValueError."""
        if len(lesson.features) < NEIGHBOURS:
            raise ValueError(f"lesson: got {len(lesson.features)} frames, expected at least {NEIGHBOURS}.")
        scale = 1 / std(lesson.features)
        return cls(scale, lesson.features * scale, lesson.targets)

    def __call__(self, features: Tensor) -> Tensor:
        """Features (T, F) -> targets (T, K)."""
        size = self.features.square().sum(1)
        found = []
        for part in (features * self.scale).split(ROWS):
            closeness = 2 * part @ self.features.T - size  # less the part's own size, which is the same for all
            found.append(self.targets[closeness.topk(NEIGHBOURS).indices].mean(1))
        return torch.cat(found)


@dataclass(frozen=True)
class Ridge:
    """A line through the lesson: targets = coefficients of the features (F, K) and of one (K)."""

    middle: Tensor
    scale: Tensor
    slope: Tensor
    level: Tensor

    @classmethod
    def learn(cls, lesson: TrainingFrames) -> "Ridge":
        """Least squares in float64 with squared coefficients weighed by RIDGE; the level is free."""
        x, y = lesson.features.double(), lesson.targets.double()
        middle, scale, level = x.mean(0), 1 / std(x), y.mean(0)
        x = (x - middle) * scale
        weight = RIDGE * torch.eye(x.shape[1], dtype=x.dtype)
        slope = torch.linalg.solve(x.T @ x + weight, x.T @ (y - level))
        return cls(*(part.float() for part in (middle, scale, slope, level)))

    def __call__(self, features: Tensor) -> Tensor:
        """Features (T, F) -> targets (T, K)."""
        return ((features - self.middle) * self.scale) @ self.slope + self.level


def std(features: Tensor) -> Tensor:
    """Standard deviation (F,) of features (N, F); one for those that never change."""
    deviation = features.double().std(0).to(features)
    return torch.where(deviation > 1e-5, deviation, torch.ones_like(deviation))


ANSWERS = {"mean": Mean, "knn": Nearest, "ridge": Ridge}
