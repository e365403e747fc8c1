"""Level of detail: which vertices of the body to keep and how to join them, computed once per template.

Kept vertices are vertices of the full body, so shape, skin weights, facial actions and texture coordinates of every
avatar follow by indexing, and all avatars share one topology.
"""

from dataclasses import dataclass
from pathlib import Path

import fast_simplification
import numpy as np
import torch
import trimesh
from scipy.spatial import cKDTree

from avatarlab.body import poses
from avatarlab.core.errors import InputError
from avatarlab.core.files import read_npz, write_npz

SCHEMA = "avatarlab.lod/2"
TRIANGLES = 9_900
HEAD_GAIN, HAND_GAIN = 1.5, 1.15
"""How much larger head and hands are while vertices are chosen: what matters there is smaller than elsewhere."""

_PATIENCE = 3.0
"""``agg`` of fast_simplification: 3 halves the error of the default 7; 1 does not reach the target."""


@dataclass(frozen=True)
class Lod:
    """Vertices ``keep`` (K,) of the full body, ``faces`` (F, 3) into ``keep``, ``uv`` (T, 2), ``uv_faces`` (F, 3);
    ``topology``: sha256 of the faces that they were chosen of (``Body.bases``)."""

    keep: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    topology: str

    @property
    def has_uv(self) -> bool:
        """Whether there are texture coordinates at all (some licensed files have none)."""
        return len(self.uv) > 1

    def save(self, path: str | Path) -> None:
        """Write one npz with a JSON header."""
        arrays = {"keep": self.keep, "faces": self.faces, "uv": self.uv, "uv_faces": self.uv_faces}
        write_npz(path, arrays, {"schema": SCHEMA, "topology": self.topology})

    @classmethod
    def load(cls, path: str | Path, body) -> "Lod":
        """Read what ``save`` wrote; refuse one made for a body of other vertices or faces."""
        arrays, header = read_npz(path)
        if header.get("schema") != SCHEMA:
            raise InputError(f"{path}: not a level of detail ({SCHEMA}); run stage export to make one.")
        if header.get("topology") != body.bases["topology"]:
            raise InputError(f"{path}: made for a body of other vertices or faces; run stage export again.")
        return cls(**arrays, topology=header["topology"])


def whole_body(body) -> Lod:
    """Return the body at full detail without its marker vertices."""
    faces = np.asarray(body.faces)
    if len(body.uv_faces) != len(faces):
        return _without_uv(np.arange(body.skin_count), faces, body)
    uv, uv_faces = np.asarray(body.uv, dtype=np.float32), np.asarray(body.uv_faces)
    return Lod(np.arange(body.skin_count), faces, uv, uv_faces, body.bases["topology"])


def reduce_body(
    body, triangles: int = TRIANGLES, head_gain: float = HEAD_GAIN, hand_gain: float = HAND_GAIN
) -> Lod:
    """Choose vertices and faces for at most ``triangles`` triangles; the eyes keep every vertex. Deterministic.

    Quadric edge collapses (Garland and Heckbert 1997, by fast_simplification) on the template in A-pose, midway
    between arms up and down, with enlarged head and hands; each resulting vertex is then replaced by the nearest of
    the original vertices that collapsed into it.
    """
    faces = np.asarray(body.faces)
    with torch.no_grad():
        points = body(pose=poses.apose()).vertices[: body.skin_count].double().numpy()
    eyes = _part_mask(body, "eye")[faces].all(axis=1)
    room = int(triangles) - int(eyes.sum())
    if room >= (~eyes).sum():
        return whole_body(body)
    if room < 100:
        raise InputError(
            f"triangles: got {triangles}, expected at least {eyes.sum() + 100} (eyes are kept whole)."
        )
    skin = _collapse(_emphasised(body, points, head_gain, hand_gain), faces[~eyes], room)
    kept_faces = np.concatenate([skin, faces[eyes]])
    keep, local = np.unique(kept_faces, return_inverse=True)
    local = local.reshape(-1, 3)
    if len(body.uv_faces) != len(faces):
        return _without_uv(keep, local, body)
    full_uv, full_uv_faces = np.asarray(body.uv, np.float64), np.asarray(body.uv_faces)
    uv, uv_faces = _transfer_uv(points, kept_faces, faces, full_uv, full_uv_faces)
    return Lod(keep, local, uv, uv_faces, body.bases["topology"])


def _without_uv(keep: np.ndarray, faces: np.ndarray, body) -> Lod:
    """A body file without texture coordinates: all corners share one."""
    return Lod(keep, faces, np.zeros((1, 2), np.float32), np.zeros_like(faces), body.bases["topology"])


def distances(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray, candidates: int = 12) -> np.ndarray:
    """Distance (N,) in metres from ``points`` (N, 3) to the surface.

    Looked at are the ``candidates`` triangles with the nearest centres and as many with the nearest corners: exact
    on a mesh of even triangles, at most too large beside long thin ones (give ``len(faces)`` there).
    """
    triangles = vertices[faces]
    near_centre = _nearest(points, triangles.mean(axis=1), candidates)
    near_corner = _nearest(points, triangles.reshape(-1, 3), candidates) // 3
    best = np.full(len(points), np.inf)
    for column in np.concatenate([near_centre, near_corner], axis=1).T:
        closest = trimesh.triangles.closest_point(triangles[column], points)
        best = np.minimum(best, np.linalg.norm(closest - points, axis=1))
    return best


