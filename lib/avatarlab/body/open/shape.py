"""The shape space: whitened principal components of bodies matched to measured people, with a prior per sex."""

from dataclasses import dataclass

import numpy as np

COMPONENTS = 48
JOINTS = 55
JOINT_WEIGHT = 15.0
"""A joint's miss moves a whole limb: it counts as 225 vertices when components are chosen."""
SEXES = ("male", "female")


@dataclass(frozen=True)
class SexPrior:
    """Gaussian of the components of one sex: mean (48,) and covariance (48, 48)."""

    mean: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class ShapeSpace:
    """``mean`` (D,) and ``basis`` (D, 48), D = 3 (V + 55): skin vertices then joints in the T-pose, metres; ``residual``
    the rms vertex distance in metres of the bodies learned from."""

    mean: np.ndarray
    basis: np.ndarray
    residual: float

    def scores(self, points: np.ndarray) -> np.ndarray:
        """Return the components (N, 48) of bodies (N, V + 55, 3)."""
        weight = metric(self.mean.size)
        seen = self.basis * weight[:, None]
        return (points.reshape(len(points), -1) - self.mean) * weight @ seen / np.square(seen).sum(0)


def metric(size: int) -> np.ndarray:
    """Return the weight (D,) of each coordinate in the distance between bodies: 1 on skin, JOINT_WEIGHT at joints."""
    weight = np.ones(size)
    weight[-3 * JOINTS :] = JOINT_WEIGHT
    return weight


def learn(points: np.ndarray) -> ShapeSpace:
    """Return the 48 leading principal components of T-pose bodies (N, V + 55, 3), pelvis at the origin, metres."""
    flat = points.reshape(len(points), -1).astype(np.float64)
    mean = flat.mean(0)
    weight = metric(mean.size)
    centred = (flat - mean) * weight
    # The Gram matrix is N x N: cheaper than the covariance of 41,000 coordinates, and the same components.
    values, vectors = np.linalg.eigh(centred @ centred.T / len(flat))
    keep = np.argsort(values)[::-1][:COMPONENTS]
    basis = centred.T @ vectors[:, keep] / np.sqrt(len(flat)) / weight[:, None]
    space = ShapeSpace(mean, basis, 0.0)
    left = (flat - mean - space.scores(points) @ basis.T).reshape(points.shape)
    return ShapeSpace(mean, basis, float(np.sqrt(np.square(left).sum(2).mean())))


def prior(scores: np.ndarray, measures: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> SexPrior:
    """Return the prior of one sex from matched bodies: scores (N, 48) regressed on their measures (N, K).

    The bodies over-sample the tails; what the population says of the measures, ``mean`` (K,) and ``covariance``
    (K, K), is carried through the regression, and what the measures leave open stays as the bodies show it.
    """
    design = np.column_stack([np.ones(len(measures)), measures - mean])
    weights, *_ = np.linalg.lstsq(design, scores, rcond=None)
    residual = scores - design @ weights
    open_ = residual.T @ residual / (len(scores) - design.shape[1])
    return SexPrior(weights[0], weights[1:].T @ covariance @ weights[1:] + open_)


def whiten(space: ShapeSpace, priors: dict[str, SexPrior]) -> tuple[ShapeSpace, dict[str, SexPrior]]:
    """Re-express space and priors so that both sexes together have zero mean and unit covariance.

    Components stay orthogonal and are sorted by the vertex distance of one standard deviation; signs are fixed by
    ``signs``, so that every machine makes the same components from the same bodies.
    """
    pooled = np.mean([p.mean for p in priors.values()], 0)
    between = np.mean([np.outer(p.mean - pooled, p.mean - pooled) for p in priors.values()], 0)
    root = np.linalg.cholesky(np.mean([p.covariance for p in priors.values()], 0) + between)
    seen = space.basis @ root * metric(space.mean.size)[:, None]
    values, turn = np.linalg.eigh(seen.T @ seen)
    turn = turn[:, np.argsort(values)[::-1]]
    turn = turn * signs(space.basis @ root @ turn)
    map_ = np.linalg.inv(root @ turn)
    white = {sex: SexPrior(map_ @ (p.mean - pooled), map_ @ p.covariance @ map_.T) for sex, p in priors.items()}
    return ShapeSpace(space.mean + space.basis @ pooled, space.basis @ root @ turn, space.residual), white


def signs(basis: np.ndarray) -> np.ndarray:
    """Return +1 or -1 (S,) per component of a basis (D, S): that which makes the sum of cubes of its y and z positive.

    The largest entry would not do: left and right sides mirror each other, so x has two of opposite signs.
    """
    upright = basis.reshape(-1, 3, basis.shape[1])[:, 1:]
    return np.where((upright**3).sum((0, 1)) < 0, -1.0, 1.0)
