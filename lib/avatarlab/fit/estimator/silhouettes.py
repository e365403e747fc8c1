"""The last refinement: coverage of every pixel, antialiased and differentiable, instead of matched rim points.

Rim points are read off a pixel grid and matched anew each step; coverage has neither flaw, but sees only a pixel far.
So its gradient is stepped with the curvature that the matched outlines have at the same place.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from avatarlab.body.jacobians import Posture
from avatarlab.fit.estimator.contours import CORRELATION_M, HAIR, SIDE_ARM, Drawing, Drawn
from avatarlab.fit.estimator.state import POSE, ViewState, vertex_moves
from avatarlab.fit.estimator.target import Target
from avatarlab.render import Camera, silhouette

RIM_PX = 12
"""Further outside the body a photo's pixel is not its rim."""


def gradient(
    faces: Tensor, posture: Posture, view: ViewState, aim: Target, trust: Tensor, sigma_m: float
) -> tuple[float, Tensor]:
    """(loss, its slope / 2 (48 + 70,) float64 by shape, camera, pose) of one view's coverage, in standard deviations.

    trust (H, W) weighs the pixels. A rim off by d px counts as d^2 per px of its length, so the scale is that of
    ``evidence.lines``.
    """
    local = (posture.vertices - posture.joints[:1]) @ view.rotation.T + view.shift
    local, zoom = local.requires_grad_(), view.log_focal.clone().requires_grad_()
    cover = silhouette(local, faces, _camera(zoom.exp(), aim.size))
    metres_per_px = float(view.shift[2]) / float(view.log_focal.exp())
    scale = metres_per_px**3 / CORRELATION_M / sigma_m**2
    loss = scale * (trust * (cover - torch.as_tensor(aim.soft)).square()).sum()
    pull, zoomed = torch.autograd.grad(loss, (local, zoom))
    rim = torch.nonzero(pull.any(1))[:, 0]
    slopes = vertex_moves(posture, view, rim).slopes
    slope = (pull[rim].double().reshape(1, -1) @ slopes.flatten(0, 1))[0]
    slope[slopes.shape[-1] - POSE - 1] = zoomed
    return float(loss.detach()), slope / 2


def _camera(focal: Tensor, size: tuple[int, int]) -> Camera:
    """A camera at the origin with a differentiable focal length (px)."""
    width, height = size
    k = torch.diag(torch.stack([focal, focal, torch.ones(())]))
    middle = torch.tensor([[0.0, 0.0, width / 2], [0.0, 0.0, height / 2], [0.0, 0.0, 0.0]])
    return Camera(torch.eye(4), k + middle, width, height)


def trust_map(drawing: Drawing, drawn: Drawn, aim: Target) -> Tensor:
    """What each pixel (H, W) counts: the trust of the body part at the nearest rim, none inside or far from it.

    Outside the head it counts as hair. ``aim`` says whether arms lie over the trunk.
    """
    corner = drawing.all_faces[:, 0]
    inside, outside = drawing.trust[corner].clone(), drawing.trust[corner].clone()
    outside[drawing.head[corner]] *= HAIR
    if aim.side:
        inside[drawing.arm[corner]] *= SIDE_ARM
        outside[drawing.arm[corner]] *= SIDE_ARM
    mask = drawn.mask.astype(np.uint8)
    away, nearest = cv2.distanceTransformWithLabels(1 - mask, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    face = np.zeros(nearest.max() + 1, np.int64)
    face[nearest[drawn.mask]] = drawn.faces[drawn.mask]
    trust = np.where(drawn.mask, inside.numpy()[face[nearest]], outside.numpy()[face[nearest]])
    return torch.as_tensor(aim.trust * trust * (away < RIM_PX), dtype=torch.float32)