def _nearest(points: np.ndarray, positions: np.ndarray, count: int) -> np.ndarray:
    """Numbers (N, count) of the ``positions`` (M, 3) nearest to each of ``points`` (N, 3)."""
    return cKDTree(positions).query(points, k=min(count, len(positions)))[1].reshape(len(points), -1)


def _part_mask(body, *names: str) -> np.ndarray:
    """Skin vertices (S,) whose part is one of ``names``, with or without its side prefix."""
    expected = [k for k, part in enumerate(body.parts) if part in names or part[2:] in names]
    return np.isin(np.asarray(body.part)[: body.skin_count], expected)


def _emphasised(body, points: np.ndarray, head_gain: float, hand_gain: float) -> np.ndarray:
    """Vertices (S, 3) with head and hands grown about their centres, smoothly along the skin weights."""
    weights = np.asarray(body.weights, dtype=np.float64)[: body.skin_count]
    grown = points.copy()
    for names, gain in ((("head", "jaw"), head_gain), (("l_hand",), hand_gain), (("r_hand",), hand_gain)):
        inside = _part_mask(body, *names)
        if not inside.any():
            continue
        owners = np.unique(weights[inside].argmax(axis=1))
        membership = weights[:, owners].sum(axis=1, keepdims=True)
        grown += (gain - 1) * membership * (points - points[inside].mean(axis=0))
    return grown


def _collapse(points: np.ndarray, faces: np.ndarray, target: int) -> np.ndarray:
    """Simplified faces (F, 3) in the numbers of ``points``; corners are the nearest member of each collapsed group."""
    _, _, collapses = fast_simplification.simplify(
        points, faces, target_count=target, agg=_PATIENCE, return_collapses=True
    )
    moved, simple, group = fast_simplification.replay_simplification(points, faces, collapses)
    if len(simple) > target:
        raise RuntimeError(f"simplification stopped at {len(simple)} triangles, wanted {target}.")
    used = np.unique(faces)
    order = used[np.argsort(np.linalg.norm(points[used] - moved[group[used]], axis=1), kind="stable")]
    groups, first = np.unique(group[order], return_index=True)
    member = np.zeros(len(moved), dtype=np.int64)
    member[groups] = order[first]
    return member[simple]


def _transfer_uv(points, faces, full_faces, full_uv, full_uv_faces) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates of reduced ``faces``: (T, 2) and (F, 3), at seams by continuing the chart that lies under.

    Each face takes the chart of the nearest full face; a corner takes its vertex's coordinate there, or, where the
    face sticks out over a seam, the chart's affine continuation, a few texels into the gutter.
    """
    host = _nearest_face(points, faces, full_faces)
    expected = _continued_uv(points, faces, full_faces[host], full_uv[full_uv_faces[host]])
    choices = _uv_choices(full_faces, full_uv_faces, len(points))
    known = full_uv[choices[faces]]
    miss = np.linalg.norm(known - expected[:, :, None], axis=-1)
    pick = miss.argmin(axis=-1)
    uv = np.take_along_axis(known, pick[..., None, None], axis=2)[:, :, 0]
    size = np.linalg.norm(np.ptp(expected, axis=1), axis=-1)[:, None]
    astray = miss.min(axis=-1) > np.maximum(2 * size, 0.01)
    uv[astray] = expected[astray]
    table, index = np.unique(uv.reshape(-1, 2).astype(np.float32), axis=0, return_inverse=True)
    return table, index.reshape(-1, 3)


def _nearest_face(points, faces, full_faces) -> np.ndarray:
    """Number (F,) of the full face nearest to each reduced face's centre that looks the same way."""
    corners, full = points[faces], points[full_faces]
    normal, full_normal = trimesh.triangles.normals(corners)[0], trimesh.triangles.cross(full)
    full_normal = full_normal / np.maximum(np.linalg.norm(full_normal, axis=1, keepdims=True), 1e-20)
    distance, near = cKDTree(full.mean(axis=1)).query(corners.mean(axis=1), k=min(8, len(full)))
    away = np.einsum("fc,fkc->fk", normal, full_normal[near]) < 0.3
    return np.take_along_axis(near, (distance + 1e3 * away).argmin(axis=1)[:, None], axis=1)[:, 0]


def _continued_uv(points, faces, host_faces, host_uv) -> np.ndarray:
    """Corners (F, 3, 2) of ``faces`` under the affine map from host triangle (in space) to host_uv (F, 3, 2)."""
    host = points[host_faces]
    edges, uv_edges = host[:, 1:] - host[:, :1], host_uv[:, 1:] - host_uv[:, :1]
    inverse = np.linalg.pinv(edges, rcond=1e-3)
    offset = points[faces] - host[:, :1]
    return host_uv[:, :1] + np.einsum("fkc,fce,feu->fku", offset, inverse, uv_edges)


def _uv_choices(full_faces, full_uv_faces, count: int) -> np.ndarray:
    """For each vertex the texture coordinates it has on its faces, (count, M), padded by repeating the first."""
    pairs = np.unique(np.stack([full_faces.ravel(), full_uv_faces.ravel()], axis=1), axis=0)
    vertex, first, amount = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    table = np.zeros((count, amount.max()), dtype=np.int64)
    for k in range(amount.max()):
        table[vertex, k] = pairs[first + np.where(k < amount, k, 0), 1]
    return table
