"""The networks that look at a photo: what they answer, and the files that hold them, by sha256.

docs/photo_models.md describes every file and what a second runner needs.
"""

from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.core.files import sha256

KEYPOINTS = 33
FACE_POINTS = 478

FILES = {
    "pose": {
        "pose_detection/pose_detection.tflite":
            "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        "pose_landmark/pose_landmark_full.tflite":
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        "pose_landmark/pose_landmark_cpu.binarypb":
            "90ddc717625a3c1aedfdca124212a36ce595cdbbe46513fd93adca5202d8ff21",
    },
    "face": {
        "face_detection/face_detection_short_range.tflite":
            "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        "face_landmark/face_landmark_with_attention.tflite":
            "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
        "face_landmark/face_landmark_front_cpu.binarypb":
            "fa3c092da27d031d54ddd61a29b0e3dd521d53f55fa8898cb0f2b64d79cd6573",
    },
    "hand": {
        "palm_detection/palm_detection_full.tflite":
            "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
        "hand_landmark/hand_landmark_full.tflite":
            "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        "hand_landmark/hand_landmark_tracking_cpu.binarypb":
            "942ad4e6b3ecd1903fd2743ad2255a341854de975ef9c90418a4c7b64f0b4425",
        "hand_landmark/handedness.txt":
            "3b82f0246870fec456c8632d455a4e1d5648d2836a7a513a271781144f525916",
    },
}  # fmt: skip
"""Network -> its files (place in the folder mediapipe/modules of the wheel) -> sha256. All results rest on these."""


class Pose(NamedTuple):
    """keypoints (33, 3): x, y in px and visibility; world (33, 3) m, hips at 0; confidence (H, W) of the mask."""

    keypoints: np.ndarray
    world: np.ndarray
    confidence: np.ndarray


class Runner(Protocol):
    """Runs the networks on one picture, uint8 (H, W, 3) RGB; same picture, same answer. Points (N, 3) are px: x, y, z.

    A module with these functions is one.
    """

    def pose(self, rgb: np.ndarray) -> Pose | None:
        """The most prominent person, or None."""

    def face(self, rgb: np.ndarray) -> np.ndarray | None:
        """The face mesh with irises (478, 3) px of a crop around one head, or None."""

    def hand(self, rgb: np.ndarray) -> np.ndarray | None:
        """The surest hand (21, 3) px of a crop around one wrist, or None."""


def check_files(network: str, folder: Path, source: str, remedy: str) -> None:
    """Raise InputError unless ``folder`` holds every file of a network as it is in FILES.

    ``source`` names in the error whose files these are; ``remedy`` says what to do.
    """
    for name, expected in FILES[network].items():
        path = folder / name
        found = sha256(path) if path.is_file() else None
        if found != expected:
            what = f"has sha256 {found[:12]}, expected {expected[:12]}" if found else "is missing"
            raise InputError(f"{source}: {name} {what}; {remedy}")
