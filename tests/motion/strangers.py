"""People who wave about by sines, for tests of what is learned from motion and of how it is scored."""

import numpy as np
import roma
import torch

from avatarlab.motion.data.library import Library
from avatarlab.motion.predictor import Motion
from avatarlab.motion.rotations import UPRIGHT

REST = np.array([
    [0, 0, 0], [.07, -.08, 0], [-.07, -.08, 0], [0, .12, 0], [.1, -.48, 0], [-.1, -.48, 0], [0, .26, 0],
    [.1, -.9, 0], [-.1, -.9, 0], [0, .32, 0], [.1, -.95, .14], [-.1, -.95, .14], [0, .52, 0], [.08, .42, 0],
    [-.08, .42, 0], [0, .6, .03], [.18, .45, 0], [-.18, .45, 0], [.44, .45, 0], [-.44, .45, 0], [.7, .45, 0],
    [-.7, .45, 0],
])  # fmt: skip
"""A body's 22 joints at rest, m; any upright one would do."""


def library(subjects=("CMU14", "ida", "bob", "carl", "one"), frames=240, seed=4) -> Library:
    """One clip of each in two segments: CMU14 is held out, ida falls into `random`, the last is `far`: `cross`."""
    generator = np.random.default_rng(seed)
    poses = np.concatenate([waving(frames, generator) for _ in subjects])
    trans = np.tile([0.3, -0.2, 0.97], (len(poses), 1))
    starts = np.arange(0, len(poses) + 1, frames // 2)
    named = [name for name in subjects for _ in range(2)]
    sources = ["far" if name == subjects[-1] else "near" for name in named]
    header = {"held_out": ["CMU14"], "cross_sources": ["far"], "rate": 60}
    return Library(
        poses.astype(np.float32), trans.astype(np.float32), starts, tuple(f"{n}_01" for n in named), tuple(named),
        tuple(sources), REST, header,
    )  # fmt: skip


def waving(frames: int, generator) -> np.ndarray:
    """Axis-angles (frames, 22, 3) of somebody upright who turns slowly, every joint swinging by its own sine."""
    time = np.arange(frames)[:, None, None] / 60
    poses = 0.3 * generator.normal(size=(22, 3)) * np.sin(time * generator.uniform(1, 4, (22, 1)))
    yaw = torch.as_tensor(np.array([0.0, 0.0, 1.0]) * time[:, 0] * generator.normal())
    root = roma.rotvec_to_rotmat(yaw) @ torch.tensor(UPRIGHT, dtype=torch.float64)
    poses[:, 0] = roma.rotmat_to_rotvec(root @ roma.rotvec_to_rotmat(torch.as_tensor(0.2 * poses[:, 0]))).numpy()
    return poses


def shifted(motion: Motion, frames: int) -> Motion:
    """A motion that is so many frames early: what somebody who saw the future would say."""
    return Motion(*(torch.cat([part[frames:], part[-1:].expand(frames, *part.shape[1:])]) for part in motion))
