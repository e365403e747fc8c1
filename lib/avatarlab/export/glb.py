"""``avatar.glb``: the rigged, morphable body in core glTF 2.0, readable by any viewer, no extension needed."""

from pathlib import Path

import numpy as np
import roma
import torch

from avatarlab import __version__
from avatarlab.body.person import SCHEMA as PERSON_SCHEMA
from avatarlab.export import container, materials
from avatarlab.export.container import INDEX, VERTEX, Pack
from avatarlab.export.lod import Lod, reduce_body
from avatarlab.export.rig import Rig, make_rig

_UNSTATED = "the licence of the body file it was made with holds"

_STILL_M = 1e-5
"""A facial action that moves a vertex less than this (0.01 mm) leaves it out."""


def write_glb(
    path: str | Path,
    body,
    person,
    measurements: dict | None = None,
    display_pose: str = "apose",
    arm_down_deg: float = 45.0,
    lod: Lod | None = None,
    skin_srgb=None,
) -> dict[str, int]:
    """Write ``person`` as GLB and return its ``bytes``, ``triangles``, ``vertices``. Equal inputs, equal bytes.

    ``lod``: what ``reduce_body`` made (once per body file; made afresh when None). ``display_pose``: 'apose' with
    arms ``arm_down_deg`` below the horizontal, 'tpose', or 'photo'. ``skin_srgb``: (3,) in 0..1, else the person's
    own skin, else a neutral tone. ``measurements``: anything JSON can hold, kept in ``asset.extras``.
    """
    lod = reduce_body(body) if lod is None else lod
    rig, pack = make_rig(body, person, lod, display_pose, arm_down_deg), Pack()
    document = with_materials(body, person, rig, lod, pack, skin_srgb)
    pose = {"name": display_pose, **({"arm_down_deg": float(arm_down_deg)} if display_pose == "apose" else {})}
    document["asset"]["extras"] = provenance(body, person, pose, measurements)
    return write_buffer(path, document, pack, lod)


def with_materials(body, person, rig: Rig, lod: Lod, pack: Pack, skin_srgb=None) -> dict:
    """The glTF document of a rigged body in its materials; node 0 draws it, its joints follow in file order."""
    painted = materials.eye_faces(body, lod) | materials.tongue_faces(body, lod)
    primitives = [_primitive(pack, rig, lod, ~painted, 0)]
    if painted.any():
        primitives.append(_primitive(pack, rig, lod, painted, 1, materials.paint(body, lod, rig.positions)))
    tone = materials.skin_tone(person, skin_srgb)
    looks = [materials.skin(tone, lod.has_uv), materials.painted(lod.has_uv)][: len(primitives)]
    document = _document(body, person, rig, primitives, pack) | {"materials": looks}
    return document | (_blank_texture(pack) if lod.has_uv else {})


def write_buffer(path: str | Path, document: dict, pack: Pack, lod: Lod) -> dict[str, int]:
    """Write the file and say its ``bytes``, ``triangles`` and ``vertices``."""
    size = container.write(path, document, pack)
    primitives = document["meshes"][0]["primitives"]
    vertices = sum(pack.accessors[p["attributes"]["POSITION"]]["count"] for p in primitives)
    return {"bytes": size, "triangles": len(lod.faces), "vertices": vertices}


def _primitive(pack: Pack, rig: Rig, lod: Lod, chosen: np.ndarray, material: int, colors=None) -> dict:
    """One drawable part: the ``chosen`` (F,) faces; vertices are split where texture coordinates part."""
    corners = np.stack([lod.faces[chosen].ravel(), lod.uv_faces[chosen].ravel()], axis=1)
    unique, index = np.unique(corners, axis=0, return_inverse=True)
    v, t = unique.T
    normals = rig.normals[v] / np.linalg.norm(rig.normals[v], axis=1, keepdims=True)
    attributes = {
        "POSITION": pack.dense(rig.positions[v].astype(np.float32), VERTEX, bounds=True),
        "NORMAL": pack.dense(normals.astype(np.float32), VERTEX),
        "JOINTS_0": pack.dense(rig.owners[v].astype(np.uint8), VERTEX),
        "WEIGHTS_0": pack.dense(rig.weights[v].astype(np.float32), VERTEX),
    }
    if lod.has_uv:
        attributes["TEXCOORD_0"] = pack.dense((lod.uv[t] * [1, -1] + [0, 1]).astype(np.float32), VERTEX)
    if colors is not None:
        attributes["COLOR_0"] = pack.dense(colors[v].astype(np.float32), VERTEX)
    primitive = {"attributes": attributes, "material": material}
    primitive["indices"] = pack.dense(index.ravel().astype(np.uint16), INDEX)
    targets = [_target(pack, rig.morphs[e][v], rig.morph_normals[e][v]) for e in range(len(rig.morphs))]
    return {**primitive, **({"targets": targets} if targets else {})}


