"""The same girths by other means, to check by: trimesh cuts whole faces, scipy builds the hull. Slow, no
gradient."""

import numpy as np
import torch
import trimesh
from scipy.spatial import ConvexHull

from avatarlab.measure.anchors import topology
from avatarlab.measure.definitions import Girth
from avatarlab.measure.tape import definition_named, planes


def girths(body, vertices: torch.Tensor, definition: str = "ansur") -> dict[str, float]:
    """Return the girths of one body, vertices (V, 3) m in the standing pose: name -> metres."""
    rules = definition_named(definition)
    return {name: _girth(body, vertices, rule) for name, rule in rules.items() if isinstance(rule, Girth)}


def _girth(body, vertices: torch.Tensor, rule: Girth) -> float:
    points, frame = (x[0].double().numpy() for x in planes(topology(body), vertices[None], rule))
    kept = torch.isin(body.part, torch.tensor([body.parts.index(part) for part in rule.parts]))
    if rule.side:
        kept &= body.template[:, 0] * (1 if rule.side == "l" else -1) > -1e-4
    mesh = trimesh.Trimesh(vertices.numpy(), body.faces[kept[body.faces].all(1)].numpy(), process=False)
    flat = trimesh.geometry.align_vectors(frame[:, 2], [0, 0, 1])[:2, :3]
    found = [_hull_length(trimesh.intersections.mesh_plane(mesh, frame[:, 2], point), flat) for point in points]
    return max(found) if rule.rule == "max" else min(found)


def _hull_length(segments: np.ndarray, flat: np.ndarray) -> float:
    """Segments (S, 2, 3) of a plane section -> length of their hull in the plane that ``flat`` (2, 3) maps to."""
    return float(ConvexHull(segments.reshape(-1, 3) @ flat.T).area)  # in the plane scipy calls the perimeter area
