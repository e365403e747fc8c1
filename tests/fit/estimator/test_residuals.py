"""The Gauss-Newton system against the plain sum over all columns."""

import torch

from avatarlab.fit.estimator.residuals import DOUBLE, NormalEquations
from avatarlab.fit.estimator.state import PER_VIEW


def test_blocks_add_up_to_the_whole_system():
    chance, shapes, views = torch.Generator().manual_seed(1), 5, 2
    normal = NormalEquations(shapes, views)
    whole_h, whole_g, energy = torch.zeros_like(normal.h), torch.zeros_like(normal.g), 0.0
    for view in (0, 1, 1):
        slopes = torch.randn(9, shapes + PER_VIEW, generator=chance, dtype=DOUBLE)
        residual, weight = (
            torch.randn(9, generator=chance, dtype=DOUBLE),
            torch.rand(9, generator=chance, dtype=DOUBLE),
        )
        normal.add(residual, slopes, weight, normal.spans(view))
        full = torch.zeros(9, shapes + views * PER_VIEW, dtype=DOUBLE)
        full[:, :shapes] = slopes[:, :shapes]
        full[:, shapes + view * PER_VIEW :][:, :PER_VIEW] = slopes[:, shapes:]
        whole_h += full.T @ (weight[:, None] * full)
        whole_g += full.T @ (weight * residual)
        energy += float((weight * residual.square()).sum())
    assert torch.allclose(normal.h, whole_h) and torch.allclose(normal.g, whole_g)
    assert abs(normal.energy - energy) < 1e-9


def test_a_diagonal_is_the_same_as_unit_slopes():
    off, sigma = torch.tensor([0.3, -0.1], dtype=DOUBLE), torch.tensor([0.2, 0.5], dtype=DOUBLE)
    one, two = NormalEquations(3, 1), NormalEquations(3, 1)
    pose = one.pose(0)
    span = slice(pose.start, pose.start + 2)
    one.add_diagonal(off, sigma, span)
    two.add(off / sigma, torch.diag(1 / sigma), torch.ones(2, dtype=DOUBLE), (span,))
    assert torch.allclose(one.h, two.h) and torch.allclose(one.g, two.g) and abs(one.energy - two.energy) < 1e-12
    assert pose.stop == len(one.g)
