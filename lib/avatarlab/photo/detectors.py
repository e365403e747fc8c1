"""MediaPipe's networks behind three plain functions; loaded on first use, quiet, one caller at a time.

Only the wheel's own models are used (pose "full", face mesh with attention, hands "full"): the others download.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

KEYPOINTS = 33
FACE_POINTS = 478
_LOCK = threading.Lock()


class Pose(NamedTuple):
    """keypoints (33, 3): x, y in px and visibility; world (33, 3) m, hips at 0; confidence (H, W) of the mask."""

    keypoints: np.ndarray
    world: np.ndarray
    confidence: np.ndarray


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: the C++ side logs there before any log level can be set."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # no descriptor 2, nothing to silence
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@cache
def _solution(name: str, **options):
    """Build one legacy MediaPipe solution; importing MediaPipe costs seconds, hence not at the top."""
    from mediapipe.python import solutions

    module = getattr(solutions, name)
    kind = {"pose": "Pose", "face_mesh": "FaceMesh", "hands": "Hands"}[name]
    return getattr(module, kind)(static_image_mode=True, **options)


def _process(name: str, rgb: np.ndarray, **options):
    """Run a solution on uint8 (H, W, 3)."""
    with _LOCK, _quiet():
        return _solution(name, **options).process(np.ascontiguousarray(rgb))


def _points(landmarks, rgb: np.ndarray) -> np.ndarray:
    """Return (N, 3) px: x, y, z (z in px too, MediaPipe's relative depth) of normalised landmarks."""
    height, width = rgb.shape[:2]
    points = np.array([(p.x, p.y, p.z) for p in landmarks.landmark], np.float32)
    return points * np.float32([width, height, width])


def pose(rgb: np.ndarray) -> Pose | None:
    """Return the most prominent person in uint8 (H, W, 3) RGB, or None."""
    found = _process("pose", rgb, model_complexity=1, enable_segmentation=True, min_detection_confidence=0.5)
    if found.pose_landmarks is None:
        return None
    points = _points(found.pose_landmarks, rgb)
    points[:, 2] = [p.visibility for p in found.pose_landmarks.landmark]
    world = np.array([(p.x, p.y, p.z) for p in found.pose_world_landmarks.landmark], np.float32)
    confidence = np.clip(found.segmentation_mask, 0.0, 1.0).astype(np.float32)
    return Pose(points, world, confidence)


def face(rgb: np.ndarray) -> np.ndarray | None:
    """Return the face mesh with irises (478, 3) px of a crop around one head, or None."""
    found = _process("face_mesh", rgb, refine_landmarks=True, max_num_faces=1, min_detection_confidence=0.4)
    return _points(found.multi_face_landmarks[0], rgb) if found.multi_face_landmarks else None


def hand(rgb: np.ndarray) -> np.ndarray | None:
    """Return the surest hand (21, 3) px of a crop around one wrist, or None."""
    found = _process("hands", rgb, model_complexity=1, max_num_hands=1, min_detection_confidence=0.4)
    return _points(found.multi_hand_landmarks[0], rgb) if found.multi_hand_landmarks else None


def in_crop(detect, rgb: np.ndarray, centre: np.ndarray, side: float, wanted: int) -> np.ndarray | None:
    """Run ``detect`` on a square crop (``side`` px around ``centre``) scaled to ``wanted`` px; points in photo px."""
    corner = np.asarray(centre[:2], float) - side / 2
    scale = wanted / side
    shift = np.float64([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    crop = cv2.warpAffine(rgb, shift, (wanted, wanted), flags=how, borderMode=cv2.BORDER_REPLICATE)
    points = detect(crop)
    if points is None:
        return None
    points = points / np.float32(scale)
    points[:, :2] += corner.astype(np.float32)
    return points
