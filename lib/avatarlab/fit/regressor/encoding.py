"""Numbers the network reads and writes: stature, weight and sex as features; camera and pose as plain regressions.

A view's camera is expressed relative to its crop: the turn as seen along the ray through the crop's middle (a person looks
the same wherever in the picture), the pelvis in crop pixels, and the distance as a factor on what stature and height
in the picture imply. All functions are batched over leading dimensions.
"""

import math
from typing import NamedTuple

import roma
import torch
from torch import Tensor

from avatarlab.body import poses
from avatarlab.fit.estimator.state import POSE, POSED, ViewState
from avatarlab.fit.regressor.crop import COLUMNS, PERSON_PX, ROWS

SEX_CODE = {"male": 1.0, "female": -1.0, "unknown": 0.0}
BMI, BMI_SPREAD = 26.0, 0.15
"""Of the surveyed people: the mean, and the standard deviation of its logarithm."""
GIVEN = 11
FRAME = 8
LEVEL = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
"""Camera axes of a level camera that faces the body: x right, y down, z forward."""
CAPTURE_CODE = {"studio": (1.0, 0.0), "everyday": (0.0, 1.0), "photo": (0.0, 1.0)}
"""Exact mask, or a mask of clothed people."""


def subject_features(stature_m: Tensor, weight_kg: Tensor, sex: Tensor) -> Tensor:
    """stature_m (N,), weight_kg (N,) with 0 for unknown, sex (N,) of SEX_CODE -> features (N, GIVEN), the first one 1."""
    known, told = (weight_kg > 0).float(), sex.abs()
    tall = (stature_m - 1.7) / 0.1
    heavy = known * (weight_kg.clamp_min(1.0) / (BMI * stature_m.square())).log() / BMI_SPREAD
    one = torch.ones_like(tall)
    products = (tall * sex, heavy * sex, tall * known, told * known, sex * known)
    return torch.stack([one, tall, sex, told, heavy, known, *products], -1)


class Frame(NamedTuple):
    """Windows of N views: centre (N, 2) their middles as ray slopes x/z, y/z; crop focal (N,) px; distance (N,) m.

    ``distance`` is where a person of that stature stands if the height in the picture is the stature.
    """

    centre: Tensor
    focal: Tensor
    distance: Tensor


def frame(corner: Tensor, scale: Tensor, focal: Tensor, size: Tensor, stature_m: Tensor) -> Frame:
    """corner (N, 2) px and scale (N,) of windows in pictures of size (N, 2) px, focal (N,) px, stature_m (N,)."""
    half = torch.tensor([COLUMNS / 2, ROWS / 2])
    middle = corner + half / scale[..., None]
    centre = (middle - size / 2) / focal[..., None]
    return Frame(centre, focal * scale, focal * scale * stature_m / PERSON_PX)


def frame_features(frame: Frame, side: Tensor, extra: Tensor) -> Tensor:
    """Frame, side (N,) 1 for side views, extra (N, 3): CAPTURE_CODE and 1 for a known focal length -> (N, FRAME)."""
    rest = [frame.centre / 0.2, (frame.distance / 3.0).log()[..., None] / 0.3, 1 / frame.distance[..., None]]
    return torch.cat([*rest, side[..., None], extra], -1)


def toward(centre: Tensor) -> Tensor:
    """Ray slopes (N, 2) -> rotation (N, 3, 3) that turns the camera's axis into that ray, without roll."""
    ray = torch.nn.functional.normalize(torch.cat([centre, torch.ones_like(centre[..., :1])], -1), dim=-1)
    x, y, z = ray.unbind(-1)
    axis = torch.stack([-y, x, torch.zeros_like(x)], -1)
    sine = axis.norm(dim=-1, keepdim=True)
    angle = torch.atan2(sine, z[..., None])
    return roma.rotvec_to_rotmat(
        axis * torch.where(sine > 1e-9, angle / sine.clamp_min(1e-9), torch.ones_like(sine))
    )


class View(NamedTuple):
    """Cameras and poses of N views as the network says them.

    turn (N, 3, 3) body -> camera as seen along the crop's ray; place (N, 3): pelvis in the crop ((px - middle) / 64,
    twice) and log of distance over the frame's; pose (N, 63) rad off the standing pose.
    """

    turn: Tensor
    place: Tensor
    pose: Tensor


def encode_view(rotation: Tensor, shift: Tensor, pose: Tensor, frame: Frame) -> View:
    """rotation (N, 3, 3) and shift (N, 3) m as of ViewState, pose (N, 55, 3) rad -> View."""
    turn = toward(frame.centre).mT @ rotation
    flat = shift[..., :2] / shift[..., 2:] - frame.centre
    place = torch.cat([flat * frame.focal[..., None] / 64, (shift[..., 2:] / frame.distance[..., None]).log()], -1)
    bent = (pose - poses.standing().to(pose))[..., 1:POSED, :].flatten(-2)
    return View(turn, place, bent)


def decode_view(view: View, frame: Frame) -> tuple[Tensor, Tensor, Tensor]:
    """View -> rotation (N, 3, 3), shift (N, 3) m, pose (N, 55, 3) rad; the inverse of ``encode_view``."""
    rotation = toward(frame.centre) @ view.turn
    depth = frame.distance[..., None] * view.place[..., 2:].exp()
    flat = view.place[..., :2] * 64 / frame.focal[..., None] + frame.centre
    standing = poses.standing().to(view.pose)
    bent = standing[1:POSED] + view.pose.unflatten(-1, (POSE // 3, 3))
    still = standing.expand(*bent.shape[:-2], *standing.shape)
    pose = torch.cat([still[..., :1, :], bent, still[..., POSED:, :]], -2)
    return rotation, torch.cat([flat * depth, depth], -1), pose


def view_state(view: View, frame: Frame, focal_px: float) -> ViewState:
    """The first of N views as the search's state, in a picture of that focal length."""
    rotation, shift, pose = decode_view(view, frame)
    return ViewState(rotation[0], shift[0], torch.tensor(math.log(focal_px)), pose[0])


def six(turn: Tensor) -> Tensor:
    """Rotation (N, 3, 3) -> its first two rows relative to a level camera's (N, 6)."""
    return (LEVEL.to(turn) @ turn)[..., :2, :].flatten(-2)


def from_six(numbers: Tensor) -> Tensor:
    """(N, 6) -> rotation (N, 3, 3) by Gram-Schmidt; the inverse of ``six``. Source: Zhou et al. 2019, section 4.2."""
    first, second = numbers.unflatten(-1, (2, 3)).unbind(-2)
    x = torch.nn.functional.normalize(first, dim=-1)
    y = torch.nn.functional.normalize(second - (second * x).sum(-1, keepdim=True) * x, dim=-1)
    return LEVEL.to(x) @ torch.stack([x, y, torch.linalg.cross(x, y)], -2)
