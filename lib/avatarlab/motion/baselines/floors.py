"""Floors: how far off joints are that a baseline places without a skeleton, relative to the head.

Easier than a pose: bones may stretch and the head's heading is given. Places of 22 joints relative to the head, seen
from the head's heading, are learned from one frame's devices, as in the figures of REFERENCE. More of how those were
made is not known: which numbers of a frame were learned from, how they were scaled, whether all training frames were
kept and whether clips or frames were averaged (here: frames) is our choice, so the two need not agree.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from avatarlab.motion.baselines.frame_models import ANSWERS
from avatarlab.motion.baselines.frames import TURNS, lesson
from avatarlab.motion.data.library import Library
from avatarlab.motion.skeleton import COUNT, LOWER, UPPER

REFERENCE = {
    "heldout": {"mean": 17.52, "knn": 10.91, "ridge": 9.58},
    "random": {"mean": 18.99, "knn": 9.13, "ridge": 10.46},
    "cross": {"mean": 25.97, "knn": 19.91, "ridge": 13.70},
}
"""cm. Source: a retarget of the same archives by other code onto another skeleton, 171,492 frames in 510 segments."""
ASKED_EVERY = 3
"""Every such frame is asked about: 20 a second; all of them give the same figures to a millimetre."""
PARTS = {"mpjpe_cm": range(COUNT), "upper_cm": UPPER, "lower_cm": LOWER, "root_cm": (0,)}


def floors(library: Library, split: str, every: int = ASKED_EVERY) -> dict[str, dict[str, float]]:
    """Baseline -> PARTS' errors in cm over every such frame of the split's test segments, learned from its training."""
    train, test = library.split(split)
    known, asked = lesson(library, train), lesson(library, test, every)
    return {name: _errors(kind.learn(known)(asked.features), asked.targets) for name, kind in ANSWERS.items()}


def _errors(pred: Tensor, true: Tensor) -> dict[str, float]:
    apart = (pred - true)[:, TURNS:].unflatten(1, (COUNT, 3)).norm(dim=-1).mean(0)
    return {part: _mean_cm(apart, joints) for part, joints in PARTS.items()}


def _mean_cm(apart: Tensor, joints: Sequence[int]) -> float:
    return 100 * float(apart[torch.as_tensor(list(joints))].mean())
