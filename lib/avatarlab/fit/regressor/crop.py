"""What the network sees of one view: the person cut out at one height, part-aware, and keypoints in that window.

The window keeps the picture's aspect and shows the person PERSON_PX high, so that with the stature a crop pixel is
as many millimetres on everybody. Parts are cut at the crop's own resolution, in training and in use alike.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from avatarlab.photo.body_parts import part_map
from avatarlab.photo.observation import PART_NAMES

ROWS, COLUMNS = 128, 96
PERSON_PX = 116
"""Height of the person in the crop."""
GRAIN = 4
"""Windows are 4 n by 3 n picture pixels, so that rows and columns shrink by the same factor."""
CHANNELS = 4
"""mask, trunk, arms (left positive, right negative), legs (likewise); the head is what is left of the mask."""


@dataclass(frozen=True)
class CropWindow:
    """A window of a picture: left and top (px, whole), ``scale`` crop pixels per picture pixel."""

    left: int
    top: int
    scale: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in picture pixels."""
        return round(COLUMNS / self.scale), round(ROWS / self.scale)

    def inside(self, pixels):
        """Picture pixels (..., 2) -> crop pixels."""
        return (pixels - self._corner(pixels)) * self.scale

    def outside(self, pixels):
        """Crop pixels (..., 2) -> picture pixels; the inverse of ``inside``."""
        return pixels / self.scale + self._corner(pixels)

    def _corner(self, pixels):
        corner = [float(self.left), float(self.top)]
        return np.array(corner) if isinstance(pixels, np.ndarray) else pixels.new_tensor(corner)


def window(mask: np.ndarray) -> CropWindow:
    """The window about the person of mask bool (H, W), which is not empty; it may reach beyond the picture."""
    rows = np.flatnonzero(mask.any(1))
    height = rows[-1] - rows[0] + 1
    grains = max(1, round(height * ROWS / PERSON_PX / GRAIN))
    across = mask.sum(0)
    middle = float((across * np.arange(len(across))).sum() / across.sum()) + 0.5
    left = round(middle - grains * GRAIN * COLUMNS / ROWS / 2)
    top = round((rows[0] + rows[-1] + 1) / 2 - grains * GRAIN / 2)
    return CropWindow(left, top, ROWS / (GRAIN * grains))


def cut(picture: np.ndarray, window: CropWindow) -> np.ndarray:
    """picture float (H, W), 0 beyond its border -> the window's content (ROWS, COLUMNS) float32, averaged by area."""
    width, height = window.size
    inner = np.zeros((height, width), np.float32)
    y0, x0 = max(window.top, 0), max(window.left, 0)
    y1, x1 = min(window.top + height, picture.shape[0]), min(window.left + width, picture.shape[1])
    if y1 > y0 and x1 > x0:
        inner[y0 - window.top : y1 - window.top, x0 - window.left : x1 - window.left] = picture[y0:y1, x0:x1]
    how = cv2.INTER_AREA if window.scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(inner, (COLUMNS, ROWS), interpolation=how)


def channels(soft: np.ndarray, keypoints: np.ndarray, view: str) -> np.ndarray:
    """Mask (ROWS, COLUMNS) float 0..1 and keypoints (33, 2) crop px, view front or side -> (CHANNELS, ROWS, COLUMNS)."""
    parts = part_map(soft > 0.5, keypoints, view)
    if not parts.any():
        return np.stack([soft, *np.zeros((CHANNELS - 1, *soft.shape))]).astype(np.float32)
    return np.stack([soft, *(soft * sign for sign in signs(parts))]).astype(np.float32)


def signs(parts: np.ndarray) -> np.ndarray:
    """Part numbers (H, W) -> (3, H, W): trunk 0 or 1, arms and legs +1 left, -1 right."""
    trunk, left_arm, right_arm, left_leg, right_leg = (
        parts == PART_NAMES.index(name) for name in ("trunk", "left_arm", "right_arm", "left_leg", "right_leg")
    )
    return np.stack([trunk, left_arm * 1.0 - right_arm, left_leg * 1.0 - right_leg]).astype(np.float32)
