"""Residuals with slopes: keypoints, limb directions, outlines, row widths, and what is known before any photo.

Everything is in standard deviations. Each function adds to a Normal: the Gauss-Newton system H step = -g.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from avatarlab.body.layout import JOINT_NAMES
from avatarlab.fit.estimator.state import CAMERA, PER_VIEW, POSE, POSED, Image, Moves, State

DOUBLE = torch.float64


class NormalEquations:
    """H (P, P), g (P,) and energy of a sum of squares over a State's step."""

    def __init__(self, shapes: int, views: int):
        size = shapes + views * PER_VIEW
        self.shapes, self.h, self.g = (
            shapes,
            torch.zeros(size, size, dtype=DOUBLE),
            torch.zeros(size, dtype=DOUBLE),
        )
        self.energy = 0.0

    def spans(self, view: int) -> tuple[slice, slice]:
        """Step columns that a view's residuals have slopes in: the shape's, then its own."""
        start = self.shapes + view * PER_VIEW
        return slice(0, self.shapes), slice(start, start + PER_VIEW)

    def pose(self, view: int) -> slice:
        """Step columns of a view's pose angles."""
        end = self.shapes + (view + 1) * PER_VIEW
        return slice(end - POSE, end)

    def add_gradient(self, view: int, loss: float, gradient: Tensor) -> None:
        """A loss with its gradient (shapes + PER_VIEW,) over the columns of ``spans(view)``, without curvature."""
        for span, part in zip(self.spans(view), gradient.split([self.shapes, PER_VIEW]), strict=True):
            self.g[span] += part
        self.energy += loss

    def add(self, residual: Tensor, slopes: Tensor, weight: Tensor, spans: tuple[slice, ...]) -> None:
        """residual (N,) in standard deviations, slopes (N, C), weight (N,); the spans together are C columns."""
        weighted = slopes * weight[:, None]
        h, g = weighted.T @ slopes, weighted.T @ residual
        sizes = [span.stop - span.start for span in spans]
        for mine, rows, part in zip(spans, h.split(sizes), g.split(sizes), strict=True):
            self.g[mine] += part
            for other, block in zip(spans, rows.split(sizes, 1), strict=True):
                self.h[mine, other] += block
        self.energy += float((weight * residual.square()).sum())

    def add_diagonal(self, off: Tensor, sigma: Tensor, span: slice) -> None:
        """Independent residuals off / sigma (C,) of the columns of one span."""
        self.h.diagonal()[span] += sigma**-2
        self.g[span] += off / sigma**2
        self.energy += float((off / sigma).square().sum())


def robust(residual: Tensor, reach: float) -> Tensor:
    """Geman-McClure weights of residuals (N,) whose influence fades beyond ``reach``."""
    return (reach**2 / (reach**2 + residual.square())).square()


KEYPOINT_M = 0.022
FACE = tuple(range(11))
LOOSE = {**{k: 1.6 for k in FACE}, 11: 1.4, 12: 1.4, 23: 2.0, 24: 2.0, **{k: 2.0 for k in (17, 18, 19, 20, 21, 22)},
         **{k: 1.5 for k in (29, 30, 31, 32)}}  # fmt: skip
"""How much less sure than others: face, shoulders, hips (the network guesses them under clothes), fingers, feet."""


@cache
def _loose() -> Tensor:
    """LOOSE as (33,)."""
    return torch.tensor([LOOSE.get(number, 1.0) for number in range(33)], dtype=DOUBLE)


def keypoints(
    normal: NormalEquations, view: int, image: Image, target: Tensor, seen: Tensor, sigma_scale: float, side: bool
) -> None:
    """The 33 keypoints; ``sigma_scale`` >= 1 widens their standard deviation while the fit is still far."""
    sigma = KEYPOINT_M * sigma_scale * _loose() * (1.5 if side else 1.0) * image.scale.median()
    off = (image.pixels - target) / sigma[:, None]
    weight = seen * robust(off.norm(dim=1), 5.0)
    normal.add(
        off.reshape(-1),
        (image.slopes / sigma[:, None, None]).flatten(0, 1),
        weight.repeat_interleave(2),
        normal.spans(view),
    )


BONES = ((11, 13), (13, 15), (12, 14), (14, 16), (23, 25), (25, 27), (24, 26), (26, 28), (11, 12), (23, 24),
         (23, 11), (24, 12), (27, 31), (28, 32), (7, 0), (8, 0))  # fmt: skip
_BONE_ENDS = tuple(torch.tensor(ends) for ends in zip(*BONES, strict=True))
BONE_SIGMA = 0.30


def directions(
    normal: NormalEquations, view: int, moves: Moves, world: Tensor, seen: Tensor, sigma_scale: float
) -> None:
    """Directions of limbs in space as MediaPipe guesses them: weak, but they tell front from back."""
    one, two = _BONE_ENDS
    bone, slope = moves.local[two] - moves.local[one], moves.slopes[two] - moves.slopes[one]
    length = bone.norm(dim=1, keepdim=True)
    unit = bone / length
    across = (slope - unit[..., None] * (unit[..., None] * slope).sum(1, keepdim=True)) / length[..., None]
    aim = torch.nn.functional.normalize(world[two] - world[one], dim=1)
    off = (unit - aim) / (BONE_SIGMA * sigma_scale)
    weight = torch.minimum(seen[one], seen[two])[:, None] * robust(off.norm(dim=1), 3.0)[:, None]
    normal.add(
        off.reshape(-1),
        (across / (BONE_SIGMA * sigma_scale)).flatten(0, 1),
        weight.expand(-1, 3).reshape(-1),
        normal.spans(view),
    )


