"""The plain-torch z-buffer: every (face, pixel of its box) pair in a list. Slow, obvious, the oracle of the others."""

import torch
from torch import Tensor

from avatarlab.render.screen import DEPTH_BITS, EMPTY, FACE_BITS, SUBPIXELS, Screen, faces_of

PAIRS_AT_ONCE = 2**21


def zbuffer(screen: Screen, faces: Tensor) -> Tensor:
    """Screen, faces (F, 3) -> ids (H, W) int32 of the nearest face at each pixel centre, -1 = none."""
    cells = torch.full((screen.height * screen.width,), EMPTY, dtype=torch.int64, device=faces.device)
    numbers = torch.nonzero(screen.drawn)[:, 0]
    boxes = _boxes(screen, faces[numbers])
    sizes = (boxes[:, 2:] - boxes[:, :2]).clamp_min(0).prod(-1)
    numbers, boxes, sizes = numbers[sizes > 0], boxes[sizes > 0], sizes[sizes > 0]
    group = sizes.cumsum(0) // PAIRS_AT_ONCE
    for chosen in (group == g for g in group.unique()):
        face, pixel = _pairs(numbers[chosen], boxes[chosen], sizes[chosen], screen.width)
        hit, cell = _cells(screen, faces, face, pixel)
        cells.scatter_reduce_(0, pixel[hit], cell, "amin")
    return faces_of(cells).reshape(screen.height, screen.width)


def _boxes(screen: Screen, faces: Tensor) -> Tensor:
    """Pixels whose centres may lie in each face: (F, 4) columns from, rows from, columns to, rows to (exclusive)."""
    corners = screen.corners[faces].long()
    size = torch.tensor([screen.width, screen.height], device=faces.device)
    half = SUBPIXELS // 2
    low = ((corners.amin(1) + half - 1) // SUBPIXELS).clamp_min(0)
    high = torch.minimum((corners.amax(1) + half) // SUBPIXELS, size)
    return torch.cat([low, high], -1)


def _pairs(numbers: Tensor, boxes: Tensor, sizes: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Every pixel of every box: face number (P,) and flat pixel number (P,)."""
    place = torch.arange(int(sizes.sum()), device=boxes.device)
    place = place - torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    box = torch.repeat_interleave(boxes, sizes, dim=0)
    across = box[:, 2] - box[:, 0]
    pixel = (box[:, 1] + place // across) * width + box[:, 0] + place % across
    return torch.repeat_interleave(numbers, sizes), pixel


def _cells(screen: Screen, faces: Tensor, face: Tensor, pixel: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs -> which are covered (P,) bool, and the z-buffer cells of those."""
    corner = faces[face]
    centre = torch.stack([pixel % screen.width, pixel // screen.width], -1) * SUBPIXELS + SUBPIXELS // 2
    spokes = screen.corners[corner].long() - centre[:, None]
    after, last = spokes.roll(-1, 1), spokes.roll(-2, 1)
    edge = after[..., 0] * last[..., 1] - after[..., 1] * last[..., 0]
    area = edge.sum(-1, keepdim=True)
    turn = area.sign()
    step = (last - after) * turn[..., None]
    owned = (step[..., 1] < 0) | ((step[..., 1] == 0) & (step[..., 0] > 0))
    hit = ((edge * turn > 0) | ((edge == 0) & owned)).all(-1) & (area[:, 0] != 0)
    edge, area, corner = edge[hit].double(), area[hit, 0].double(), corner[hit]
    nearness = (edge * screen.nearness[corner]).sum(-1) / area
    depth = ((1.0 - nearness) * 2.0**DEPTH_BITS).long().clamp(0, 2**DEPTH_BITS - 1)
    return hit, (depth << FACE_BITS) | face[hit]
