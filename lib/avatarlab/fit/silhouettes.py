"""The last refinement: coverage of every pixel, antialiased and differentiable, instead of matched rim points.

Rim points are read off a pixel grid and matched anew each step; coverage has neither flaw, but sees only a pixel far.
So its gradient is stepped with the curvature that the matched outlines have at the same place.
"""

import cv2
import numpy as np
import roma
import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.fit.contours import CORRELATION_M, HAIR, SIDE_ARM, Drawing, Drawn
from avatarlab.fit.state import CAMERA, PER_VIEW, POSED, State
from avatarlab.fit.target import Target
from avatarlab.render import Camera, silhouette

RIM_PX = 12
"""Further outside the body a photo's pixel is not its rim."""


def gradient(
    body: Body, state: State, number: int, aim: Target, trust: Tensor, sigma_m: float
) -> tuple[float, Tensor]:
    """(loss, its slope / 2 (48 + 70,) float64 by shape, camera, pose) of one view's coverage, in standard deviations.

    trust (H, W) weighs the pixels. A rim off by d px counts as d^2 per px of its length, so the scale is that of
    ``evidence.lines``.
    """
    view = state.views[number]
    step = torch.zeros(len(state.betas) + PER_VIEW, requires_grad=True)
    shape, camera, bend = torch.split(step, [len(state.betas), CAMERA, PER_VIEW - CAMERA])
    pose = torch.cat([view.pose[:1], view.pose[1:POSED] + bend.reshape(-1, 3), view.pose[POSED:]])
    posed = body(betas=(state.betas + shape)[None], pose=pose[None])
    turn = roma.rotvec_to_rotmat(camera[:3]) @ view.rotation
    local = (posed.vertices[0] - posed.joints[0, :1]) @ turn.T + view.shift + camera[3:6]
    eye = _camera((view.log_focal + camera[6]).exp(), aim.size)
    cover = silhouette(local, body.faces, eye)
    metres_per_px = float(view.shift[2]) / float(view.log_focal.exp())
    scale = metres_per_px**3 / CORRELATION_M / sigma_m**2
    loss = scale * (trust * (cover - torch.as_tensor(aim.soft)).square()).sum()
    (slope,) = torch.autograd.grad(loss, step)
    return float(loss.detach()), slope.double() / 2


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
