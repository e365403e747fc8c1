"""From which side the person is seen: the turn about the vertical, and front or side."""

import numpy as np

from avatarlab.photo import skeleton

FRONT_SHARE = 0.66
"""Shoulder joints' distance over the trunk's length in the picture, seen from the front (photos: 0.58 to 0.72)."""
SIDE_DEG = (55.0, 125.0)
FRONT_LIMIT_DEG = 20.0
BEHIND_DEG = 125.0


def yaw(keypoints: np.ndarray, world: np.ndarray) -> float:
    """Return degrees turned about the vertical: 0 faces the camera, positive to the person's left, within +-180.

    keypoints (33, 3) px and visibility, world (33, 3) m (z away from the camera). Shoulders and hips in 3D give the
    direction; where the trunk is seen whole, its breadth in the picture corrects the 3D guess of how far. On renders
    it is within 13 degrees; small turns to the person's right are understated most.
    """
    across = sum(_unit(world[left] - world[right]) for left, right in (skeleton.SHOULDERS, skeleton.HIPS))
    across = _unit(across)
    if keypoints[list(skeleton.HIPS), 2].min() > 0.5:
        seen = min(1.0, _shoulder_share(keypoints) / FRONT_SHARE)
        across[0] = np.copysign((abs(across[0]) + seen) / 2, across[0])
    return float(np.degrees(np.arctan2(across[2], across[0])))


def _unit(vector: np.ndarray) -> np.ndarray:
    """Return a horizontal direction (3,) of length 1."""
    flat = np.array([vector[0], 0.0, vector[2]], float)
    return flat / max(np.linalg.norm(flat), 1e-9)


def _shoulder_share(keypoints: np.ndarray) -> float:
    """Return the shoulders' distance across the trunk over the trunk's length, in the picture."""
    trunk = skeleton.trunk(keypoints[:, :2])
    left, right = keypoints[list(skeleton.SHOULDERS), :2]
    return float(abs((left - right) @ trunk.left) / trunk.length)


def view_of(yaw_deg: float) -> str:
    """Return "side" for a profile, else "front" (turned and back views count as front and carry a finding)."""
    return "side" if SIDE_DEG[0] <= abs(yaw_deg) <= SIDE_DEG[1] else "front"
