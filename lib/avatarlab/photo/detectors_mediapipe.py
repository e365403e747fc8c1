"""The networks run by MediaPipe's legacy solutions: loaded on first use, quiet, one caller at a time.

Only the wheel's own models are used (pose "full", face mesh with attention, hands "full"): the others download. This is
the one module that imports mediapipe.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from functools import cache
from importlib import metadata, util
from pathlib import Path

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.photo.networks import Pose, check_files

VERSION = "0.10.21"
REMEDY = (
    f"install the version whose networks all results rest on: python -m pip install -c constraints.txt "
    f"mediapipe=={VERSION} (docs/photo_models.md says what another one needs)."
)
SOLUTIONS = {"pose": ("pose", "Pose"), "face": ("face_mesh", "FaceMesh"), "hand": ("hands", "Hands")}
_LOCK = threading.Lock()


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


def folder() -> Path:
    """The folder of the installed mediapipe, which is not imported."""
    spec = util.find_spec("mediapipe")
    if spec is None:
        raise InputError(f"mediapipe: not installed; {REMEDY}")
    return Path(spec.submodule_search_locations[0])


@cache
def _solution(network: str, **options):
    """Build one legacy solution if its files are the known ones; importing MediaPipe takes seconds, hence here."""
    check_files(network, folder() / "modules", f"mediapipe {metadata.version('mediapipe')}", REMEDY)
    from mediapipe.python import solutions

    module, kind = SOLUTIONS[network]
    return getattr(getattr(solutions, module), kind)(static_image_mode=True, **options)


def _process(network: str, rgb: np.ndarray, **options):
    """Run a network on uint8 (H, W, 3)."""
    with _LOCK, _quiet():
        return _solution(network, **options).process(np.ascontiguousarray(rgb))


def _points(landmarks, rgb: np.ndarray) -> np.ndarray:
    """Return (N, 3) px: x, y, z (z in px too, MediaPipe's relative depth) of normalised landmarks."""
    height, width = rgb.shape[:2]
    points = np.array([(p.x, p.y, p.z) for p in landmarks.landmark], np.float32)
    return points * np.float32([width, height, width])


def pose(rgb: np.ndarray) -> Pose | None:
    """See ``Runner.pose``."""
    found = _process("pose", rgb, model_complexity=1, enable_segmentation=True, min_detection_confidence=0.5)
    if found.pose_landmarks is None:
        return None
    points = _points(found.pose_landmarks, rgb)
    points[:, 2] = [p.visibility for p in found.pose_landmarks.landmark]
    world = np.array([(p.x, p.y, p.z) for p in found.pose_world_landmarks.landmark], np.float32)
    confidence = np.clip(found.segmentation_mask, 0.0, 1.0).astype(np.float32)
    return Pose(points, world, confidence)


def face(rgb: np.ndarray) -> np.ndarray | None:
    """See ``Runner.face``."""
    found = _process("face", rgb, refine_landmarks=True, max_num_faces=1, min_detection_confidence=0.4)
    return _points(found.multi_face_landmarks[0], rgb) if found.multi_face_landmarks else None


def hand(rgb: np.ndarray) -> np.ndarray | None:
    """See ``Runner.hand``."""
    found = _process("hand", rgb, model_complexity=1, max_num_hands=1, min_detection_confidence=0.4)
    return _points(found.multi_hand_landmarks[0], rgb) if found.multi_hand_landmarks else None
