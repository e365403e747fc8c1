"""The line from which the network sets out: ridge regression from widths, keypoints and what is told."""

import numpy as np
import torch
from torch import Tensor

from avatarlab.fit.regressor.data import Batch, drop_views, regressor_input
from avatarlab.fit.regressor.encoding import GIVEN
from avatarlab.fit.regressor.model import PATTERNS, Regressor, as_numbers, design, plain_numbers, sight_design

RIDGE = 0.07
"""Of the number of people, on features of unit variance."""
FREEDOM = 0.01
"""What the ridge weighs on stature, weight and sex, of what it weighs on pictures."""
SHOWN = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
TELLINGS = 4
"""Each person is told of so many times, with weight and sex left out by chance."""


def fit_linear_init(network: Regressor, people: Batch, seed: int) -> None:
    """Set the network's typical tapes and its lines, of every pattern of views and of every view, from people photographed twice."""
    network.typical_um.copy_((1e6 * people.shapes.tapes_m.mean(0)).round())
    true = network.numbers(people.shapes.betas, people.shapes.tapes_m)
    for number in range(PATTERNS):
        rows = torch.cat([_told(people, number, (seed, 3, k)) for k in range(TELLINGS)])
        network.line[number] = solved(rows, true.repeat(TELLINGS, 1), RIDGE * len(rows))
        network.line_log_variance[number] = _spread(rows, true.repeat(TELLINGS, 1))
    both = torch.ones(len(true), 2)
    plain = sight_design(plain_numbers(regressor_input(people, both, both[:, 0], both[:, 0])))
    for slot, target in enumerate(as_numbers(people.views).unbind(1)):
        network.view_line[slot] = solved(plain[:, slot], target, RIDGE * len(target), inputs=1)


def _told(people: Batch, number: int, seed: tuple[int, ...]) -> Tensor:
    """What the line of a pattern is drawn through (N, D)."""
    inputs = drop_views(people, np.random.default_rng(seed))
    shown = inputs._replace(present=torch.tensor(SHOWN[number]).expand(len(inputs.present), 2))
    whole = regressor_input(
        people, shown.present, torch.zeros(len(inputs.present)), torch.zeros(len(inputs.present))
    )
    return design(plain_numbers(whole), inputs.given)


def solved(rows: Tensor, true: Tensor, ridge: float, inputs: int = GIVEN) -> Tensor:
    """rows (N, D), the first column 1, true (N, K) -> (D, K) by ridge regression on columns of mean 0 and variance 1.

    The constant is free, and what is told of the person (the first ``inputs`` columns) nearly so: it is exact.
    """
    middle, scale = rows.double().mean(0), rows.double().std(0).clamp_min(1e-3)
    even = (rows.double() - middle)[:, 1:] / scale[1:]
    pull = ridge * torch.where(torch.arange(1, rows.shape[1]) < inputs, FREEDOM, 1.0).double()
    mean = true.double().mean(0)
    slopes = (
        torch.linalg.solve(even.T @ even + torch.diag(pull), even.T @ (true.double() - mean)) / scale[1:, None]
    )
    return torch.cat([(mean - middle[1:] @ slopes)[None], slopes]).float()


def _spread(rows: Tensor, true: Tensor) -> Tensor:
    """Logarithm of what a line leaves unsaid (K,), learned on one half and seen on the other."""
    half = torch.arange(len(rows)) % 2 == 0
    left = true[~half] - rows[~half] @ solved(rows[half], true[half], RIDGE * int(half.sum()))
    return left.square().mean(0).clamp_min(1e-4).log()
