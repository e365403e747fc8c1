"""What is searched for: one shape, and per photo a camera and a pose; and how body points move with all of it.

The body stands at the origin in its own frame; each photo's camera turns and moves freely about its pelvis. Steps
are vectors: 48 shape components, then per photo 7 camera numbers (turn rad, shift m, log focal) and 63 pose angles.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import roma
import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.render import Camera

POSED = 22
"""Joints with a free rotation but the root: body joints 1 to 21; fingers, jaw and eyes stay as they are."""

CAMERA, POSE = 7, 3 * (POSED - 1)
PER_VIEW = CAMERA + POSE
POSE_EPS, BETA_EPS = 2e-3, 0.25
"""Steps of the finite differences: rad (float32 leaves 1e-4 of the slope), and components (exact: linear)."""


@dataclass(frozen=True, eq=False)
class ViewState:
    """One photo: rotation (3, 3) and shift (3,) m body -> camera about the pelvis, log focal (px), pose (55, 3) rad."""

    rotation: Tensor
    shift: Tensor
    log_focal: Tensor
    pose: Tensor


@dataclass(frozen=True, eq=False)
class State:
    """betas (48,) and one ViewState per photo."""

    betas: Tensor
    views: tuple[ViewState, ...]

    def moved(self, step: Tensor) -> "State":
        """The state after a step (48 + 70 per view,)."""
        step = step.to(self.betas.dtype)
        shape, rest = step[: len(self.betas)], step[len(self.betas) :]
        steps = rest.reshape(len(self.views), PER_VIEW)
        views = tuple(_moved(view, part) for view, part in zip(self.views, steps, strict=True))
        return State(self.betas + shape, views)


def _moved(view: ViewState, step: Tensor) -> ViewState:
    pose = view.pose.clone()
    pose[1:POSED] += step[CAMERA:].reshape(-1, 3)
    rotation = roma.special_procrustes(roma.rotvec_to_rotmat(step[:3]) @ view.rotation)
    return ViewState(rotation, view.shift + step[3:6], view.log_focal + step[6], pose)


def camera(view: ViewState, pelvis: Tensor, size: tuple[int, int]) -> Camera:
    """The camera of one view: world is the body's frame, ``pelvis`` (3,) m in it, size (width, height) px."""
    width, height = size
    viewmat = torch.eye(4)
    viewmat[:3, :3], viewmat[:3, 3] = view.rotation, view.shift - view.rotation @ pelvis
    focal = float(view.log_focal.exp())
    k = [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]
    return Camera(viewmat, k, width, height)


class Moves(NamedTuple):
    """Points of one view: local (K, 3) m in camera axes, and their slopes (K, 3, 48 + 70) by shape, camera, pose."""

    local: Tensor
    slopes: Tensor


def body_moves(body: Body, betas: Tensor, view: ViewState, vertices: Tensor, mix=None) -> Moves:
    """Where body points are in camera axes and how they move with shape, camera and pose of this view.

    vertices (K,) numbers; ``mix`` (joints (N, 55, 3), vertices (N, K, 3)) -> points (N, M, 3), or None for the
    vertices themselves. One batched forward pass, finite differences.
    """
    shapes = len(betas)
    bent = view.pose[1:POSED].reshape(-1)
    wiggle = torch.cat([bent[None], bent + POSE_EPS * torch.eye(POSE)])
    pose = view.pose.expand(1 + shapes + POSE, 55, 3).clone()
    pose[0, 1:POSED] = wiggle[0].reshape(-1, 3)
    pose[1 + shapes :, 1:POSED] = wiggle[1:].reshape(POSE, -1, 3)
    many = betas.expand(1 + shapes + POSE, shapes).clone()
    many[1 : 1 + shapes] += BETA_EPS * torch.eye(shapes)
    with torch.no_grad():
        posed = body(betas=many, pose=pose, vertices=vertices)
    points = posed.vertices if mix is None else mix(posed.joints, posed.vertices)
    local = (points - posed.joints[:, :1]).double() @ view.rotation.T.double()
    change = (local[1:] - local[0]).permute(1, 2, 0)
    change = change / torch.cat([torch.full((shapes,), BETA_EPS), torch.full((POSE,), POSE_EPS)]).double()
    here = local[0]
    turn = -_cross_matrices(here)
    shift = torch.eye(3, dtype=here.dtype).expand(len(here), 3, 3)
    zoom = here.new_zeros(len(here), 3, 1)
    slopes = torch.cat([change[..., :shapes], turn, shift, zoom, change[..., shapes:]], -1)
    return Moves(here + view.shift.double(), slopes)


def _cross_matrices(v: Tensor) -> Tensor:
    """v (K, 3) -> (K, 3, 3) with m @ w = v x w."""
    zero = torch.zeros_like(v[:, 0])
    x, y, z = v.unbind(1)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)


class Image(NamedTuple):
    """Points in the picture: pixels (K, 2), their slopes (K, 2, 48 + 70), and px per metre there (K,)."""

    pixels: Tensor
    slopes: Tensor
    scale: Tensor


def imaged(moves: Moves, view: ViewState, size: tuple[int, int], zoom_column: int) -> Image:
    """Project camera-space points; ``zoom_column`` is where log focal stands in the slopes."""
    focal = float(view.log_focal.exp())
    depth = moves.local[:, 2:].clamp_min(0.05)
    flat = moves.local[:, :2] / depth
    slopes = focal / depth[..., None] * (moves.slopes[:, :2] - flat[..., None] * moves.slopes[:, 2:])
    slopes[..., zoom_column] = focal * flat
    centre = flat.new_tensor([size[0] / 2, size[1] / 2])
    return Image(focal * flat + centre, slopes, focal / depth[:, 0])


def start_view(pose: Tensor, turn_rad: float, focal_px: float) -> ViewState:
    """A view of the standing body turned by ``turn_rad`` to its own left, 3 m away."""
    level = torch.tensor([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
    yaw = roma.rotvec_to_rotmat(torch.tensor([0.0, turn_rad, 0.0]))
    focal = torch.tensor(focal_px).log()
    return ViewState(level @ yaw, torch.tensor([0.0, 0.0, 3.0]), focal, pose.clone())


def with_view(state: State, number: int, view: ViewState) -> State:
    """The state with one view replaced."""
    views = list(state.views)
    views[number] = view
    return replace(state, views=tuple(views))
