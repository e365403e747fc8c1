"""Tapes on a body: the 16 measures from vertices in the standing pose, batched and differentiable."""

import torch

from avatarlab.core.errors import InputError
from avatarlab.core.shapes import expect
from avatarlab.measure.anchors import Topology, centre, locate, topology
from avatarlab.measure.definitions import (
    ANSUR,
    ANSUR_HEIGHTS,
    ANSUR_SECTIONS,
    DEFINITIONS,
    SHOULDER_GIRDLE,
    UP,
    Arc,
    Girth,
    Length,
)
from avatarlab.measure.girth import Section, crossings, cut, cut_extreme, hull_length, plane_frame, section_points


def definition_named(name: str) -> dict[str, Girth | Length | Arc]:
    """Return the table of one definition or raise InputError listing the names."""
    if name not in DEFINITIONS:
        raise InputError(f"definition: got {name!r}, expected one of {', '.join(DEFINITIONS)}.")
    return DEFINITIONS[name]


LEVEL = torch.tensor([[[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]])
"""Frame (1, 3, 3) of a horizontal plane: columns x, z, y."""


def planes(topo: Topology, vertices: torch.Tensor, girth: Girth) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the points (B, L, 3) m that the planes of one girth go through and their common frame (B, 3, 3)."""
    if girth.axis == UP:
        frame = LEVEL.to(vertices).expand(len(vertices), 3, 3)
    else:
        low, high = (locate(topo, vertices, name) for name in girth.axis)
        frame = plane_frame(torch.nn.functional.normalize(high - low, dim=-1))
    return plane_points(topo, vertices, girth), frame


def plane_points(topo: Topology, vertices: torch.Tensor, girth: Girth) -> torch.Tensor:
    """Return the points (B, L, 3) m that the planes of one girth go through."""
    start = centre(topo, vertices, girth.at)
    if not girth.to:
        return start[:, None]
    share = vertices.new_tensor(girth.shares)[:, None]
    return start[:, None] + share * (centre(topo, vertices, girth.to) - start)[:, None]


def levels(topo: Topology, vertices: torch.Tensor, girth: Girth, name: str) -> Section:
    """Cut vertices (B, V, 3) m at every plane of a girth; returns a Section of (B, L)."""
    nodes, edges = topo.band(girth.parts, girth.side)
    return cut(vertices.index_select(1, nodes), edges, *planes(topo, vertices, girth), name)


def section(topo: Topology, vertices: torch.Tensor, girth: Girth, name: str) -> Section:
    """Cut vertices (B, V, 3) m as one girth says; returns a Section of (B,)."""
    nodes, edges = topo.band(girth.parts, girth.side)
    return cut_extreme(vertices.index_select(1, nodes), edges, *planes(topo, vertices, girth), girth.rule, name)[0]


def length(topo: Topology, vertices: torch.Tensor, rule: Length) -> torch.Tensor:
    """Return the length (B,) m along a path of named points, or its height difference."""
    stops = torch.stack([centre(topo, vertices, names) for names in rule.path])
    if rule.vertical:
        return (stops[0] - stops[-1])[..., 1].abs()
    return (stops[1:] - stops[:-1]).norm(dim=-1).sum(0)


def arc_points(topo: Topology, vertices: torch.Tensor, rule: Arc, name: str):
    """Return what a taut tape behind the body may touch, in the plane through both ends, level from front to
    back.

    Planar points (B, K, 2) m relative to the second end (those elsewhere moved onto it), the first end (B, 1, 2)
    and the plane's frame (B, 3, 3).
    """
    one, other = (locate(topo, vertices, end) for end in rule.ends)
    along = torch.nn.functional.normalize(one - other, dim=-1)
    up = vertices.new_tensor([0.0, 1.0, 0.0])
    frame = plane_frame(torch.nn.functional.normalize(up - along[:, 1:2] * along, dim=-1))
    nodes, edges = topo.band(rule.parts, "")
    skin, point = vertices.index_select(1, nodes), other[:, None]
    chosen = crossings(skin, edges, point, frame, name)
    around = section_points(skin, edges, chosen, point, frame)[:, 0]
    end = (one - other)[:, None] @ frame[..., :2]
    share = (around * end).sum(-1, keepdim=True) / (end * end).sum(-1, keepdim=True)
    front = around[..., 1:] * end[..., :1] - around[..., :1] * end[..., 1:]
    behind = (front < 0) & (share > 0) & (share < 1)
    return torch.where(behind, around, torch.zeros_like(around)), end, frame


def arc(topo: Topology, vertices: torch.Tensor, rule: Arc, name: str) -> torch.Tensor:
    """Return the length (B,) m of a tape behind the body: hull of what lies behind the chord, less the chord."""
    behind, end, _ = arc_points(topo, vertices, rule, name)
    return hull_length(torch.cat([behind, end], 1)) - end.norm(dim=-1)[:, 0]


def tape_of_rule(topo: Topology, vertices: torch.Tensor, rule: Girth | Length | Arc, name: str) -> torch.Tensor:
    """Return what one rule says of vertices (B, V, 3) m, in metres (B,)."""
    if isinstance(rule, Girth):
        return section(topo, vertices, rule, name).girth
    return length(topo, vertices, rule) if isinstance(rule, Length) else arc(topo, vertices, rule, name)


def tapes(body, vertices: torch.Tensor, definition: str = "ansur") -> dict[str, torch.Tensor]:
    """Measure vertices (..., V, 3) m standing upright, y up -> name -> (...) m, differentiable in ``vertices``."""
    topo = topology(body)
    expect("vertices", vertices, (..., "V", 3), V=topo.vertex_count)
    flat = vertices.reshape(-1, *vertices.shape[-2:])
    rules = definition_named(definition)
    values = {name: tape_of_rule(topo, flat, rule, name) for name, rule in rules.items()}
    return {name: value.reshape(vertices.shape[:-2]) for name, value in values.items()}


def dimensions(body, vertices: torch.Tensor) -> dict[str, torch.Tensor]:
    """Breadths, depths and heights under their ANSUR II column names: vertices (..., V, 3) m -> name -> (...)
    m."""
    topo = topology(body)
    flat = vertices.reshape(-1, *vertices.shape[-2:])
    floor = centre(topo, flat, ("sole",))[:, 1]
    values = {column: centre(topo, flat, at)[:, 1] - floor for column, at in ANSUR_HEIGHTS.items()}
    for name, (breadth, depth) in ANSUR_SECTIONS.items():
        seen = section(topo, flat, ANSUR[name], name)
        values |= {breadth: seen.breadth, depth: seen.depth}
    values["bideltoidbreadth"] = levels(topo, flat, SHOULDER_GIRDLE, "bideltoid").breadth.amax(-1)
    return {name: value.reshape(vertices.shape[:-2]) for name, value in values.items()}
