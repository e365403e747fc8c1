"""What one observation offers to the fit: its outline as points with normals and part labels, at working size."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from scipy.spatial import cKDTree

from avatarlab.body import Body
from avatarlab.photo import Observation
from avatarlab.photo.matting import window
from avatarlab.photo.observation import PART_NAMES

WORK_PX = 420
"""Height of the person in the picture that the fit works on; smaller pictures are not enlarged."""
BORDER_PX = 2
FRAME_PX = 12
"""Margin around the person within which the outline is sought; more than the normals' blur reaches."""
NORMAL_PULL, LABEL_PULL = 0.06, 0.10
"""What opposite normals or another part count for in the search for the nearest outline point, of person heights / 2."""
SEEN = 0.5
TURNED_TRUST = 0.5

GROUPS = {
    **{part: "head" for part in ("head", "jaw", "neck", "l_eye", "r_eye")},
    "trunk": "trunk",
    **{f"{s}_{part}": f"{side}_arm" for s, side in (("l", "left"), ("r", "right"))
       for part in ("upper_arm", "forearm", "hand")},
    **{f"{s}_{part}": f"{side}_leg" for s, side in (("l", "left"), ("r", "right")) for part in ("thigh", "calf", "foot")},
}  # fmt: skip
"""Body part -> the photo's part of which it is."""


def face_labels(body: Body) -> np.ndarray:
    """The photo's part number of every face (F,) uint8, by its first corner."""
    numbers = np.array([PART_NAMES.index(GROUPS[part]) for part in body.parts], np.uint8)
    return numbers[body.part[body.faces[:, 0]].numpy()]


@dataclass(frozen=True, eq=False)
class Outline:
    """Points of a mask's rim: pixels (N, 2), unit normals (N, 2) outward, labels (N,) of PART_NAMES."""

    pixels: np.ndarray
    normals: np.ndarray
    labels: np.ndarray

    def tree(self, person_px: float) -> cKDTree:
        """A search tree over place, direction and part."""
        return cKDTree(self.features(person_px))

    def features(self, person_px: float) -> np.ndarray:
        """Outline points as (N, 11): near means near in the picture, alike in direction and of the same part."""
        parts = np.eye(len(PART_NAMES))[self.labels]
        return np.concatenate(
            [self.pixels, NORMAL_PULL * person_px * self.normals, LABEL_PULL * person_px * parts], 1
        )


def outline(mask: np.ndarray, labels: np.ndarray) -> Outline:
    """The rim of mask bool (H, W) with labels (H, W); what the picture's edge cuts is no rim."""
    if not mask.any():
        return Outline(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, np.uint8))
    frame = window(mask, least_px=FRAME_PX)
    inside, corner = mask[frame], np.array([frame[0].start, frame[1].start])
    framed = np.pad(inside, 1, mode="edge").astype(np.uint8)
    inner = cv2.erode(framed, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))[1:-1, 1:-1] > 0
    at = np.stack(np.nonzero(inside & ~inner), 1)
    seen = ((at + corner >= BORDER_PX) & (at + corner < np.array(mask.shape) - BORDER_PX)).all(1)
    rows, columns = at[seen].T
    soft = cv2.GaussianBlur(np.pad(inside, 8, mode="edge").astype(np.float32), (0, 0), 2.0)
    slope = np.stack([cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)], -1)[8:-8, 8:-8]
    normals = -slope[rows, columns].astype(float)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    pixels = np.stack([columns + corner[1], rows + corner[0]], 1) + 0.5
    return Outline(pixels, normals, labels[frame][rows, columns])


@dataclass(frozen=True, eq=False)
class Target:
    """One observation at working size: ``factor`` of the photo's pixels; size (width, height) and person height px.

    ``soft`` (H, W) is the mask's share of each pixel, ``mask`` where that is over a half.
    """

    observation: Observation
    factor: float
    size: tuple[int, int]
    person_px: float
    mask: np.ndarray
    soft: np.ndarray
    parts: np.ndarray
    outline: Outline
    keypoints: torch.Tensor
    seen: torch.Tensor
    world: torch.Tensor
    focal_px: float

    @property
    def trust(self) -> float:
        """What the outline counts: less where a front view is turned, since depth then passes for breadth."""
        return TURNED_TRUST if "turned" in self.observation.codes else 1.0

    @property
    def side(self) -> bool:
        """A side view: arms lie over the trunk."""
        return self.observation.view == "side"


def target(observation: Observation) -> Target:
    """Bring an observation to working size."""
    rows = np.nonzero(observation.mask.any(1))[0]
    height = float(np.ptp(rows) + 1) if len(rows) else float(observation.height)
    expected = min(1.0, WORK_PX / height)
    size = (max(1, round(observation.width * expected)), max(1, round(observation.height * expected)))
    soft = cv2.resize(observation.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    parts = cv2.resize(observation.parts, size, interpolation=cv2.INTER_NEAREST)
    mask = soft > 0.5
    parts = np.where(mask, parts, 0).astype(np.uint8)
    factor = size[1] / observation.height
    points = torch.as_tensor(observation.keypoints.copy(), dtype=torch.float64)
    pixels = points[:, :2] * torch.tensor([size[0] / observation.width, factor], dtype=torch.float64)
    inside = ((pixels > 0) & (pixels < torch.tensor(size))).all(1)
    seen = torch.where(inside & (points[:, 2] > SEEN), points[:, 2], torch.zeros_like(points[:, 2]))
    world = torch.as_tensor(observation.keypoints_world.copy(), dtype=torch.float64)
    return Target(
        observation, factor, size, height * factor, mask, soft, parts, outline(mask, parts),
        pixels, seen, world, observation.focal_px * factor,
    )  # fmt: skip
