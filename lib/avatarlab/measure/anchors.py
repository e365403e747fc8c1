"""Where tapes lie: edges of a body part and named points, from part labels, landmarks and vertices in any pose.

A body needs ``faces``, ``part``, ``parts``, ``landmarks``, ``skin_count``, ``template``; whatever is derived from them is
computed once per body. Points are landmarks, joint markers or skin rings (the centre of the seam between two parts,
which follows the anatomy better than a rig's joint: open_body.md section 4), so they hold for every body file.
"""

from functools import lru_cache
from weakref import WeakKeyDictionary

import torch

from avatarlab.errors import InputError

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
        self.landmarks = {name: int(k) for name, k in body.landmarks.items()}
        self.part = torch.as_tensor(body.part).long()[: body.skin_count]
        self.parts = tuple(body.parts)
        self.vertex_count = len(body.part)
        self.template = torch.as_tensor(body.template).float()
        self.faces = torch.as_tensor(body.faces).long()
        self.edges = unique_edges(self.faces)
        self.band = lru_cache(maxsize=None)(self._band)
        self.ring = lru_cache(maxsize=None)(self._ring)
        self.soles = self._members("l_foot", "r_foot")
        self.seat = self._seat()

    def _members(self, *names: str) -> torch.Tensor:
        labels = torch.tensor([self.parts.index(name) for name in names])
        return torch.isin(self.part, labels).nonzero()[:, 0]

    def _band(self, parts: tuple[str, ...], side: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (vertex numbers (n,), edges (E, 2) into them) of ``parts``, of one ``side`` ('l', 'r' or '')."""
        wanted = torch.zeros(self.vertex_count, dtype=torch.bool)
        wanted[self._members(*parts)] = True
        if side:
            wanted &= self.template[:, 0] * (1 if side == "l" else -1) > -1e-4
        edges = self.edges[wanted[self.edges].all(1)]
        nodes, local = edges.unique(return_inverse=True)
        return nodes, local

    def _ring(self, name: str) -> torch.Tensor:
        """Return the vertices on both sides of a seam."""
        one, other = (self.parts.index(part) for part in SEAMS[name])
        labels = self.part[self.edges]
        seam = ((labels == torch.tensor([one, other])).all(1)) | ((labels == torch.tensor([other, one])).all(1))
        return self.edges[seam].unique()

    def _seat(self) -> torch.Tensor:
        """Return the vertices among which the buttocks' rearmost level lies: trunk and thighs, crotch to navel."""
        at = self._members("trunk", "l_thigh", "r_thigh")
        height = self.template[at, 1]
        low, high = (self.template[self.landmarks[name], 1] for name in ("CROTCH", "BELLY_BUTTON"))
        return at[(height > low) & (height < low + 0.8 * (high - low))]


def unique_edges(faces: torch.Tensor) -> torch.Tensor:
    """Triangles (F, 3) -> undirected edges (E, 2), each once."""
    pairs = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return pairs.sort(1).values.unique(dim=0)


_known: WeakKeyDictionary = WeakKeyDictionary()


def topology(body) -> Topology:
    """Return the Topology of ``body``, made once per body object."""
    if body not in _known:
        _known[body] = Topology(body)
    return _known[body]


def locate(topo: Topology, vertices: torch.Tensor, name: str) -> torch.Tensor:
    """Return the point called ``name``: vertices (B, V, 3) m -> (B, 3) m. Names: landmarks, SEAMS, sole, buttock."""
    if name in topo.landmarks:
        return vertices[:, topo.landmarks[name]]
    if name in SEAMS:
        return vertices[:, topo.ring(name)].mean(1)
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
    return torch.stack([locate(topo, vertices, name) for name in names]).mean(0)
