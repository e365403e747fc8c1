"""The Warp z-buffer: one kernel, one thread per face, the same source for CPU (one core) and CUDA."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import warp as wp
from torch import Tensor

from avatarlab.render.screen import DEPTH_BITS, EMPTY, FACE_BITS, SUBPIXELS, Screen, faces_of


@contextmanager
def native_stderr_muted() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: Warp's C++ complains there about a missing CUDA driver, in every notebook."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


wp.config.log_level = wp.LOG_ERROR  # no banner, no line per compiled module
if torch.cuda.is_available():
    wp.init()
else:
    with native_stderr_muted():
        wp.init()
wp.set_module_options({"enable_backward": False})

STEP = wp.constant(wp.int64(SUBPIXELS))
HALF = wp.constant(wp.int64(SUBPIXELS // 2))
DEPTH_STEPS = wp.constant(wp.float64(2.0**DEPTH_BITS))
DEEPEST = wp.constant(wp.int64(2**DEPTH_BITS - 1))
SHIFT = wp.constant(wp.int64(FACE_BITS))
ZERO = wp.constant(wp.int64(0))


@wp.func
def owned(dx: wp.int64, dy: wp.int64):
    """Top-left rule: 0 if a pixel centre exactly on this edge belongs to the face, else 1 (added to 'edge >= ...')."""
    if dy < ZERO or (dy == ZERO and dx > ZERO):
        return ZERO
    return wp.int64(1)


@wp.kernel
def draw(
    corners: wp.array2d(dtype=wp.int32),
    nearness: wp.array(dtype=wp.float64),
    faces: wp.array2d(dtype=wp.int64),
    drawn: wp.array(dtype=wp.bool),
    width: wp.int64,
    height: wp.int64,
    cells: wp.array2d(dtype=wp.int64),
):
    """Lower the cell of every pixel centre in the face to (depth, face number)."""
    face = wp.tid()
    if not drawn[face]:
        return
    a = faces[face, 0]
    b = faces[face, 1]
    c = faces[face, 2]
    ax = wp.int64(corners[a, 0])
    ay = wp.int64(corners[a, 1])
    bx = wp.int64(corners[b, 0])
    by = wp.int64(corners[b, 1])
    cx = wp.int64(corners[c, 0])
    cy = wp.int64(corners[c, 1])
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if area == ZERO:
        return
    turn = wp.int64(1)
    if area < ZERO:
        turn = wp.int64(-1)
    left = wp.max(wp.min(ax, wp.min(bx, cx)), ZERO)
    top = wp.max(wp.min(ay, wp.min(by, cy)), ZERO)
    right = wp.max(ax, wp.max(bx, cx))
    bottom = wp.max(ay, wp.max(by, cy))
    if right < HALF or bottom < HALF:
        return
    x0 = (left + HALF - wp.int64(1)) / STEP
    y0 = (top + HALF - wp.int64(1)) / STEP
    x1 = wp.min((right + HALF) / STEP, width)
    y1 = wp.min((bottom + HALF) / STEP, height)
    keep_a = owned((cx - bx) * turn, (cy - by) * turn)
    keep_b = owned((ax - cx) * turn, (ay - cy) * turn)
    keep_c = owned((bx - ax) * turn, (by - ay) * turn)
    for y in range(int(y0), int(y1)):
        py = wp.int64(y) * STEP + HALF
        for x in range(int(x0), int(x1)):
            px = wp.int64(x) * STEP + HALF
            ea = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * turn
            eb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * turn
            ec = ((ax - px) * (by - py) - (ay - py) * (bx - px)) * turn
            if ea >= keep_a and eb >= keep_b and ec >= keep_c:
                near = wp.float64(ea) * nearness[a] + wp.float64(eb) * nearness[b] + wp.float64(ec) * nearness[c]
                near = near / wp.float64(area * turn)
                depth = wp.int64((wp.float64(1.0) - near) * DEPTH_STEPS)
                depth = wp.min(wp.max(depth, ZERO), DEEPEST)
                wp.atomic_min(cells, y, x, (depth << SHIFT) | wp.int64(face))


def zbuffer(screen: Screen, faces: Tensor) -> Tensor:
    """Screen, faces (F, 3) -> ids (H, W) int32 of the nearest face at each pixel centre, -1 = none."""
    cells = torch.full((screen.height, screen.width), EMPTY, dtype=torch.int64, device=faces.device)
    inputs = (screen.corners, screen.nearness, faces.long().contiguous(), screen.drawn)
    arrays = [wp.from_torch(tensor, requires_grad=False) for tensor in inputs]
    image = [screen.width, screen.height, wp.from_torch(cells, requires_grad=False)]
    stream = wp.stream_from_torch(faces.device) if faces.is_cuda else None  # torch's own: no waiting, no races
    wp.launch(draw, dim=len(faces), inputs=arrays + image, device=arrays[0].device, stream=stream)
    return faces_of(cells)
