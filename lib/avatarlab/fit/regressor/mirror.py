"""The same person in a mirror: bodies are symmetric, so the network is asked twice and its answers are averaged.

On made-up people this takes 6 % off the error of the tapes from two views, 2 % off that from one.
"""

import torch

from avatarlab.fit.regressor.crop import COLUMNS
from avatarlab.fit.regressor.model import Regressor, RegressorInput, RegressorOutput
from avatarlab.photo import skeleton

EYES = ((1, 4), (2, 5), (3, 6))
PAIRS = (
    *EYES, skeleton.EARS, skeleton.MOUTH, skeleton.SHOULDERS, skeleton.ELBOWS, skeleton.WRISTS,
    *zip(*skeleton.FINGERS, strict=True), skeleton.HIPS, skeleton.KNEES, skeleton.ANKLES, skeleton.HEELS, skeleton.TOES,
)  # fmt: skip
"""Left and right keypoints."""
SIDED = (2, 3)
"""Channels of the crop whose sign tells left from right: arms and legs."""


def partners() -> list[int]:
    """For every keypoint the number of the one it becomes in a mirror."""
    found = list(range(33))
    for left, right in PAIRS:
        found[left], found[right] = right, left
    return found


def mirrored(seen: RegressorInput) -> RegressorInput:
    """Everybody seen in a mirror; the inverse of itself."""
    image, points, frame = seen.image.flip(-1).clone(), seen.points[:, :, partners()].clone(), seen.frame.clone()
    image[:, :, SIDED] *= -1
    points[..., 0] = (COLUMNS - points[..., 0]) * seen.present[..., None]
    frame[..., 0] *= -1
    return seen._replace(image=image, points=points, frame=frame)


def pred_twice(network: Regressor, seen: RegressorInput) -> RegressorOutput:
    """What the network says, shape and tapes averaged over both sides of the mirror."""
    both = network(RegressorInput(*(torch.cat(pair) for pair in zip(seen, mirrored(seen), strict=True))))
    mean, log_variance = (part.unflatten(0, (2, -1)).mean(0) for part in both[:2])
    return RegressorOutput(mean, log_variance, type(both.views)(*(part[: len(mean)] for part in both.views)))
