"""Skin colour: cheeks and forehead of the face mesh, without shine, shadow, glasses and hair."""

import cv2
import numpy as np

from avatarlab.photo.observation import SkinSample

CHEEKS_AND_FOREHEAD = (
    (117, 118, 101, 36, 205, 187, 123),
    (346, 347, 330, 266, 425, 411, 352),
    (109, 10, 338, 337, 336, 9, 107, 108),
)
"""Face mesh polygons: the person's right cheek, left cheek, forehead from between the brows to the hair."""
CLIPPED = (6, 250)
TRIM = 2.0
ROUNDS = 3
MIN_COUNT = 40
MAD_TO_SD = 1.4826


def sample_skin(rgb: np.ndarray, face: np.ndarray) -> SkinSample | None:
    """Return the skin sample of rgb uint8 (H, W, 3) with face points (478, 3) px, or None if too little is seen."""
    low = np.maximum(np.floor(face[:, :2].min(0)).astype(int), 0)
    high = np.minimum(np.ceil(face[:, :2].max(0)).astype(int) + 1, rgb.shape[1::-1])
    if (high <= low).any():
        return None
    crop = rgb[low[1] : high[1], low[0] : high[0]]
    pixels = crop[_region(crop.shape[:2], face[:, :2] - low)]
    pixels = pixels[((pixels > CLIPPED[0]) & (pixels < CLIPPED[1])).all(1)]
    if len(pixels) < MIN_COUNT:
        return None
    return _summary(_trimmed(to_lab(pixels)))


def _region(shape: tuple[int, int], face: np.ndarray) -> np.ndarray:
    """Return bool (H, W): the polygons that face the camera (the far cheek of a turned head winds the other way)."""
    region = np.zeros(shape, np.uint8)
    for polygon in CHEEKS_AND_FOREHEAD:
        corners = face[list(polygon)]
        cv2.fillPoly(region, [np.rint(corners * 16).astype(np.int32)], 1, shift=4)
    return region > 0


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIELAB (N, 3), D65, of sRGB uint8 (N, 3)."""
    return cv2.cvtColor((rgb[None] / 255).astype(np.float32), cv2.COLOR_RGB2Lab)[0]


def to_rgb(lab: np.ndarray) -> np.ndarray:
    """Return sRGB 0..1 (N, 3) of CIELAB (N, 3)."""
    return np.clip(cv2.cvtColor(lab[None].astype(np.float32), cv2.COLOR_Lab2RGB)[0], 0, 1)


def _trimmed(lab: np.ndarray) -> np.ndarray:
    """Drop what lies beyond TRIM robust standard deviations in any channel: shine, shadow, frames, beard, hair."""
    for _ in range(ROUNDS):
        centre, spread = _centre(lab)
        keep = (np.abs(lab - centre) <= TRIM * MAD_TO_SD * np.maximum(spread, 0.5)).all(1)
        if keep.all() or keep.sum() < MIN_COUNT:
            break
        lab = lab[keep]
    return lab


def _centre(lab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return median and median absolute deviation (3,) each."""
    centre = np.median(lab, 0)
    return centre, np.median(np.abs(lab - centre), 0)


def _summary(lab: np.ndarray) -> SkinSample:
    """Return the sample's statistics."""
    centre, spread = _centre(lab)
    centre, spread = centre.astype(np.float32), spread.astype(np.float32)
    return SkinSample(centre, spread, to_rgb(centre[None])[0], len(lab))
