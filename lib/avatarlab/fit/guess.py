"""A first guess of shape, pose and camera, from which the search starts."""

from dataclasses import dataclass

from torch import Tensor

from avatarlab.fit.state import ViewState


@dataclass(frozen=True, eq=False)
class Guess:
    """betas (S,) or None where only pose and camera are guessed, their covariance (S, S) or None, a view per photo.

    Views are in the pixels of the targets (working size).
    """

    betas: Tensor | None
    covariance: Tensor | None
    views: tuple[ViewState, ...]
