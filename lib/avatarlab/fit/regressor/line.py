"""The line from which the network sets out: ridge regression from widths, keypoints and what is told."""

import numpy as np
import torch
from torch import Tensor

from avatarlab.fit.regressor.network import PATTERNS, Regressor, design, plain_numbers
from avatarlab.fit.regressor.sampling import Batch, partly_seen, seen

RIDGE = 0.07
"""Of the number of people, on features of unit variance."""
SHOWN = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
TELLINGS = 4
"""Each person is told of so many times, with weight and sex left out by chance."""


def fit_line(network: Regressor, people: Batch, seed: int) -> None:
    """Set the network's typical tapes and its line of every pattern of views from people photographed twice."""
    network.typical_um.copy_((1e6 * people.shapes.tapes_m.mean(0)).round())
    true = network.numbers(people.shapes.betas, people.shapes.tapes_m)
    for number in range(PATTERNS):
        rows = torch.cat([_told(people, number, (seed, 3, k)) for k in range(TELLINGS)])
        network.line[number] = solved(rows, true.repeat(TELLINGS, 1), RIDGE * len(rows))
        network.line_log_variance[number] = _spread(rows, true.repeat(TELLINGS, 1))


def _told(people: Batch, number: int, seed: tuple[int, ...]) -> Tensor:
    """What the line of a pattern is drawn through (N, D)."""
    told = partly_seen(people, np.random.default_rng(seed))
    shown = told._replace(present=torch.tensor(SHOWN[number]).expand(len(told.present), 2))
    whole = seen(people, shown.present, torch.zeros(len(told.present)), torch.zeros(len(told.present)))
    return design(plain_numbers(whole), told.given)


def solved(rows: Tensor, true: Tensor, ridge: float) -> Tensor:
    """rows (N, D), true (N, K) -> (D, K) by ridge regression on columns brought to unit variance, the first kept free."""
    scale = rows.double().std(0).clamp_min(1e-3)
    scale[0] = 1e3
    even = rows.double() / scale
    middle = even.mean(0)
    middle[0] = 0.0
    even = even - middle
    gram = even.T @ even + ridge * torch.eye(even.shape[1], dtype=torch.float64)
    gram[0, 0] += 1e-9 - ridge
    found = torch.linalg.solve(gram, even.T @ true.double())
    free = found / scale[:, None]
    free[0] -= (middle[:, None] * found).sum(0)
    return free.float()


def _spread(rows: Tensor, true: Tensor) -> Tensor:
    """Logarithm of what a line leaves unsaid (K,), learned on one half and seen on the other."""
    half = torch.arange(len(rows)) % 2 == 0
    left = true[~half] - rows[~half] @ solved(rows[half], true[half], RIDGE * int(half.sum()))
    return left.square().mean(0).clamp_min(1e-4).log()