@dataclass(frozen=True, eq=False)
class Lines:
    """Pairs of outline points: off (N,) px along normals (N, 2), distance (N,) px, weight (N,)."""

    off: Tensor
    normals: Tensor
    distance: Tensor
    weight: Tensor


def lines(normal: NormalEquations, view: int, image: Image, pairs: Lines, sigma_m: float, reach_m: float) -> None:
    """Outline points pulled on to the photo's outline along its normals; robust beyond ``reach_m``."""
    sigma = sigma_m * image.scale
    slopes = (image.slopes * pairs.normals[..., None]).sum(1) / sigma[:, None]
    weight = pairs.weight * robust(pairs.distance / image.scale, reach_m)
    normal.add(pairs.off / sigma, slopes, weight, normal.spans(view))


POSE_SIGMA = {
    **{"spine1": 0.10, "spine2": 0.10, "spine3": 0.10, "neck": 0.20, "head": 0.20, "collar": 0.12},
    **{"shoulder": 0.70, "elbow": 0.50, "wrist": 0.20, "hip": 0.45, "knee": 0.40, "ankle": 0.20, "foot": 0.08},
}
SPINE = (1.2, 2.0, 2.0)
TWIST = {"knee": (1.0, 0.25, 0.25), "elbow": (0.5, 1.6, 0.5), "spine1": SPINE, "spine2": SPINE, "spine3": SPINE}
"""Standard deviations in rad about the standing pose, and factors per axis: knees bend about x, elbows about y, and
the spine rather to the side (z), which a front view shows, than forward, which looks like another shape.
"""


@cache
def pose_sigma() -> Tensor:
    """Standard deviation (63,) rad of the pose angles."""
    rows = []
    for name in JOINT_NAMES[1:POSED]:
        key = name.split("_")[-1]
        rows.append([POSE_SIGMA[key] * factor for factor in TWIST.get(key, (1, 1, 1))])
    return torch.tensor(rows, dtype=DOUBLE).reshape(-1)


def pose_prior(normal: NormalEquations, state: State, rest: Tensor, strength: float) -> None:
    """Every view's pose near ``rest`` (55, 3); ``strength`` > 1 while the camera is still unknown."""
    for number, view in enumerate(state.views):
        off = (view.pose - rest)[1:POSED].reshape(-1).double()
        normal.add_diagonal(off, pose_sigma() / strength, normal.pose(number))
        _bending(normal, view.pose, normal.pose(number).start)


BEND = {("left_knee", 0): 1.0, ("right_knee", 0): 1.0, ("left_elbow", 1): -1.0, ("right_elbow", 1): 1.0}
BEND_SIGMA = 0.06


def _bending(normal: NormalEquations, pose: Tensor, start: int) -> None:
    """Knees and elbows do not bend backwards; the pose's columns begin at ``start``."""
    for (joint, axis), sign in BEND.items():
        index = JOINT_NAMES.index(joint)
        angle = sign * float(pose[index, axis])
        if angle < 0:
            at = start + (index - 1) * 3 + axis
            off = torch.tensor([sign * angle], dtype=DOUBLE)
            normal.add_diagonal(off, torch.tensor([BEND_SIGMA], dtype=DOUBLE), slice(at, at + 1))


TIE = {"shoulder": 0.35, "elbow": 0.35, "wrist": 0.2, "collar": 0.08, "neck": 0.12, "head": 0.12}
TIE_ELSE = 0.06


@cache
def tie_sigma() -> Tensor:
    """How much each joint (21,) may differ between two photos, rad."""
    return torch.tensor([TIE.get(name.split("_")[-1], TIE_ELSE) for name in JOINT_NAMES[1:POSED]], dtype=DOUBLE)


def tie(normal: NormalEquations, state: State) -> None:
    """People move between two photos: arms a lot, the rest little."""
    if len(state.views) < 2:
        return
    sigma = tie_sigma().repeat_interleave(3)
    off = (state.views[1].pose - state.views[0].pose)[1:POSED].reshape(-1).double()
    eye = torch.eye(POSE, dtype=DOUBLE) / sigma[:, None]
    normal.add(
        off / sigma, torch.cat([-eye, eye], 1), torch.ones(POSE, dtype=DOUBLE), (normal.pose(0), normal.pose(1))
    )


FOCAL_SIGMA = {"exif": 0.02, "assumed": 0.15}
TILT_SIGMA = 0.20


def camera_prior(normal: NormalEquations, number: int, state: State, focal_px: float, source: str) -> None:
    """The focal length near its guess; the body upright in the picture, mildly."""
    view, span = state.views[number], normal.spans(number)[1]
    off = view.log_focal.double().reshape(1) - np.log(focal_px)
    zoom = slice(span.start + CAMERA - 1, span.start + CAMERA)
    normal.add_diagonal(off, torch.tensor([FOCAL_SIGMA[source]], dtype=DOUBLE), zoom)
    up = view.rotation[:, 1].double()  # the body's up in camera axes; (0, -1, 0) when upright
    lean = torch.stack([up[2], up[0]])
    slopes = torch.zeros(2, PER_VIEW, dtype=DOUBLE)
    slopes[0, 0], slopes[0, 1] = up[1], -up[0]
    slopes[1, 1], slopes[1, 2] = up[2], -up[1]
    normal.add(lean / TILT_SIGMA, slopes / TILT_SIGMA, torch.ones(2, dtype=DOUBLE), (span,))


def shape_prior(normal: NormalEquations, state: State, prior) -> None:
    """The shape near the population."""
    off = state.betas.double() - prior.mean
    s = slice(0, normal.shapes)
    normal.h[s, s] += prior.precision
    normal.g[s] += prior.precision @ off
    normal.energy += float(off @ prior.precision @ off)
