"""``avatar.obj`` and its ``.mtl``: the displayed body at full detail for programs that know no skeletons."""

from pathlib import Path

import numpy as np
import torch

from avatarlab.core.files import whole
from avatarlab.export import materials
from avatarlab.export.lod import Lod, whole_body
from avatarlab.export.rig import display_rotvecs


def write_obj(
    path: str | Path,
    body,
    person,
    display_pose: str = "apose",
    arm_down_deg: float = 45.0,
    lod: Lod | None = None,
    skin_srgb=None,
) -> dict[str, int]:
    """Write the body in its display pose as OBJ (metres, y up, soles at y=0) and an MTL beside it.

    Returns ``bytes``, ``triangles``, ``vertices``. Arguments as in ``write_glb``; ``lod`` None is the full mesh.
    """
    path, lod = Path(path), whole_body(body) if lod is None else lod
    material_path = path.with_suffix(".mtl")
    eyes, tongue = materials.eye_faces(body, lod), materials.tongue_faces(body, lod)
    vertices = displayed_vertices(body, person, display_pose, arm_down_deg)[lod.keep]
    lines = [f"mtllib {material_path.name}", *_numbers("v", vertices), *_numbers("vt", lod.uv), "o avatar"]
    for name, chosen in (("skin", ~(eyes | tongue)), ("eyes", eyes), ("tongue", tongue)):
        lines += [f"usemtl {name}", *_face_lines(lod.faces[chosen] + 1, lod.uv_faces[chosen] + 1)]
    skin = materials.skin_tone(person, skin_srgb)
    tones = {"skin": skin, "eyes": materials.EYE_WHITE_SRGB, "tongue": materials.TONGUE_SRGB}
    _write_text(material_path, [line for name, tone in tones.items() for line in _material_lines(name, tone)])
    _write_text(path, lines)
    return {"bytes": path.stat().st_size, "triangles": len(lod.faces), "vertices": len(vertices)}


def displayed_vertices(body, person, display_pose: str = "apose", arm_down_deg: float = 45.0) -> np.ndarray:
    """Skin vertices (S, 3) in metres of the body's own posing, fitted expression included in 'photo'; soles at y=0."""
    pose = display_rotvecs(person, display_pose, arm_down_deg)
    expression = person.state.get("expression") if display_pose == "photo" else None
    with torch.no_grad():
        posed = body(
            betas=person.betas(), pose=pose, expression=None if expression is None else torch.tensor(expression)
        )
    vertices = posed.vertices[: body.skin_count].double().numpy()
    return vertices - [0, vertices[:, 1].min(), 0]


def _numbers(tag: str, rows: np.ndarray) -> list[str]:
    return [f"{tag} " + " ".join(f"{x:.6f}" for x in row) for row in rows + 0.0]


def _face_lines(faces: np.ndarray, uv_faces: np.ndarray) -> list[str]:
    """Corner numbers from 1, as vertex/texture."""
    corners = np.stack([faces, uv_faces], axis=-1).reshape(-1, 6).tolist()
    return ["f {}/{} {}/{} {}/{}".format(*row) for row in corners]


def _material_lines(name: str, srgb) -> list[str]:
    """MTL has no agreed colour space; programs read Kd as sRGB."""
    colour = " ".join(f"{c:.4f}" for c in srgb)
    return [f"newmtl {name}", f"Kd {colour}", "Ks 0.04 0.04 0.04", "Ns 30", "illum 2", ""]


def _write_text(path: Path, lines: list[str]) -> None:
    with whole(path) as part:
        part.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
