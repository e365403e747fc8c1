"""What is searched for: one shape, and per photo a camera and a pose; and how body points move with all of it.

The body stands at the origin in its own frame; each photo's camera turns and moves freely about its pelvis. Steps
are vectors: 48 shape components, then per photo 7 camera numbers (turn rad, shift m, log focal) and 63 pose angles.
"""

from dataclasses import dataclass
from typing import NamedTuple

import roma
import torch
from torch import Tensor

from avatarlab.body.jacobians import Posture, cross_matrices
from avatarlab.photo.keypoints import Keypoints
from avatarlab.render import Camera

POSED = 22
"""Joints with a free rotation but the root: body joints 1 to 21; fingers, jaw and eyes stay as they are."""

CAMERA, POSE = 7, 3 * (POSED - 1)
PER_VIEW = CAMERA + POSE


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
    rotation = roma.special_gramschmidt(roma.rotvec_to_rotmat(step[:3]) @ view.rotation)
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


def vertex_moves(posture: Posture, view: ViewState, chosen: Tensor) -> Moves:
    """Where the vertices ``chosen`` (K,) are in camera axes and how they move with shape, camera and pose."""
    return _moves(posture, view, posture.vertices[chosen], posture.vertex_slopes(chosen))


def keypoint_moves(posture: Posture, view: ViewState, points: Keypoints, chosen: Tensor) -> Moves:
    """The same of the keypoints; ``chosen`` says where the posture has ``points.vertices``."""
    pairs = zip(posture.joint_slopes(), posture.vertex_slopes(chosen), strict=True)
    slopes = tuple(points(j.flatten(1), v.flatten(1)).unflatten(1, (3, -1)) for j, v in pairs)
    return _moves(posture, view, points(posture.joints, posture.vertices[chosen]), slopes)


def _moves(posture: Posture, view: ViewState, points: Tensor, slopes: tuple[Tensor, Tensor]) -> Moves:
    """points (K, 3) m in the body's frame, slopes by shape and pose -> Moves about the pelvis."""
    rotation = view.rotation.double()
    by_shape, by_pose = slopes
    by_shape = rotation @ (by_shape - posture.joints_by_shape[0]).double()
    here = (points - posture.joints[0]).double() @ rotation.T
    shift = torch.eye(3, dtype=here.dtype).expand(len(here), 3, 3)
    zoom = here.new_zeros(len(here), 3, 1)
    slopes = torch.cat([by_shape, -cross_matrices(here), shift, zoom, rotation @ by_pose.double()], -1)
    return Moves(here + view.shift.double(), slopes)


class Image(NamedTuple):
    """Points in the picture: pixels (K, 2), their slopes (K, 2, 48 + 70), and px per metre there (K,)."""

    pixels: Tensor
    slopes: Tensor
    scale: Tensor


def project_points(moves: Moves, view: ViewState, size: tuple[int, int], zoom_column: int) -> Image:
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


def shift_onto_keypoints(
    points: Tensor, target: Tensor, seen: Tensor, focal_px: float, size: tuple[int, int]
) -> Tensor:
    """The shift (3,) m that puts points (N, 3) m, seen from afar, over wanted (N, 2) px: depth by their spread.

    Exact where all points have one depth; for head and heels of an upright person, focal x stature / height in px.
    """
    share = (seen / seen.sum())[:, None].to(torch.float64)
    middle, aim = (share * points[:, :2]).sum(0), (share * target).sum(0)
    ours = (share * (points[:, :2] - middle).square()).sum().sqrt()
    theirs = (share * (target - aim).square()).sum().sqrt()
    depth = focal_px * ours / theirs
    centre = torch.tensor(size, dtype=torch.float64) / 2
    return torch.cat(
        [(aim - centre) * depth / focal_px - middle, (depth - (share * points[:, 2:]).sum()).reshape(1)]
    )
