"""Pictures of a fit: the body over the photo, and the row widths of both."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.fit.estimator import silhouette_widths
from avatarlab.fit.estimator.contours import Drawing
from avatarlab.fit.estimator.target import target
from avatarlab.photo import Observation
from avatarlab.photo.observation import PART_NAMES
from avatarlab.render import Camera, as_uint8, overlay, rasterize

PHOTO_LINE, BODY_LINE = (217, 130, 43), (47, 109, 179)
OPACITY = 0.45
TALL_PX = 900


def overlay_body(
    rgb: np.ndarray, mask: np.ndarray, body: Body, betas: Tensor, pose: Tensor, camera: Camera
) -> np.ndarray:
    """Photo uint8 (H, W, 3) with the body over it, the photo's outline orange and the body's blue -> uint8 picture."""
    with torch.no_grad():
        vertices = body(betas=betas, pose=pose).vertices
    picture = as_uint8(overlay(rgb, vertices, body.faces, camera, opacity=OPACITY))
    scale = max(1.0, TALL_PX / max(rgb.shape[:2]))
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    drawn = rasterize(vertices, body.faces, camera).mask.numpy()
    for shape, colour in ((mask, PHOTO_LINE), (drawn, BODY_LINE)):
        large = cv2.resize(255 * shape.astype(np.uint8), picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        lines, _ = cv2.findContours((large > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, lines, -1, colour, 2, cv2.LINE_AA)
    return picture


def overlay_thumbnail(
    rgb: np.ndarray, mask: np.ndarray, body: Body, betas: Tensor, pose: Tensor, camera: Camera
) -> np.ndarray:
    """The same, large photos scaled down first: the mesh costs by the pixel."""
    factor = TALL_PX / max(rgb.shape[:2])
    if factor >= 1:
        return overlay_body(rgb, mask, body, betas, pose, camera)
    small = camera.scaled(factor)
    size = (small.width, small.height)
    shares = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return overlay_body(rgb, shares > 0.5, body, betas, pose, small)


@dataclass(frozen=True, eq=False)
class RowTable:
    """Row widths of one part: levels (N,) px from the top of the photo, widths (N,) mm of photo and body."""

    level: np.ndarray
    photo_mm: np.ndarray
    body_mm: np.ndarray


def row_table(
    body: Body, observation: Observation, betas: Tensor, pose: Tensor, camera: Camera, part="trunk"
) -> RowTable:
    """How wide ``part`` is in the photo and on the body in the same rows, mm at the pelvis' depth."""
    aim = target(observation)
    part_numbers, levels = silhouette_widths.levels(aim)
    chosen = part_numbers == PART_NAMES.index(part)
    part_numbers, levels = part_numbers[chosen], levels[chosen]
    small, drawing = camera.scaled(aim.factor), Drawing(body)
    with torch.no_grad():
        posed = body(betas=betas, pose=pose)
        faces = drawing.faces(posed.vertices, small, arms=False)
    depth = float(small.project(posed.joints[:1])[1])
    mm = 1000 * depth / float(small.K[0, 0])
    ours = silhouette_widths.widths(drawing.labels[faces], part_numbers, levels)
    theirs = silhouette_widths.widths(aim.parts, part_numbers, levels)
    return RowTable(levels / aim.factor, mm * theirs.width, mm * ours.width)
