"""Vertices on the image's fixed-point grid, where coverage is decided in whole numbers.

Corners are snapped to 1/4096 px and edge functions are int64, so neighbouring faces neither overlap nor leave gaps
(top-left rule) and every z-buffer finds the same answer whatever its floating point does. GPUs do the same, coarser.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.core.shapes import expect
from avatarlab.render.camera import Camera

SUBPIXELS = 4096
"""Grid steps per pixel."""

REACH_PX = 2**17
"""Corners further out are off the grid. Twice (REACH_PX * SUBPIXELS * 2)^2 must stay under 2^63."""

NEAR = 0.01
"""Metres in front of the camera where drawing begins."""

FACE_BITS = 24
DEPTH_BITS = 63 - FACE_BITS
"""A z-buffer cell is one int64: 39 bits of depth, then the face number. At 3 m one step is 2e-9 m."""

MAX_FACES = 2**FACE_BITS - 1
EMPTY = 2**63 - 1


@dataclass(frozen=True, eq=False)
class Screen:
    """corners (V, 2) int32 in 1/4096 px; nearness (V,) float64 = near/depth; drawn (F,) bool; image size in px."""

    corners: Tensor
    nearness: Tensor
    drawn: Tensor
    width: int
    height: int


def to_screen(vertices: Tensor, faces: Tensor, camera: Camera, near: float = NEAR) -> Screen:
    """vertices (V, 3) world m, faces (F, 3) -> Screen, detached; refuses what cannot be drawn."""
    _check_mesh(vertices, faces)
    if not near > 0:
        raise ValueError(f"near: got {near!r}, expected a positive distance (metres).")
    with torch.no_grad():
        pixels, depth = camera.project(vertices.double())
        usable = (depth > near) & (pixels.abs() < REACH_PX).all(-1)
        corners = torch.where(usable[:, None], snap(pixels), 0).to(torch.int32)
        nearness = torch.where(usable, near / depth, 0.0)
        drawn = usable[faces].all(-1) if not usable.all() else usable.new_ones(len(faces))
    return Screen(corners.contiguous(), nearness, drawn, camera.width, camera.height)


def snap(pixels: Tensor) -> Tensor:
    """Pixels (..., 2) -> the nearest grid point in 1/4096 px, still in floating point."""
    return torch.round(pixels * SUBPIXELS)


def faces_of(face_id: Tensor) -> Tensor:
    """Z-buffer cells (H, W) int64 -> face ids (H, W) int32, -1 = background."""
    return torch.where(face_id == EMPTY, -1, face_id & MAX_FACES).to(torch.int32)


def _check_mesh(vertices: Tensor, faces: Tensor) -> None:
    for name, value in (("vertices", vertices), ("faces", faces)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: got {type(value).__name__}, expected a torch tensor.")
        expect(name, value, (name[0].upper(), 3))
    if vertices.device != faces.device:
        raise ValueError(f"vertices are on {vertices.device} but faces on {faces.device}; move one of them.")
    if not vertices.is_floating_point():
        raise TypeError(f"vertices: got {vertices.dtype}, expected floating point (metres).")
    if faces.dtype not in (torch.int32, torch.int64):
        raise TypeError(f"faces: got {faces.dtype}, expected int32 or int64 vertex numbers.")
    if not torch.isfinite(vertices).all():
        bad = int((~torch.isfinite(vertices)).any(-1).sum())
        raise ValueError(f"vertices: {bad} of {len(vertices)} contain NaN or infinity.")
    _check_faces(faces, len(vertices))


def _check_faces(faces: Tensor, vertex_count: int) -> None:
    if len(faces) > MAX_FACES:
        raise ValueError(f"faces: got {len(faces)}, at most {MAX_FACES} can be drawn at once.")
    if len(faces) and not (int(faces.min()) >= 0 and int(faces.max()) < vertex_count):
        raise ValueError(
            f"faces: vertex numbers run {int(faces.min())} to {int(faces.max())}, but there are "
            f"{vertex_count} vertices."
        )
