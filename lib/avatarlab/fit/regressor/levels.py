"""How wide a person is at the levels of the body: rows of the crop, read at heights that the keypoints set.

Chest, waist and hip then stand at the same place for everybody; widths at less than a pixel are what girths are made
of.
"""

import torch
from torch import Tensor

from avatarlab.fit.regressor.crop import COLUMNS, PERSON_PX, ROWS
from avatarlab.photo import skeleton

PROFILES = 7
"""Widths of mask, trunk, arms and legs; middles of mask and trunk, and the legs' balance; all in 16 px."""
KNOTS = (skeleton.SHOULDERS, skeleton.HIPS, skeleton.KNEES, skeleton.ANKLES)
BETWEEN = (10, 24, 16, 12, 4)
"""Levels from the head's top to the shoulders, hips, knees, ankles and soles."""
LEVELS = sum(BETWEEN)


def profiles(image: Tensor, points: Tensor) -> Tensor:
    """Crops (M, CHANNELS, ROWS, COLUMNS), keypoints (M, 33, 3) crop px -> (M, PROFILES, LEVELS)."""
    return sampled(by_row(image), levels(points))


def by_row(image: Tensor) -> Tensor:
    """Crops (M, CHANNELS, ROWS, COLUMNS) -> the PROFILES of every row (M, PROFILES, ROWS)."""
    across = (torch.arange(COLUMNS, device=image.device, dtype=image.dtype) + 0.5 - COLUMNS / 2) / 16
    widths = image.abs().sum(-1) / 16
    moments = (image[:, :2] * across).sum(-1) / 16
    return torch.cat([widths, moments, image[:, 3:].sum(-1) / 16], 1)


def levels(points: Tensor) -> Tensor:
    """Keypoints (M, 33, 3) crop px -> heights (M, LEVELS) crop px, evenly between the knots."""
    ends = points.new_tensor([(ROWS - PERSON_PX) / 2, (ROWS + PERSON_PX) / 2]).expand(len(points), 2)
    knots = [ends[:, 0], *(points[:, list(pair), 1].mean(1) for pair in KNOTS), ends[:, 1]]
    spans = zip(knots[:-1], knots[1:], BETWEEN, strict=True)
    steps = [(torch.arange(count, device=points.device) + 0.5) / count for count in BETWEEN]
    return torch.cat([a[:, None] + (b - a)[:, None] * steps[k] for k, (a, b, _) in enumerate(spans)], 1)


def sampled(rows: Tensor, heights: Tensor) -> Tensor:
    """Rows (M, P, ROWS) read between their middles at heights (M, L) px -> (M, P, L)."""
    at = (heights - 0.5).clamp(0, ROWS - 1.001)
    low = at.floor()
    share = (at - low)[:, None]
    low = low.long()[:, None].expand(-1, rows.shape[1], -1)
    return rows.gather(2, low) * (1 - share) + rows.gather(2, low + 1) * share
