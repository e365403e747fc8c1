"""A shape said by vertices, not by components, so that it survives a body file made anew.

Principal components may change their signs, and turn among themselves, from one machine to the next; the mesh they
span does not. The weights carry where some vertices are on the mean body and how each component moves them.
"""

import torch
from torch import Tensor

from avatarlab.body import Body

COUNT = 600
UNIT = 1e-6
"""Places are kept as whole micrometres: float16 would lose half a millimetre."""
TOLERANCE_M = 2e-3
"""Rms distance of the mean bodies, beyond which the body is another one."""


def chosen(body: Body, count: int = COUNT) -> Tensor:
    """Vertex numbers (count,) spread evenly over the skin's list."""
    return torch.linspace(0, body.skin_count - 1, count).long()


def places(body: Body, vertices: Tensor, shapes: int) -> tuple[Tensor, Tensor]:
    """T-pose vertices (K,) about the pelvis: mean body (K, 3) and its change per component (S, K, 3), float64 m."""
    with torch.no_grad():
        betas = torch.cat([torch.zeros(1, shapes), torch.eye(shapes)])
        posed = body(betas=betas, vertices=vertices)
    about = (posed.vertices - posed.joints[:, :1]).double()
    return about[0], about[1:] - about[0]


def packed(body: Body, shapes: int) -> dict[str, Tensor]:
    """What the weights carry: vertex numbers, and mean and directions in whole micrometres."""
    vertices = chosen(body)
    mean, directions = places(body, vertices, shapes)
    whole = {"anchor_mean": mean, "anchor_directions": directions}
    return {"anchor_vertices": vertices} | {name: (x / UNIT).round().int() for name, x in whole.items()}


def translation(body: Body, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor] | None:
    """(A (S, S), b (S,)) with betas of ``body`` = A @ betas of the weights + b, by least squares over the anchors.

    None where ``body`` is another one: other vertices, other proportions, or no shape prior of that size.
    """
    vertices, shapes = tensors["anchor_vertices"], len(tensors["anchor_directions"])
    if int(vertices.max()) >= body.skin_count or len(body.shape_prior()[0]) != shapes:
        return None
    mean, directions = places(body, vertices, shapes)
    theirs = tensors["anchor_mean"].double() * UNIT
    if (theirs - mean).square().sum(-1).mean().sqrt() > TOLERANCE_M:
        return None
    basis = directions.flatten(1).T
    wanted = tensors["anchor_directions"].double().flatten(1).T * UNIT
    solved = torch.linalg.lstsq(basis, torch.cat([wanted, (theirs - mean).flatten()[:, None]], 1)).solution
    return solved[:, :shapes].float(), solved[:, shapes].float()
