"""MediaPipe's 33 body keypoints by name, and the trunk's own axes in the picture."""

from dataclasses import dataclass

import cv2
import numpy as np

NOSE = 0
EARS = (7, 8)
MOUTH = (9, 10)
SHOULDERS = (11, 12)
ELBOWS = (13, 14)
WRISTS = (15, 16)
FINGERS = ((17, 19, 21), (18, 20, 22))
HIPS = (23, 24)
KNEES = (25, 26)
ANKLES = (27, 28)
HEELS = (29, 30)
TOES = (31, 32)
SIDES = ("left", "right")


@dataclass(frozen=True, eq=False)
class Trunk:
    """The trunk in the picture: neck and pelvis (middle of shoulders, hips) px, unit ``down``, ``left``, length px."""

    neck: np.ndarray
    pelvis: np.ndarray
    down: np.ndarray
    left: np.ndarray
    length: float

    def lateral(self, side: int) -> np.ndarray:
        """Return the unit direction towards the person's own left (side 0) or right (side 1)."""
        return self.left if side == 0 else -self.left


def trunk(points: np.ndarray) -> Trunk:
    """Return the trunk axes of points (33, 2) px."""
    neck, pelvis = points[list(SHOULDERS)].mean(0), points[list(HIPS)].mean(0)
    length = float(max(np.linalg.norm(pelvis - neck), 1.0))
    down = (pelvis - neck) / length
    left = np.array([down[1], -down[0]])
    across = points[SHOULDERS[0]] - points[SHOULDERS[1]] + points[HIPS[0]] - points[HIPS[1]]
    return Trunk(neck, pelvis, down, left if left @ across >= 0 else -left, length)


def arm(points: np.ndarray, side: int) -> np.ndarray:
    """Return (4, 2) px: shoulder, elbow, wrist, middle of the fingers' roots prolonged to the tips."""
    wrist = points[WRISTS[side]]
    knuckles = points[list(FINGERS[side])].mean(0)
    return np.stack([points[SHOULDERS[side]], points[ELBOWS[side]], wrist, wrist + 1.5 * (knuckles - wrist)])


def leg(points: np.ndarray, side: int) -> np.ndarray:
    """Return (4, 2) px: hip, knee, ankle, toes."""
    return points[[HIPS[side], KNEES[side], ANKLES[side], TOES[side]]]


ARM_RADII, LEG_RADII, HEAD_RADIUS, TRUNK_RADIUS = (0.22, 0.16, 0.22), (0.28, 0.17, 0.16), 0.5, 0.35
"""How far flesh and ordinary clothes reach from a bone at most, of the trunk's length."""


def draw(image: np.ndarray, line: np.ndarray, value: int, thickness: int = 1) -> None:
    """Draw a polyline (N, 2) px in place."""
    cv2.polylines(image, [np.rint(line).astype(np.int32)], False, int(value), int(thickness))


def distance_to(shape: tuple[int, int], lines: list[np.ndarray]) -> np.ndarray:
    """Return the distance (px) of every pixel of (H, W) to polylines."""
    free = np.ones(shape, np.uint8)
    for line in lines:
        draw(free, line, 0)
    return cv2.distanceTransform(free, cv2.DIST_L2, 5)


def reach(shape: tuple[int, int], points: np.ndarray) -> np.ndarray:
    """Return bool (H, W): where the body may be, given points (33, 2) px; beyond it a mask deserves doubt."""
    size = trunk(points).length
    near = np.zeros(shape, np.uint8)
    for side in (0, 1):
        limbs = [(arm(points, side), ARM_RADII), (leg(points, side), LEG_RADII)]
        limbs.append((points[[ANKLES[side], HEELS[side], TOES[side]]], (LEG_RADII[2],) * 2))
        for bones, radii in limbs:
            for a, b, radius in zip(bones[:-1], bones[1:], radii, strict=True):
                draw(near, np.stack([a, b]), 1, 2 * radius * size)
    corners = [*SHOULDERS, *HIPS[::-1], SHOULDERS[0]]
    cv2.fillPoly(near, [np.rint(points[corners]).astype(np.int32)], 1)
    draw(near, points[corners], 1, 2 * TRUNK_RADIUS * size)
    draw(near, points[[*EARS, NOSE]], 1, 2 * HEAD_RADIUS * size)
    return near > 0
