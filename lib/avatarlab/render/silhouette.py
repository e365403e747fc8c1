"""How much of each pixel a mesh covers, differentiable: z-buffer inside, analytic edge crossings at the rim.

Where a covered and an empty pixel are neighbours, the outermost contour edge between their centres is intersected
with the line that joins them; the part of a pixel that lies beyond it is taken away, or added. Idea: nvdiffrast's
analytic antialiasing (Laine et al. 2020), with true mesh contours instead of the edges of the face seen, because a
body's faces are smaller than a pixel.
"""

import torch
from torch import Tensor

from avatarlab.render.camera import Camera
from avatarlab.render.outline import Crossings, contour, crossings
from avatarlab.render.raster import visible_faces
from avatarlab.render.screen import NEAR, to_screen


def silhouette(
    vertices: Tensor, faces: Tensor, camera: Camera, backend: str = "warp", near: float = NEAR
) -> Tensor:
    """vertices (V, 3) world m, faces (F, 3), camera -> coverage (H, W) in [0, 1], in the dtype of vertices.

    Differentiable in vertices, viewmat and K. Gradients live in the one-pixel rim only: a mask far away pulls at
    nothing, so fit coarse to fine or add a distance term. What is thinner than a pixel and misses every centre is
    not seen. Faces are drawn as ``rasterize`` says. Pass the same ``faces`` tensor each time: its edges are kept.
    """
    screen = to_screen(vertices, faces, camera, near)
    covered = visible_faces(screen, faces, backend) >= 0
    ends = contour(vertices, faces, camera, screen)
    rows = _rim(covered, crossings(ends, 0, camera.height))
    columns = _rim(covered.T, crossings(ends, 1, camera.width)).T
    return (covered + rows + columns).clamp(0, 1).to(vertices.dtype)


def _rim(covered: Tensor, found: Crossings) -> Tensor:
    """covered (R, C) bool, crossings along its rows -> what to add to each pixel's coverage (R, C) float64.

    A crossing exactly on a centre belongs to the pair before it, as the z-buffer's top-left rule has it.
    """
    rows, columns = covered.shape
    left = torch.ceil(found.at.detach() - 0.5).long() - 1
    inside = (left >= 0) & (left < columns - 1)
    pair = (found.line * columns + left)[inside]
    seen, after = covered.reshape(-1)[pair], covered.reshape(-1)[pair + 1]
    rim = seen != after
    pair, outward = pair[rim], torch.where(seen[rim], 1.0, -1.0).double()
    at, weight = found.at[inside][rim], found.weight[inside][rim]
    last = _outermost(pair, at.detach() * outward, rows * columns)
    pair, outward, at, weight = pair[last], outward[last], at[last], weight[last]
    past_middle = at - (pair % columns + 1)  # from the border between the two pixels, px, along the axis
    pixel = pair + (past_middle > 0)
    return (
        torch.zeros(rows * columns, dtype=at.dtype, device=at.device)
        .index_add(0, pixel, weight * past_middle * outward)
        .reshape(rows, columns)
    )


def _outermost(pair: Tensor, reach: Tensor, pairs: int) -> Tensor:
    """Of the crossings of each pair, the number of the one with the greatest reach; the first of equals."""
    best = reach.new_full((pairs,), -torch.inf).scatter_reduce_(0, pair, reach, "amax")
    tied = torch.nonzero(reach == best[pair])[:, 0]
    first = pair.new_full((pairs,), len(pair)).scatter_reduce_(0, pair[tied], tied, "amin")
    return tied[first[pair[tied]] == tied]
