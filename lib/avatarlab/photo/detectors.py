"""The one door to the networks: a person's pose and mask, a face mesh, a hand, each from one picture."""

import cv2
import numpy as np

from avatarlab.photo.networks import Pose, Runner


def runner() -> Runner:
    """What runs the networks; another one takes over here."""
    from avatarlab.photo import detectors_mediapipe

    return detectors_mediapipe


def pose(rgb: np.ndarray) -> Pose | None:
    """Return the most prominent person in uint8 (H, W, 3) RGB, or None."""
    return runner().pose(rgb)


def face(rgb: np.ndarray) -> np.ndarray | None:
    """Return the face mesh with irises (478, 3) px of a crop around one head, or None."""
    return runner().face(rgb)


def hand(rgb: np.ndarray) -> np.ndarray | None:
    """Return the surest hand (21, 3) px of a crop around one wrist, or None."""
    return runner().hand(rgb)


def in_crop(detect, rgb: np.ndarray, centre: np.ndarray, side: float, expected: int) -> np.ndarray | None:
    """Run ``detect`` on a square crop (``side`` px around ``centre``) scaled to ``expected`` px; points in photo px."""
    corner = np.asarray(centre[:2], float) - side / 2
    scale = expected / side
    shift = np.float64([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    crop = cv2.warpAffine(rgb, shift, (expected, expected), flags=how, borderMode=cv2.BORDER_REPLICATE)
    points = detect(crop)
    if points is None:
        return None
    points = points / np.float32(scale)
    points[:, :2] += corner.astype(np.float32)
    return points