def _target(pack: Pack, offsets: np.ndarray, normal_offsets: np.ndarray) -> dict[str, int]:
    """One morph target from offsets (N, 3) in metres and normals' changes (N, 3), sparse."""
    turned = np.abs(normal_offsets).max(axis=1) > 0.02
    changed = np.flatnonzero(turned | (np.abs(offsets).max(axis=1) > _STILL_M))
    if len(changed):
        return pack.sparse(
            {"POSITION": offsets[changed], "NORMAL": normal_offsets[changed]}, changed, len(offsets)
        )
    return {"POSITION": pack.zeros(len(offsets), bounds=True), "NORMAL": pack.zeros(len(offsets))}


def _document(body, person, rig: Rig, primitives: list, pack: Pack) -> dict:
    """The glTF document: node 0 draws the mesh, the joints follow in file order, the root is node 1."""
    names = list(body.expression_names)
    mesh = {"name": "body", "primitives": primitives}
    if names:
        mesh |= {"extras": {"targetNames": names}, "weights": rig.morph_weights.tolist()}
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(rig.joints), 1, 1))
    inverse[:, :3, 3] = -rig.joints
    skin = {
        "joints": list(range(1, len(rig.joints) + 1)),
        "skeleton": 1,
        "inverseBindMatrices": pack.dense(inverse),
    }
    label = "avatar (placeholder: average body, not this person)" if person.placeholder else "avatar"
    return {
        "asset": {"version": "2.0", "generator": f"avatarlab {__version__}", "copyright": _licence(body)},
        "scene": 0,
        "scenes": [{"name": label, "nodes": [0, 1]}],
        "nodes": [{"name": "avatar", "mesh": 0, "skin": 0}, *_joint_nodes(body.joint_names, rig)],
        "meshes": [mesh],
        "skins": [{"name": "skeleton", **skin}],
    }


def _blank_texture(pack: Pack) -> dict:
    """Texture 0: one white texel."""
    view = pack.view(np.frombuffer(materials.WHITE_PNG, np.uint8))
    return {"textures": [{"source": 0}], "images": [{"bufferView": view, "mimeType": "image/png"}]}


def _joint_nodes(names: tuple[str, ...], rig: Rig) -> list[dict]:
    """Joint nodes with rest offsets as translations and the display pose as rotations (xyzw)."""
    turns = roma.rotmat_to_unitquat(torch.as_tensor(rig.rotations)).numpy()
    nodes = []
    for j, (name, parent) in enumerate(zip(names, rig.parents, strict=True)):
        offset = rig.joints[j] - rig.joints[parent] if parent >= 0 else rig.joints[j] + [0, rig.lift, 0]
        node = {"name": name, "translation": _rounded(offset), "rotation": _rounded(turns[j])}
        children = [int(c) + 1 for c in np.flatnonzero(rig.parents == j)]
        nodes.append({**node, **({"children": children} if children else {})})
    return nodes


def _rounded(values: np.ndarray) -> list[float]:
    """Float32 numbers as the shortest decimals that read back equal, minus zero as zero."""
    return [float(str(x)) for x in np.asarray(values, dtype=np.float32) + np.float32(0)]


def provenance(body, person, pose: dict, measurements: dict | None) -> dict:
    """What travels in ``asset.extras`` under the key avatarlab."""
    facts = {
        "units": {"length": "m", "up": "+y", "forward": "+z", "bind_pose": "T"},
        "stature_m": float(person.stature_m),
        "sex": person.sex,
        "placeholder": bool(person.placeholder),
        "display_pose": pose,
        "measurements": measurements,
        "provenance": {
            "generator": f"avatarlab {__version__}",
            "person": {"schema": PERSON_SCHEMA, **person.provenance},
            "body_sha256": body.sha256,
            "licence": _licence(body),
        },
    }
    return {"avatarlab": {key: value for key, value in facts.items() if value is not None}}


def _licence(body) -> str:
    """Licence of the body's data in one line, as the body file's header states it."""
    stated = body.header.get("licences")
    return "; ".join(f"{what}: {terms}" for what, terms in sorted(stated.items())) if stated else _UNSTATED
