"""Looks without pictures: the skin's colour as a PBR material; eyes and tongue painted by vertex colours."""

import base64

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from avatarlab.core.errors import InputError
from avatarlab.export.lod import Lod
from avatarlab.render.picture import to_linear, to_srgb

EYES = ("l_eye", "r_eye")
"""Names of the body parts that are eyeballs."""

NEUTRAL_SKIN_SRGB = (0.80, 0.62, 0.52)

EYE_WHITE_SRGB, IRIS_SRGB, PUPIL_SRGB = (0.93, 0.91, 0.89), (0.36, 0.25, 0.16), (0.03, 0.03, 0.03)
TONGUE_SRGB = (0.66, 0.33, 0.32)

_PUPIL_DEG, _IRIS_DEG = 12.0, 27.0
"""Half angles seen from the eyeball's centre; an iris is 11.8 mm wide on a ball of 24 mm, the eyes of the mesh are larger."""

WHITE_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwABAQEAHLCMmQAAAABJRU5ErkJggg=="
)
"""One white texel: the slot for a skin texture, without which tools call the texture coordinates unused and drop them."""


def skin(srgb, textured: bool) -> dict:
    """Return the glTF material of skin of the colour ``srgb`` (3,) 0..1, with a slot for a texture if ``textured``."""
    return _material("skin", _linear(srgb), 0.65, textured)


def painted(textured: bool) -> dict:
    """Return the glTF material of eyes and tongue, moist, whose colours are in COLOR_0."""
    return _material("eyes_tongue", np.ones(3), 0.2, textured)


def _linear(srgb) -> np.ndarray:
    """Colours (3,) sRGB 0..1 -> linear light, as glTF wants factors and vertex colours."""
    return to_linear(torch.as_tensor(np.asarray(srgb, dtype=np.float64))).numpy()


def _material(name: str, factor: np.ndarray, roughness: float, textured: bool) -> dict:
    surface = {
        "baseColorFactor": [round(float(c), 4) for c in factor] + [1.0],
        "metallicFactor": 0.0,
        "roughnessFactor": roughness,
    }
    slot = {"baseColorTexture": {"index": 0}} if textured else {}
    return {"name": name, "pbrMetallicRoughness": surface | slot}


def skin_tone(person, srgb=None) -> np.ndarray:
    """Skin colour (3,) sRGB 0..1: the one given, else the mean of the person's block "skin", else a neutral one.

    A fit leaves there what it takes for the skin's own colour, the photo's light partly taken off (``photo.tone``): a
    viewer's lamps then light it once, not twice.
    """
    own = person.blocks["skin"].mean if "skin" in person.blocks else NEUTRAL_SKIN_SRGB
    tone = np.asarray(own if srgb is None else srgb, dtype=np.float64)
    if tone.shape != (3,) or not ((tone >= 0) & (tone <= 1)).all():
        raise InputError(
            f"skin_srgb: got {tone.tolist()}, expected three numbers 0 to 1 (divide 8-bit values by 255)."
        )
    return tone


def eye_faces(body, lod: Lod) -> np.ndarray:
    """Mask (F,) of the faces of ``lod`` that belong to an eyeball."""
    return _eyes(body)[lod.keep[lod.faces]].all(axis=1)


def tongue_faces(body, lod: Lod) -> np.ndarray:
    """Mask (F,) of the faces of ``lod`` that hang together with neither the skin nor an eye: the tongue, if modelled."""
    return _tongue(body)[lod.keep[lod.faces]].all(axis=1)


def paint(body, lod: Lod, positions: np.ndarray) -> np.ndarray:
    """Linear colours (K, 3): tongue; pupil, iris and white by the angle to each eyeball's gaze; white elsewhere."""
    colors = np.tile(_linear(EYE_WHITE_SRGB), (len(positions), 1))
    colors[_tongue(body)[lod.keep]] = _linear(TONGUE_SRGB)
    part = np.asarray(body.part)[lod.keep]
    for name in EYES:
        ball = np.flatnonzero(part == body.parts.index(name))
        angle = _gaze_angle_deg(positions[ball])
        colors[ball[angle < _IRIS_DEG]] = _linear(IRIS_SRGB)
        colors[ball[angle < _PUPIL_DEG]] = _linear(PUPIL_SRGB)
    return colors


def vertex_colors(body, lod: Lod, positions: np.ndarray, tone: np.ndarray) -> np.ndarray:
    """Colours (K, 3) sRGB of the vertices at ``positions`` (K, 3) m: ``tone`` the skin, eyes and tongue as ``paint``."""
    painted = np.unique(lod.faces[eye_faces(body, lod) | tongue_faces(body, lod)])
    colors = np.tile(np.asarray(tone, dtype=np.float64), (len(positions), 1))
    colors[painted] = to_srgb(torch.as_tensor(paint(body, lod, positions)[painted])).numpy()
    return colors


def _eyes(body) -> np.ndarray:
    """Mask (S,) of the skin vertices on an eyeball."""
    return np.isin(np.asarray(body.part)[: body.skin_count], [body.parts.index(name) for name in EYES])


def _tongue(body) -> np.ndarray:
    """Mask (S,) of the vertices in a piece of mesh of their own that is neither the largest piece nor an eye."""
    a, b, c = np.asarray(body.faces).T
    links = coo_matrix((np.ones(2 * len(a)), (np.r_[a, b], np.r_[b, c])), shape=(body.skin_count,) * 2)
    _, piece = connected_components(links, directed=False)
    return (piece != np.bincount(piece).argmax()) & ~_eyes(body)


def _gaze_angle_deg(ball: np.ndarray) -> np.ndarray:
    """Angle (N,) in degrees of each eyeball vertex (N, 3) from the gaze, centre to the mean of the front-most tenth."""
    spokes = ball - (ball.min(axis=0) + ball.max(axis=0)) / 2
    front = np.argsort(-spokes[:, 2], kind="stable")[: max(1, len(ball) // 10)]
    gaze = spokes[front].mean(axis=0)
    cosine = spokes @ gaze / (np.linalg.norm(spokes, axis=1) * np.linalg.norm(gaze))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))
