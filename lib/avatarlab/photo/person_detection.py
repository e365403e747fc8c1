"""Who is in the picture: the largest person's pose, and whether there are others."""

import itertools

import cv2
import numpy as np

from avatarlab.photo import detectors, matting
from avatarlab.photo.networks import Pose

WORK_PX = 1600
"""The network sees 256 px of a person; more than this a side only costs time."""
MAX_PEOPLE = 3
SECOND_VISIBILITY = 0.5
SECOND_OVERLAP = 0.35
"""A "second person" who shares more of its mask than this with the first is the first one's ghost."""
SECOND_INSIDE = 0.85
SECOND_SHOULDERS_M = 0.22
"""A large dog passes for a person but for its chest: the network's 3D shoulders are 0.17 m apart, a person's 0.3."""
SMALL = 0.45
WINDOW_SHARES = (0.6, 0.35)
CROP_PX = 768


def find(rgb: np.ndarray) -> list[Pose]:
    """Return the people in uint8 (H, W, 3), the largest (visible mask area) first; MAX_PEOPLE at most."""
    size = rgb.shape[:2]
    scale = WORK_PX / max(size)
    if scale >= 1:
        return _find(rgb)
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return [_moved(one, (0, 0), size, size) for one in _find(small)]


def _find(rgb: np.ndarray) -> list[Pose]:
    """Return the people in a picture of at most WORK_PX a side: find one, paint it over, look again."""
    people, left = [], rgb
    while len(people) < MAX_PEOPLE:
        found = detectors.pose(left)
        if found is None and not people:
            found = _searched(rgb)
        if found is None or (people and not _is_another(found, people)):
            break
        people.append(_closer(rgb if not people else left, found))
        left = without(left, people[-1].confidence)
    return sorted(people, key=lambda one: -float(one.confidence.sum()))


def _searched(rgb: np.ndarray) -> Pose | None:
    """Look for somebody too small for the detector's 224 px in overlapping windows, and keep only a clear sight."""
    image = rgb.shape[:2]
    for share in WINDOW_SHARES:
        side = int(share * max(image))
        for y0, x0 in itertools.product(_starts(image[0], side), _starts(image[1], side)):
            crop = rgb[y0 : y0 + side, x0 : x0 + side]
            scale = CROP_PX / max(crop.shape[:2])
            found = detectors.pose(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
            if found is not None and _is_another(found, []):
                return _moved(found, (x0, y0), crop.shape[:2], image)
    return None


def _starts(length: int, side: int) -> np.ndarray:
    """Return where windows of ``side`` px begin so that they cover ``length`` px, overlapping by half."""
    last = max(length - side, 0)
    return np.linspace(0, last, 1 + int(np.ceil(2 * last / side))).astype(int)


def _is_another(found: Pose, people: list[Pose]) -> bool:
    """Tell a second person from an animal or a ghost: clearly seen points, human shoulders, a mask of its own."""
    mask = found.confidence > 0.5
    shoulders_m = np.linalg.norm(found.world[11] - found.world[12])
    if not mask.any() or np.median(found.keypoints[:, 2]) < SECOND_VISIBILITY or shoulders_m < SECOND_SHOULDERS_M:
        return False
    if _share_inside(mask, found.keypoints) < SECOND_INSIDE:
        return False
    if not people:
        return True
    taken = np.max([one.confidence for one in people], axis=0) > 0.3
    return float((mask & taken).sum() / mask.sum()) < SECOND_OVERLAP


def _share_inside(mask: np.ndarray, keypoints: np.ndarray) -> float:
    """Return the share of the in-picture keypoints that lie on the mask."""
    x, y = np.floor(keypoints[:, :2]).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    return float(mask[y[inside], x[inside]].mean()) if inside.any() else 0.0


def without(rgb: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Paint a person (mask confidence (H, W)) over with the surroundings, soft enough to leave no silhouette."""
    height, width = confidence.shape
    scale = 160 / max(height, width)
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    hole = cv2.resize(confidence, small.shape[1::-1], interpolation=cv2.INTER_AREA) > 0.1
    hole = cv2.dilate(hole.astype(np.uint8), np.ones((7, 7), np.uint8))
    filled = cv2.GaussianBlur(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), (0, 0), 6)
    alpha = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 2)
    alpha = cv2.resize(np.maximum(alpha, hole), (width, height))[..., None]
    return (rgb * (1 - alpha) + cv2.resize(filled, (width, height)) * alpha).astype(np.uint8)


def _closer(rgb: np.ndarray, found: Pose) -> Pose:
    """Look again at an enlarged crop if the person is small in the picture: the detector sees 224 px in all."""
    low, high = box(found)
    if (high - low).max() > SMALL * max(rgb.shape[:2]):
        return found
    side = int(1.6 * (high - low).max())
    x0, y0 = np.maximum(((low + high - side) / 2).astype(int), 0)
    crop = rgb[y0 : y0 + side, x0 : x0 + side]
    scale = CROP_PX / max(crop.shape[:2])
    again = detectors.pose(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
    return _moved(again, (x0, y0), crop.shape[:2], rgb.shape[:2]) if again else found


def _moved(pose: Pose, corner: tuple[int, int], crop: tuple[int, int], image: tuple[int, int]) -> Pose:
    """Bring a pose found in a scaled crop (size ``crop`` before scaling) back to the picture."""
    (x0, y0), (high, wide) = corner, crop
    scale = np.float32([wide / pose.confidence.shape[1], high / pose.confidence.shape[0], 1])
    keypoints = pose.keypoints * scale + np.float32([x0, y0, 0])
    if crop == image:
        return Pose(keypoints, pose.world, cv2.resize(pose.confidence, (wide, high)))
    confidence = np.zeros(image, np.float32)
    confidence[y0 : y0 + high, x0 : x0 + wide] = cv2.resize(
        pose.confidence, (wide, high), interpolation=cv2.INTER_AREA
    )
    return Pose(keypoints, pose.world, confidence)


def box(pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners (2,), (2,) px of the mask, or of the keypoints where the mask is empty."""
    mask = pose.confidence > 0.5
    if not mask.any():
        return pose.keypoints[:, :2].min(0), pose.keypoints[:, :2].max(0)
    rows, columns = matting.window(mask)
    return np.array([columns.start, rows.start], float), np.array([columns.stop, rows.stop], float)
