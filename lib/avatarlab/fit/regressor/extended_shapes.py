"""A body with more shapes than the fitter's: what the train participants have beyond its components.

The participants of ``11_people`` are Anny's own bodies, which the 48 components only come near to. What they leave over
is taken back to the T-pose, its principal directions become further components, and the network is trained on people
drawn from all of them, so that it measures bodies that the fitter's shape space does not hold.
"""

import copy
from dataclasses import dataclass

import roma
import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.body.skinning import Offsets, Points
from avatarlab.fit.regressor.encoding import SEX_CODE
from avatarlab.synthetic import Participants
from avatarlab.synthetic.participant import Sighting

FURTHER = 40
"""Further components at most."""
SIGMA_M = 0.06
"""Standard deviation of a vertex' distance, counted as if independent, against the prior: 5 mm on a hundred patches."""

EVERY = 8
"""One vertex in so many is looked at."""


@dataclass(frozen=True, eq=False)
class ExtendedShapes:
    """``body`` has ``further`` more components than the body file's prior; betas (P, S + further) and sexes (P,) are
    the participants' (none: P = 0)."""

    body: Body
    further: int
    betas: Tensor
    sexes: Tensor


def extend_shapes(body: Body, people: Participants | None = None) -> ExtendedShapes:
    """The body with the participants' further components; without participants it stays as it is."""
    shapes = len(body.shape_prior()[0])
    if people is None or len(people) < 2:
        return ExtendedShapes(body, 0, torch.zeros(0, shapes), torch.zeros(0))
    seen = [person.shots["front"] for person in people]
    known = torch.stack([nearest(body, shot, person.sex) for shot, person in zip(seen, people, strict=True)])
    left = torch.stack([left_over(body, shot, betas) for shot, betas in zip(seen, known, strict=True)])
    mean, scores, directions = _principal(left.flatten(1))
    sexes = torch.tensor([SEX_CODE[person.sex] for person in people])
    wide = _with(body, mean.view(-1, 3), directions.view(len(directions), -1, 3), shapes)
    return ExtendedShapes(wide, len(directions), torch.cat([known, scores], 1), sexes)


def nearest(body: Body, shot: Sighting, sex: str) -> Tensor:
    """The likeliest betas (S,) of posed skin, given the prior of a sex."""
    mean, covariance = (x.double() for x in body.shape_prior(sex))
    few, sigma_m = torch.arange(0, body.skin_count, EVERY), SIGMA_M / EVERY**0.5
    with torch.no_grad():
        each = torch.cat([torch.zeros(1, len(mean)), torch.eye(len(mean))])
        posed = body(betas=each, pose=shot.pose, vertices=few)
    positions = (posed.vertices - posed.joints[:, :1]).double()
    slopes = (positions[1:] - positions[0]).flatten(1) / sigma_m
    off = (shot.vertices[few].double() - positions[0]).flatten() / sigma_m
    precision = torch.linalg.inv(covariance + 1e-4 * torch.eye(len(mean), dtype=torch.float64))
    return torch.linalg.solve(slopes @ slopes.T + precision, slopes @ off + precision @ mean).float()


def left_over(body: Body, shot: Sighting, betas: Tensor) -> Tensor:
    """What posed skin and joints are off the body of betas (S,), turned back to the T-pose: (V, 3) m, joints last."""
    with torch.no_grad():
        posed = body(betas=betas, pose=shot.pose)
        rotations = _turns(body, shot.pose)
    skin = body.skin_count
    off = shot.vertices - (posed.vertices[:skin] - posed.joints[0])
    joints = shot.joints - (posed.joints - posed.joints[0])
    blended = (body.weights @ rotations.flatten(1)).unflatten(1, (3, 3))
    return (torch.linalg.inv(blended) @ torch.cat([off, joints])[..., None])[..., 0]


def _turns(body: Body, pose: Tensor) -> Tensor:
    """World rotations (55, 3, 3) of the joints."""
    local = roma.rotvec_to_rotmat(pose)
    rotations = [local[0]]
    for joint, parent in enumerate(body.parents.tolist()[1:], start=1):
        rotations.append(rotations[parent] @ local[joint])
    return torch.stack(rotations)


def _principal(left: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """left (P, D) -> mean (D,), scores (P, K) of unit variance, directions (K, D)."""
    mean = left.mean(0)
    count = min(FURTHER, len(left) - 1)
    rows, values, columns = torch.linalg.svd(left - mean, full_matrices=False)
    scale = values[:count] / len(left) ** 0.5
    scores = rows[:, :count] * len(left) ** 0.5
    sign = torch.sign(columns[torch.arange(count), columns[:count].abs().argmax(1)])
    return mean, scores * sign, columns[:count] * (scale * sign)[:, None]


def _with(body: Body, mean: Tensor, directions: Tensor, shapes: int) -> Body:
    """A copy of the body whose template is moved by ``mean`` (V, 3) and whose components from ``shapes`` on are
    ``directions`` (K, V, 3); all others beyond are gone."""
    wide = copy.deepcopy(body)
    own = body._skin.points.shape.dense(shapes)
    matrix = torch.cat([own, directions.permute(0, 2, 1)])
    columns, everywhere = torch.arange(len(matrix)), torch.arange(len(body.template))
    shape = Offsets(columns, everywhere, matrix.contiguous(), len(body.template))
    points = Points((body._skin.points.template + mean.T).contiguous(), shape, body._skin.points.expression)
    wide.template = points.template.T.contiguous()
    wide._skin.points = points
    wide._joints = points.through(body.joint_regressor)
    wide._subsets = {}
    return wide
