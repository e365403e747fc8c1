"""The shape space: whitened principal components of bodies matched to measured people, with a prior per sex."""

from dataclasses import dataclass

import numpy as np

COMPONENTS = 48


@dataclass(frozen=True)
class ShapeSpace:
    """``mean`` (D,) and ``basis`` (D, 48) with D = 3 (V + 55): vertices then joints, metres, per standard deviation;
    ``scores`` (N, 48) of the bodies learned from; ``residual`` their rms vertex distance in metres."""

    mean: np.ndarray
    basis: np.ndarray
    scores: np.ndarray
    residual: float


def learn(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray) -> ShapeSpace:
    """Learn the space from N T-pose bodies, pelvis at the origin: vertices (N, V, 3), joints (N, 55, 3), metres.

    ``weights`` (N,) say how many people each body stands for. Components have unit variance over the weighted
    people; their signs are fixed (largest entry positive), so equal input gives equal files.
    """
    flat = np.concatenate([vertices, joints], 1).reshape(len(vertices), -1).astype(np.float64)
    share = weights / weights.sum()
    mean = share @ flat
    centred = flat - mean
    # The Gram matrix is N x N: cheaper than the covariance of 41,000 coordinates, and the same components.
    scaled = centred * np.sqrt(share)[:, None]
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    keep = np.argsort(values)[::-1][:COMPONENTS]
    directions = scaled.T @ (vectors[:, keep] / np.sqrt(values[keep]))
    signs = np.sign(directions[np.abs(directions).argmax(0), np.arange(COMPONENTS)])
    basis = directions * signs * np.sqrt(values[keep])
    scores = centred @ (directions * signs) / np.sqrt(values[keep])
    left = np.linalg.norm((centred - scores @ basis.T).reshape(len(flat), -1, 3), axis=2)
    return ShapeSpace(mean, basis, scores, float(np.sqrt((left**2).mean())))
