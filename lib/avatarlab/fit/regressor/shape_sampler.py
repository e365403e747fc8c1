"""Who is made up for training: shapes between and about the train participants, and from the body's own prior."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatarlab.body import Body, poses
from avatarlab.fit.regressor.encoding import SEX_CODE
from avatarlab.fit.regressor.extended_shapes import ExtendedShapes
from avatarlab.measure import MEASURES, tapes
from avatarlab.measure.volume import weight_kg

SEXES = ("female", "male")
PEOPLE_SHARE = 0.5
TAIL_SPREAD, JITTER = 1.15, 0.15
"""The prior's draws are strewn wider than the population by the one; mixtures of participants move about by the other."""


class Shapes(NamedTuple):
    """N people: betas (N, S), sex (N,) of SEX_CODE, stature_m (N,), weight_kg (N,) by volume, tapes_m (N, 16)."""

    betas: Tensor
    sex: Tensor
    stature_m: Tensor
    weight_kg: Tensor
    tapes_m: Tensor


class ShapeSampler:
    """Draws people about ``wide``: half are mixtures of its participants, half draws from the body's prior."""

    def __init__(self, wide: ExtendedShapes):
        self.wide, self.body = wide, wide.body
        self.roots = {sex: _root(self.body, sex) for sex in SEXES}

    def __call__(self, chance: np.random.Generator, count: int) -> Shapes:
        """Draw ``count`` people."""
        drawn = [self._one(chance) for _ in range(count)]
        betas = torch.from_numpy(np.stack([one[0] for one in drawn])).float()
        return self.described(betas, torch.tensor([one[1] for one in drawn]))

    def described(self, betas: Tensor, sex: Tensor) -> Shapes:
        """betas (N, S), sex (N,) -> people with the stature, weight and tapes that the standing body has."""
        with torch.no_grad():
            standing = self.body(betas=betas, pose=poses.standing()).vertices
            read = tapes(self.body, standing)
            weight = weight_kg(self.body, standing)
        return Shapes(betas, sex, read["stature"], weight, torch.stack([read[name] for name in MEASURES], 1))

    def _one(self, chance: np.random.Generator) -> tuple[np.ndarray, float]:
        if len(self.wide.betas) and chance.random() < PEOPLE_SHARE:
            return self._mixture(chance)
        sex = SEXES[int(chance.integers(2))]
        mean, root = self.roots[sex]
        known = mean + TAIL_SPREAD * root @ chance.standard_normal(len(mean))
        return np.concatenate([known, chance.standard_normal(self.wide.further)]), SEX_CODE[sex]

    def _mixture(self, chance: np.random.Generator) -> tuple[np.ndarray, float]:
        """A participant turned towards another of that sex about their mean, which keeps the spread, and moved a bit."""
        betas, sexes = self.wide.betas, self.wide.sexes
        first = int(chance.integers(len(betas)))
        fellows = betas[sexes == sexes[first]].numpy()
        other, middle = fellows[int(chance.integers(len(fellows)))], fellows.mean(0)
        angle = chance.uniform(0, np.pi / 4)
        mixed = np.cos(angle) * (betas[first].numpy() - middle) + np.sin(angle) * (other - middle)
        return middle + mixed + JITTER * chance.standard_normal(len(middle)), float(sexes[first])


def _root(body: Body, sex: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean (S,) and Cholesky's factor (S, S) of the prior's covariance: unique, unlike eigenvectors."""
    mean, covariance = (x.double().numpy() for x in body.shape_prior(sex))
    return mean, np.linalg.cholesky(covariance)
