"""Tapes on a body: the 16 measures from vertices in the standing pose, batched and differentiable."""

import torch

from avatarlab.errors import InputError
from avatarlab.measure.anchors import Topology, centre, topology
from avatarlab.measure.definitions import DEFINITIONS, UP, Girth, Length
from avatarlab.measure.girth import Section, cut_extreme
from avatarlab.shapes import expect


def definition_named(name: str) -> dict[str, Girth | Length]:
    """Return the table of one definition or raise InputError listing the names."""
    if name not in DEFINITIONS:
        raise InputError(f"definition: got {name!r}, expected one of {', '.join(DEFINITIONS)}.")
    return DEFINITIONS[name]


def plane_normal(topo: Topology, vertices: torch.Tensor, axis: tuple[str, ...]) -> torch.Tensor:
    """Return unit normals (B, 3): the vertical, or from the first to the second named point."""
    if axis == UP:
        return vertices.new_tensor([0.0, 1.0, 0.0]).expand(len(vertices), 3)
    low, high = (centre(topo, vertices, (name,)) for name in axis)
    return torch.nn.functional.normalize(high - low, dim=-1)


def plane_points(topo: Topology, vertices: torch.Tensor, girth: Girth) -> torch.Tensor:
    """Return the points (B, L, 3) m that the planes of one girth go through."""
    start = centre(topo, vertices, girth.at)
    if not girth.to:
        return start[:, None]
    share = vertices.new_tensor(girth.shares)[:, None]
    return start[:, None] + share * (centre(topo, vertices, girth.to) - start)[:, None]


def section(topo: Topology, vertices: torch.Tensor, girth: Girth, name: str) -> Section:
    """Cut vertices (B, V, 3) m as one girth says; returns a Section of (B,)."""
    nodes, edges = topo.band(girth.parts, girth.side)
    points, normal = plane_points(topo, vertices, girth), plane_normal(topo, vertices, girth.axis)
    return cut_extreme(vertices.index_select(1, nodes), edges, points, normal, girth.rule, name)[0]


def length(topo: Topology, vertices: torch.Tensor, rule: Length) -> torch.Tensor:
    """Return the length (B,) m along a path of named points, or its height difference."""
    stops = torch.stack([centre(topo, vertices, names) for names in rule.path])
    if rule.vertical:
        return (stops[0] - stops[-1])[..., 1].abs()
    return (stops[1:] - stops[:-1]).norm(dim=-1).sum(0)


def tapes(body, vertices: torch.Tensor, definition: str = "ansur") -> dict[str, torch.Tensor]:
    """Measure vertices (..., V, 3) m standing upright, y up -> name -> (...) m, differentiable in ``vertices``."""
    topo = topology(body)
    expect("vertices", vertices, (..., "V", 3), V=topo.vertex_count)
    flat = vertices.reshape(-1, *vertices.shape[-2:])
    rules = definition_named(definition)
    values = {
        name: section(topo, flat, rule, name).girth if isinstance(rule, Girth) else length(topo, flat, rule)
        for name, rule in rules.items()
    }
    return {name: value.reshape(vertices.shape[:-2]) for name, value in values.items()}
