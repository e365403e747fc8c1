"""The one interface of outside regressors, and what all of them need: whom they mean, and their camera in our terms.

None of their weights are ours or free for every use; see docs/licensed.md for where files go and under what licence.
None was run here with its real weights: what they return is known from their code, and tested on stand-ins.
"""

import logging
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from avatarlab.body import poses
from avatarlab.core.errors import InputError
from avatarlab.fit.estimator.state import POSED, ViewState
from avatarlab.fit.estimator.target import target
from avatarlab.fit.regressor.predict import Guess
from avatarlab.photo import Observation, Photo, observe

log = logging.getLogger(__name__)

DEPTHS_M = (0.3, 60.0)
"""Where a person who is photographed may stand; millimetres taken for metres lie far beyond."""


class ExternalRegressor(Protocol):
    """What an outside network looks like from here."""

    def __call__(self, photo: Photo, view: str = "auto") -> tuple[Observation, Guess | None]:
        """What the photo shows (the outline is always ours), and a guess of one view, or None if it saw nobody there.

        The guess' view is in the pixels of ``target(observation)``; InputError where there is nobody at all.
        """


def looked(
    photos: Mapping[str, Photo], regressor: ExternalRegressor | None = None, clothes: str = "any"
) -> tuple[dict[str, Observation], Guess | None]:
    """What the photos of one person, by view, show, and the regressor's guess (None: ``fit`` shall choose)."""
    if regressor is None:
        return {view: observe(photo, view).worn(clothes) for view, photo in photos.items()}, None
    found = {view: regressor(photo, view) for view, photo in photos.items()}
    return {view: seen.worn(clothes) for view, (seen, _) in found.items()}, together(
        [guess for _, guess in found.values()]
    )


def together(guesses: list[Guess | None]) -> Guess | None:
    """One guess of several photos of a person: their mean shape if all have one; None where a photo has none."""
    if not guesses or any(guess is None for guess in guesses):
        return None
    shapes = [guess.betas for guess in guesses]
    betas = None if any(shape is None for shape in shapes) else torch.stack(shapes).mean(0)
    return Guess(betas, None, tuple(view for guess in guesses for view in guess.views))


def view_state(seen: Observation, rotation: Tensor, pelvis_m: Tensor, pose: Tensor) -> ViewState | None:
    """A view of the target: rotation (3, 3) and pelvis (3,) m in OpenCV camera axes, pose (>= 22, 3) rad, SMPL-X order.

    Fingers, jaw and eyes keep the lab's pose, since the search leaves them; None if the pelvis is nowhere sensible.
    """
    numbers = torch.cat([rotation.flatten(), pelvis_m.flatten(), pose[:POSED].flatten()]).float()
    if not bool(torch.isfinite(numbers).all()) or not DEPTHS_M[0] < float(pelvis_m[2]) < DEPTHS_M[1]:
        log.warning(
            "%s: the outside guess is %s m away, which is no place for a person", seen.name, pelvis_m.tolist()
        )
        return None
    whole = poses.standing()
    whole[1:POSED] = pose[1:POSED].float()
    focal = torch.tensor(seen.focal_px * target(seen).factor).log().float()
    return ViewState(rotation.float(), pelvis_m.float(), focal, whole)


def box(seen: Observation) -> np.ndarray:
    """The person's box (4,) px: left, top, width, height of the mask."""
    rows, columns = np.nonzero(seen.mask.any(1))[0], np.nonzero(seen.mask.any(0))[0]
    if not len(rows):
        raise InputError(f"{seen.name}: no person's outline was found.")
    return np.array([columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1], float)
