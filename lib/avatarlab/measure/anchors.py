"""Where tapes lie: edges of a body part and named points, from part labels, landmarks and vertices in any pose.

What is derived from the body's labels is computed once per body. A point is a landmark, a skin ring (the centre
of the seam between two parts, which follows the anatomy better than a rig's joint) or ``joint:<name>``,
regressed from the vertices as SMPL-Anthropometry does.
"""

from functools import lru_cache
from weakref import WeakKeyDictionary

import torch

from avatarlab.body.layout import JOINT
from avatarlab.core.errors import InputError

SEAMS = {
    "neck_base": ("trunk", "neck"),
    "skull_base": ("neck", "head"),
    **{f"{s}_shoulder": ("trunk", f"{s}_upper_arm") for s in "lr"},
    **{f"{s}_elbow": (f"{s}_upper_arm", f"{s}_forearm") for s in "lr"},
    **{f"{s}_wrist": (f"{s}_forearm", f"{s}_hand") for s in "lr"},
    **{f"{s}_hip": ("trunk", f"{s}_thigh") for s in "lr"},
    **{f"{s}_knee": (f"{s}_thigh", f"{s}_calf") for s in "lr"},
    **{f"{s}_ankle": (f"{s}_calf", f"{s}_foot") for s in "lr"},
}
"""Rings of skin by name: the two parts whose seam they are."""

SOFTNESS_M = 0.002
"""Length scale over which the buttock level blends neighbouring vertices, so that it moves smoothly."""


class Topology:
    """Edges, rings and vertex sets of one body; nothing here depends on the vertices measured."""

    def __init__(self, body):
        self.landmarks, self.parts, self.part = body.landmarks, body.parts, body.part[: body.skin_count]
        self.template, self.faces, self.joint_regressor = body.template, body.faces, body.joint_regressor
        self.vertex_count = len(body.template)
        self.edges, uses = unique_edges(self.faces)
        self.open_edges = self.edges[uses != 2]
        self.band, self.ring, self.joint = (lru_cache(f) for f in (self._band, self._ring, self._joint))
        self.soles = self._members("l_foot", "r_foot")
        self.seat = self._seat()

    def _members(self, *names: str) -> torch.Tensor:
        labels = self.part.new_tensor([self.parts.index(name) for name in names])
        return torch.isin(self.part, labels).nonzero()[:, 0]

    def _band(self, parts: tuple[str, ...], side: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (vertex numbers (n,), edges (E, 2) into them) of ``parts``, of one ``side`` ('l', 'r' or '')."""
        expected = torch.zeros_like(self.template[:, 0], dtype=torch.bool)
        expected[self._members(*parts)] = True
        if side:
            expected &= self.template[:, 0] * (1 if side == "l" else -1) > -1e-4
        edges = self.edges[expected[self.edges].all(1)]
        nodes, local = edges.unique(return_inverse=True)
        return nodes, local

    def _ring(self, name: str) -> torch.Tensor:
        """Return the vertices on both sides of a seam."""
        pair = self.part.new_tensor(sorted(self.parts.index(part) for part in SEAMS[name]))
        seam = (self.part[self.edges].sort(1).values == pair).all(1)
        return self.edges[seam].unique()

    def _joint(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the vertices (n,) that regress a joint and their weights (n, 1)."""
        row = self.joint_regressor[JOINT[name]]
        at = row.nonzero()[:, 0]
        return at, row[at, None]

    def _seat(self) -> torch.Tensor:
        """Return the vertices among which the buttocks' rearmost level lies: trunk and thighs, crotch to navel."""
        at = self._members("trunk", "l_thigh", "r_thigh")
        height = self.template[at, 1]
        low, high = (self.template[self.landmarks[name], 1] for name in ("CROTCH", "BELLY_BUTTON"))
        return at[(height > low) & (height < low + 0.8 * (high - low))]


def unique_edges(faces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Triangles (F, 3) -> undirected edges (E, 2), each once, and how many triangles use each (E,)."""
    pairs = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return pairs.sort(1).values.unique(dim=0, return_counts=True)


_known: WeakKeyDictionary = WeakKeyDictionary()


def topology(body) -> Topology:
    """Return the Topology of ``body``, made once per body object (and again when it has moved to another
    device)."""
    found = _known.get(body)
    if found is None or found.template.device != body.template.device:
        found = _known[body] = Topology(body)
    return found


def locate(topo: Topology, vertices: torch.Tensor, name: str) -> torch.Tensor:
    """Return the point called ``name``: vertices (B, V, 3) m -> (B, 3) m. Names: see the module."""
    if name in topo.landmarks:
        return vertices[:, topo.landmarks[name]]
    if name in SEAMS:
        return vertices[:, topo.ring(name)].mean(1)
    if name.startswith("joint:"):
        at, weight = topo.joint(name.removeprefix("joint:"))
        return (vertices.index_select(1, at) * weight).sum(1)
    if name == "sole":
        feet = vertices[:, topo.soles]
        return torch.stack([feet[..., 0].mean(1), feet[..., 1].amin(1), feet[..., 2].mean(1)], -1)
    if name == "buttock":
        seat = vertices[:, topo.seat]
        share = torch.softmax(-seat[..., 2] / SOFTNESS_M, dim=1)
        return (share[..., None] * seat).sum(1)
    raise InputError(f"{name}: the body file has no such landmark; it needs the SMPL-Anthropometry names.")


def centre(topo: Topology, vertices: torch.Tensor, names: tuple[str, ...]) -> torch.Tensor:
    """Return the mean (B, 3) m of the points called ``names`` on vertices (B, V, 3) m."""
    positions = [locate(topo, vertices, name) for name in names]
    return positions[0] if len(positions) == 1 else torch.stack(positions).mean(0)
