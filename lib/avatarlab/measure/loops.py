"""The course of every tape in space, for drawing: hull loops of girths, stops of lengths."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import ConvexHull

from avatarlab.core.shapes import expect
from avatarlab.measure.anchors import Topology, centre, topology
from avatarlab.measure.definitions import Arc, Girth, Length
from avatarlab.measure.girth import crossings, hull_length, section_points
from avatarlab.measure.tape import arc_points, definition_named, planes


@dataclass(frozen=True)
class Loop:
    """One tape in space: ``points`` (n, 3) in metres along it; ``closed`` if it goes round a part of the body."""

    points: np.ndarray
    closed: bool


@torch.no_grad()
def sections(body, vertices: torch.Tensor, definition: str = "ansur") -> dict[str, Loop]:
    """Where each of the 16 tapes runs on one body: vertices (V, 3) m in the standing pose -> name -> Loop."""
    topo = topology(body)
    expect("vertices", vertices, ("V", 3), V=topo.vertex_count)
    return {name: _loop(topo, vertices[None], rule, name) for name, rule in definition_named(definition).items()}


def _loop(topo: Topology, vertices: torch.Tensor, rule: Girth | Length | Arc, name: str) -> Loop:
    if isinstance(rule, Girth):
        return Loop(_girth_loop(topo, vertices, rule, name), closed=True)
    points = _arc_course(topo, vertices, rule, name) if isinstance(rule, Arc) else _stops(topo, vertices, rule)
    return Loop(points, closed=False)


def _girth_loop(topo: Topology, vertices: torch.Tensor, rule: Girth, name: str) -> np.ndarray:
    nodes, edges = topo.band(rule.parts, rule.side)
    points, frame = planes(topo, vertices, rule)
    skin = vertices[:, nodes]
    planar = section_points(skin, edges, crossings(skin, edges, points, frame, name), points, frame)[0]
    girth = hull_length(planar)
    best = int(girth.argmax() if rule.rule == "max" else girth.argmin())
    outline = planar[best][torch.from_numpy(ConvexHull(planar[best].double().numpy()).vertices).long()]
    return (points[0, best] + outline @ frame[0, :, :2].T).numpy()


def _arc_course(topo: Topology, vertices: torch.Tensor, rule: Arc, name: str) -> np.ndarray:
    behind, end, frame = arc_points(topo, vertices, rule, name)
    planar = torch.cat([behind[0], end[0]])
    outline = planar[torch.from_numpy(ConvexHull(planar.double().numpy()).vertices).long()]
    ordered = outline[(outline @ end[0, 0]).argsort()]
    return (centre(topo, vertices, rule.ends[1:])[0] + ordered @ frame[0, :, :2].T).numpy()


def _stops(topo: Topology, vertices: torch.Tensor, rule: Length) -> np.ndarray:
    points = torch.cat([centre(topo, vertices, names) for names in rule.path])
    if rule.vertical:
        points[-1, [0, 2]] = points[0, [0, 2]]
    return points.numpy()
