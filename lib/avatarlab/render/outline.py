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
    """Where edges meet the line through pixel centres: line (N,) its number, at (N,) px along it, weight (N,)."""

    line: Tensor
    at: Tensor
    weight: Tensor


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
    turn = _turns(screen, faces)[edges.sides]
    chosen = ((turn[:, 0] * turn[:, 1] <= 0) | ~edges.manifold) & (turn != 0).any(-1)
    chosen &= screen.drawn[edges.sides].any(-1)
    ends = edges.ends[chosen]
    ends = ends[(screen.nearness[ends] > 0).all(-1)]
    pixels, _ = camera.project(vertices[ends].double())
    grid = snap(pixels.detach()) / SUBPIXELS
    return grid + (pixels - pixels.detach())


def _turns(screen: Screen, faces: Tensor) -> Tensor:
    """+1, -1 for faces drawn clockwise, anticlockwise; 0 for those without area or not drawn. (F,) int64."""
    a, b, c = screen.corners[faces].long().unbind(1)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return area.sign() * screen.drawn


def crossings(ends: Tensor, axis: int, lines: int) -> Crossings:
    """ends (E, 2, 2) px -> where those edges cross the lines through pixel centres along ``axis`` (0 rows, 1 columns).

    The weight is the squared component of the edge's normal along the axis. Rows and columns thus share every edge:
    each counts where it meets the edge squarely, together they count it once.
    """
    along, across = ends[..., axis], ends[..., 1 - axis]
    flat = across.detach()
    first = torch.ceil(flat.amin(1) - 0.5).clamp(0, lines).long()
    count = (torch.ceil(flat.amax(1) - 0.5).clamp(0, lines).long() - first).clamp_min(0)
    edge = torch.repeat_interleave(count)
    line = torch.arange(len(edge), device=edge.device) - (count.cumsum(0) - count)[edge] + first[edge]
    along, across = along[edge], across[edge]
    run, rise = along[:, 1] - along[:, 0], across[:, 1] - across[:, 0]
    at = along[:, 0] + (line + 0.5 - across[:, 0]) * run / rise
    weight = (rise.square() / (run.square() + rise.square())).detach()
    return Crossings(line, at, weight)
