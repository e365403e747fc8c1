"""The outline of a mesh in the image: its contour edges, and where they cross the lines between pixel centres."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from avatarlab.render.camera import Camera
from avatarlab.render.screen import SUBPIXELS, Screen, snap

_known: WeakIdKeyDictionary = WeakIdKeyDictionary()


@dataclass(frozen=True, eq=False)
class Edges:
    """The distinct edges of a mesh: ends (E, 2) vertex numbers; sides (E, 2) face numbers; manifold (E,) bool.

    ``sides`` holds the first and last face at the edge; ``manifold`` says that there are exactly two.
    """

    ends: Tensor
    sides: Tensor
    manifold: Tensor


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where edges meet the lines through pixel centres: line (N,) its number, at (N,) px along it, share (N,).

    ``point`` (N, 2) px x, y is the same place as a point fixed to its edge: it alone carries gradients. ``share``
    goes from 1 where the edge is square to the line to 0 where it runs along it; a row's and a column's share in one
    edge sum to 1, so its coverage is counted once.
    """

    line: Tensor
    at: Tensor
    share: Tensor
    point: Tensor


def edges_of(faces: Tensor) -> Edges:
    """faces (F, 3) -> Edges, remembered as long as this very tensor lives and is not written to (8 ms else)."""
    now = 0 if faces.is_inference() else faces._version  # inference tensors keep no count of writes
    version, edges = _known.get(faces, (None, None))
    if version != now:
        edges = _find_edges(faces)
        _known[faces] = (now, edges)
    return edges


def _find_edges(faces: Tensor) -> Edges:
    pairs = torch.stack([faces, faces.roll(-1, 1)], -1).reshape(-1, 2).sort(-1).values.long()
    size = int(pairs.max()) + 1 if len(pairs) else 1
    keys, order = (pairs[:, 0] * size + pairs[:, 1]).sort(stable=True)
    keys, counts = torch.unique_consecutive(keys, return_counts=True)
    last = counts.cumsum(0) - 1
    sides = torch.stack([order[last - counts + 1], order[last]], -1) // 3
    return Edges(torch.stack([keys // size, keys % size], -1), sides, counts == 2)


def contour(vertices: Tensor, faces: Tensor, camera: Camera, screen: Screen) -> Tensor:
    """Ends (E, 2, 2) px, float64, of the edges that may bound the drawn mesh: between a face turned to the camera
    and one turned away or not drawn, at a border, or shared by more than two faces.

    Values are those of the z-buffer's grid, gradients those of the projection, to vertices, viewmat and K.
    """
    edges = edges_of(faces)
    turn = _turns(screen, faces)
    first, last = turn[edges.sides[:, 0]], turn[edges.sides[:, 1]]
    ends = edges.ends[((first != last) | ~edges.manifold) & ((first != 0) | (last != 0))]
    ends = ends[(screen.nearness[ends] > 0).all(-1)]
    pixels, _ = camera.project(vertices[ends].double())
    grid = snap(pixels.detach()) / SUBPIXELS
    return grid + (pixels - pixels.detach())


def _turns(screen: Screen, faces: Tensor) -> Tensor:
    """(F,) int64: +1, -1 for faces drawn clockwise, anticlockwise; 0 for those without area or not drawn."""
    corners = screen.corners.long()
    a, b, c = (corners.index_select(0, faces[:, corner]) for corner in range(3))
    (ux, uy), (vx, vy) = (b - a).unbind(1), (c - a).unbind(1)
    return (ux * vy - uy * vx).sign() * screen.drawn


def crossings(ends: Tensor, axis: int, lines: int) -> Crossings:
    """ends (E, 2, 2) px -> where those edges meet the lines through pixel centres along ``axis`` (0 rows, 1 columns)."""
    along, across = ends.detach()[..., axis], ends.detach()[..., 1 - axis]
    first = torch.ceil(across.amin(1) - 0.5).clamp(0, lines).long()
    count = (torch.ceil(across.amax(1) - 0.5).clamp(0, lines).long() - first).clamp_min(0)
    edge = torch.repeat_interleave(count)
    line = torch.arange(len(edge), device=edge.device) - (count.cumsum(0) - count)[edge] + first[edge]
    along, across = along[edge], across[edge]
    run, rise = along[:, 1] - along[:, 0], across[:, 1] - across[:, 0]
    part = (line + 0.5 - across[:, 0]) / rise
    share = rise**4 / (run**4 + rise**4)
    point = torch.lerp(ends[edge, 0], ends[edge, 1], part[:, None])
    return Crossings(line, along[:, 0] + part * run, share, point)
