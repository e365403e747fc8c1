"""A floor to move on: the plane y = 0 in squares of half a metre, with the soft dark that a body leaves where it stands.

Squares are filtered by their box in closed form, so a walking camera sees no shimmer; how dark the floor is follows
from how much of the mesh is close above it, so a hovering or sliding foot shows.
"""

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from avatarlab.render.camera import Camera
from avatarlab.render.picture import to_linear, to_srgb
from avatarlab.render.shading import WALL

SQUARE_M = 0.5
TILES = (0.84, 0.85, 0.87), (0.74, 0.76, 0.79)
"""sRGB of the two kinds of squares."""

FADE_M = 5.0, 12.0
"""Between these distances from the camera the floor dissolves into the wall."""

_CELL_M = 0.02
_DARK = (1.5, 0.07, 0.02), (0.7, 0.6, 0.10)
"""Two layers of dark: strength, metres of height over which it fades, metres by which it is blurred."""
_DARKEST = 0.7


def floor(camera: Camera, vertices: Tensor | None = None, faces: Tensor | None = None) -> Tensor:
    """Picture (H, W, 3) sRGB 0..1 of the floor and the wall behind it, dark under a mesh (V, 3) m, (F, 3) if given."""
    positions, seen, away = _seen(camera)
    light, wall = _squares(positions), to_linear(torch.tensor(WALL))
    if vertices is not None:
        light = light * (1 - _dark(positions, vertices, faces))[..., None]
    near = ((FADE_M[1] - away) / (FADE_M[1] - FADE_M[0])).clamp(0, 1)
    share = torch.where(seen, near, 0.0)[..., None]
    return to_srgb(wall + share * (light - wall))


def _seen(camera: Camera) -> tuple[Tensor, Tensor, Tensor]:
    """Floor places (H, W, 2) m x, z that pixels see, whether they see any (H, W), and how far they are (H, W) m."""
    rays = camera.rays(camera.centres()).float()
    eye = camera.eye.float()
    seen = rays[..., 1] < -1e-3
    away = torch.where(seen, -eye[1] / torch.where(seen, rays[..., 1], -1.0), 1e3)
    return eye[[0, 2]] + away[..., None] * rays[..., [0, 2]], seen & (away > 0), away


def _squares(positions: Tensor) -> Tensor:
    """Linear light (H, W, 3) of the squares at places (H, W, 2), each pixel the mean over its own box."""
    at = positions / SQUARE_M
    width = torch.zeros_like(at)
    for axis in (0, 1):
        step = at.diff(dim=axis).abs()
        width += torch.cat([step, step.narrow(axis, -1, 1)], axis)
    width = width.clamp(1e-4, 1e4)
    ends = [2 * (((at + s * width / 2) / 2).remainder(1) - 0.5).abs() for s in (-1, 1)]
    wave = (ends[0] - ends[1]) / width
    share = (0.5 - 0.5 * wave[..., 0] * wave[..., 1])[..., None]
    light, dark = (to_linear(torch.tensor(tile)) for tile in TILES)
    return light + share * (dark - light)


def _dark(positions: Tensor, vertices: Tensor, faces: Tensor) -> Tensor:
    """How much (H, W), 0..1, of the light is missing at places (H, W, 2) under the mesh."""
    corners = vertices[faces]
    middle = corners.mean(1)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    cover = (a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]).abs() / 4  # half the area as seen from above: it has two sides
    low, size = middle[:, [0, 2]].amin(0) - 0.4, middle[:, [0, 2]].amax(0) - middle[:, [0, 2]].amin(0) + 0.8
    wide, deep = (int(x) + 1 for x in (size / _CELL_M))
    column, row = ((middle[:, [0, 2]] - low) / _CELL_M).long().unbind(1)
    light = torch.ones(deep, wide)
    for strength, height, blur in _DARK:
        amount = cover * torch.exp(-middle[:, 1].clamp_min(0) / height) / _CELL_M**2
        cells = torch.bincount(row * wide + column, amount, minlength=wide * deep).reshape(deep, wide)
        covered = torch.from_numpy(gaussian_filter(cells.numpy(), blur / _CELL_M)).float()
        light *= 1 - (strength * covered).clamp(0, _DARKEST)
    grid = 2 * (positions - low) / (torch.tensor([wide, deep]) * _CELL_M) - 1
    return torch.nn.functional.grid_sample((1 - light)[None, None], grid[None], align_corners=False)[0, 0]
