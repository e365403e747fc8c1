"""The shape's prior, and the stature that holds exactly: linear in the components, projected after every step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.body import Body, poses
from avatarlab.body.jacobians import Jacobians
from avatarlab.measure.anchors import topology

JITTER = 1e-4
EXACT_M = 2e-6


class Stature:
    """Stature of a body in the standing pose: HEAD_TOP over the lowest point of the soles (as measure's ``ansur``).

    The pose is fixed, so every height is linear in the shape: one small matrix stands for the body.
    """

    def __init__(self, body: Body):
        chosen = torch.cat([torch.tensor([body.landmarks["HEAD_TOP"]]), topology(body).soles])
        shapes = len(body.shape_prior()[0])
        still = Jacobians(body, shapes, range(1, 2), chosen).at(torch.zeros(shapes), poses.standing())
        self.heights = still.vertices[:, 1].double()
        self.slopes = still.vertex_slopes(torch.arange(len(chosen)))[0][:, 1].double()

    def __call__(self, betas: Tensor) -> Tensor:
        """betas (S,) -> stature () in metres, float64, differentiable."""
        height = self.heights + self.slopes[:, : len(betas)] @ betas.double()
        return height[0] - height[1:].amin()

    def slope(self, betas: Tensor) -> tuple[float, Tensor]:
        """(stature m, its slope (S,) float64 in m per component) at betas."""
        slopes = self.slopes[:, : len(betas)]
        height = self.heights + slopes @ betas.detach().double()
        lowest = 1 + int(height[1:].argmin())
        return float(height[0] - height[lowest]), slopes[0] - slopes[lowest]


@dataclass(frozen=True, eq=False)
class ShapePrior:
    """A Gaussian over the shape components: mean (S,), covariance (S, S) and its inverse, float64."""

    mean: Tensor
    covariance: Tensor
    precision: Tensor

    def distance(self, betas: Tensor) -> float:
        """Mahalanobis distance of betas (S,)."""
        off = betas.double() - self.mean
        return float((off @ self.precision @ off).clamp_min(0).sqrt())


def prior(body: Body, sex: str) -> ShapePrior:
    """The body file's prior for a sex, with a little jitter where it is flat."""
    mean, covariance = (x.double() for x in body.shape_prior(sex))
    covariance = covariance + JITTER * torch.eye(len(mean), dtype=torch.float64)
    return ShapePrior(mean, covariance, torch.linalg.inv(covariance))


def to_stature(betas: Tensor, stature: Stature, stature_m: float, covariance: Tensor) -> Tensor:
    """betas (S,) moved, as little as ``covariance`` allows, to the exact stature (2 micrometres)."""
    for _ in range(12):
        value, slope = stature.slope(betas)
        if abs(value - stature_m) < EXACT_M:
            break
        along = covariance @ slope
        betas = betas + (along * (stature_m - value) / (slope @ along)).to(betas.dtype)
    return betas


def condition_on_stature(covariance: Tensor, slope: Tensor) -> Tensor:
    """Covariance (S, S) of the shape once its stature, of ``slope`` (S,), is known exactly."""
    along = covariance @ slope
    return covariance - torch.outer(along, along) / (slope @ along)
