"""The last move: the body changed as little as its certainty allows until its tapes read what the report says.

A standing body is linear in its components, so Gauss-Newton needs no body but one table per body file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.fit.estimator.shape import Stature, to_stature
from avatarlab.measure import MEASURES, tapes
from avatarlab.measure.match import slopes, standing

DOUBLE = torch.float64
STEPS = 6
GIRTH_SLACK_M, LENGTH_SLACK_M, STATURE_SLACK_M = 0.0003, 0.001, 0.00002
"""What a tape may stay short of (m) rather than bend the body further."""
LENGTHS = ("shoulder_to_crotch", "arm_length", "inside_leg", "shoulder_breadth")
ENOUGH_M = 0.0002


@dataclass(frozen=True, eq=False)
class Tapes:
    """The 16 tapes (16,) m of one body in MEASURES' order and their slopes (16, S) m per component, float64."""

    value: Tensor
    slope: Tensor


def tapes_of(body: Body, betas: Tensor) -> Tapes:
    """Measure a body with betas (S,) and how each component changes each tape."""
    known = standing(body, len(betas))
    vertices = known.vertices(betas.detach().float()).requires_grad_()
    values = list(tapes(body, vertices).values())
    slope = slopes(values, vertices, known.modes)[0]
    return Tapes(torch.cat(values).detach().double(), slope.double())


def tape_std_m(slope: Tensor, covariance: Tensor) -> Tensor:
    """Standard deviation (16,) m of tapes with slopes (16, S), for a shape of covariance (S, S), to first order."""
    return ((slope @ covariance) * slope).sum(1).clamp_min(0).sqrt()


@dataclass(frozen=True, eq=False)
class Projection:
    """The moved betas (S,), their covariance (S, S) that agrees with the tapes', and off_m: tape -> m still missing."""

    betas: Tensor
    covariance: Tensor
    off_m: dict[str, float]


def project(
    body: Body,
    betas: Tensor,
    covariance: Tensor,
    target_m: Mapping[str, float],
    tape_covariance: Tensor | None = None,
) -> Projection:
    """Move betas (S,) as little as ``covariance`` (S, S) allows until the mesh's tapes are ``target_m`` (all 16, m).

    Least squares of the Mahalanobis distance moved and of what the tapes miss in units of their slack; the stature
    ends exact. ``tape_covariance`` (16, 16) m^2 is the tapes' covariance afterwards (None: none); directions that no tape sees
    keep theirs.
    """
    aim = torch.tensor([target_m[name] for name in MEASURES], dtype=DOUBLE)
    slack = torch.diag(torch.tensor([_slack(name) for name in MEASURES], dtype=DOUBLE) ** 2)
    start, here = betas.double(), betas.double()
    for _ in range(STEPS):
        seen = tapes_of(body, here)
        if (seen.value - aim).abs().max() < ENOUGH_M:
            break
        gain = covariance @ seen.slope.T
        here = start + gain @ torch.linalg.solve(
            seen.slope @ gain + slack, aim - seen.value + seen.slope @ (here - start)
        )
    moved = to_stature(here.float(), Stature(body), float(target_m["stature"]), covariance)
    seen = tapes_of(body, moved)
    off = dict(zip(MEASURES, (seen.value - aim).tolist(), strict=True))
    return Projection(moved, conditional_covariance(covariance, seen.slope, tape_covariance), off)


def _slack(name: str) -> float:
    return STATURE_SLACK_M if name == "stature" else LENGTH_SLACK_M if name in LENGTHS else GIRTH_SLACK_M


def conditional_covariance(covariance: Tensor, slope: Tensor, tape_covariance: Tensor | None) -> Tensor:
    """The covariance (S, S) once tapes of ``slope`` (T, S) have the covariance ``tape_covariance`` (T, T) m^2 (Jeffrey's rule)."""
    gain = covariance @ slope.T
    total = slope @ gain + (1e-5**2) * torch.eye(len(slope), dtype=DOUBLE)
    back = torch.linalg.solve(total, gain.T).T
    tape_covariance = torch.zeros_like(total) if tape_covariance is None else tape_covariance
    after = covariance - back @ (total - tape_covariance) @ back.T
    return (after + after.T) / 2
