"""How much of each pixel a mesh covers, differentiable: z-buffer inside, analytic edge crossings at the rim.

Where a covered and an empty pixel are neighbours, the outermost contour edge between their centres is intersected
with the line that joins them; the part of a pixel that lies beyond it is taken away, or added. Idea: nvdiffrast's
analytic antialiasing (Laine et al. 2020), with true mesh contours instead of the edges of the face seen, because a
body's faces are smaller than a pixel.

The gradient is that of the area, by the divergence theorem: when the outline's points move by d, a row's area changes
by d_x at each of its crossings, and the columns add d_y at theirs. Nothing is weighted and no normal is needed, so it
also holds where the outline has detail below a pixel (toes, fingers) and the derivative of the coverage itself,
which follows single edges, would lose a fifth.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.render.camera import Camera
from avatarlab.render.outline import Crossings, contour, crossings
from avatarlab.render.raster import visible_faces
from avatarlab.render.screen import NEAR, to_screen


@dataclass(frozen=True, eq=False)
class Rim:
    """What N crossings of the outline do to the pixels (flat numbers, (N,)) that they pass through.

    amount (N,): to be added to the coverage; moves (N,): zeros with the gradient of the covered area.
    """

    pixel: Tensor
    amount: Tensor
    moves: Tensor


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
    rims = [_rim(covered, crossings(ends, axis, lines), axis) for axis, lines in enumerate(covered.shape)]
    pixel = torch.cat([rim.pixel for rim in rims])
    image = covered.double().reshape(-1).index_add_(0, pixel, torch.cat([rim.amount for rim in rims])).clamp_(0, 1)
    image = image.index_add(0, pixel, torch.cat([rim.moves for rim in rims]))
    return image.reshape(covered.shape).to(vertices.dtype)


def _rim(covered: Tensor, found: Crossings, axis: int) -> Rim:
    """covered (H, W) bool, crossings of its rows or columns -> those that part a covered from an empty pixel.

    A crossing exactly on a centre belongs to the pair before it, as the z-buffer's top-left rule has it.
    """
    width, length = covered.shape[1], covered.shape[1 - axis]
    place = torch.ceil(found.at - 0.5).long() - 1
    first = found.line * width + place if axis == 0 else place * width + found.line
    second = first + (1 if axis == 0 else width)
    inside = torch.nonzero((place >= 0) & (place < length - 1))[:, 0]
    seen = covered.reshape(-1)
    rim = inside[seen[first[inside]] != seen[second[inside]]]
    outward = torch.where(seen[first[rim]], 1.0, -1.0).double()
    last = _outermost(first[rim], found.at[rim] * outward, covered.numel())
    rim, outward = rim[last], outward[last]
    past = found.at[rim] - (place[rim] + 1)  # px from the border between the two pixels
    along = found.point[rim, axis]
    pixel = torch.where(past > 0, second[rim], first[rim])
    return Rim(pixel, found.share[rim] * past * outward, (along - along.detach()) * outward)


def _outermost(pair: Tensor, reach: Tensor, pairs: int) -> Tensor:
    """Of the crossings of each pair, the number of the one with the greatest reach; the first of equals."""
    best = reach.new_full((pairs,), -torch.inf).scatter_reduce_(0, pair, reach, "amax")
    tied = torch.nonzero(reach == best[pair])[:, 0]
    first = pair.new_full((pairs,), len(pair)).scatter_reduce_(0, pair[tied], tied, "amin")
    return tied[first[pair[tied]] == tied]
