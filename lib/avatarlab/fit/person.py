"""``fit_person``: photos of one person and what is told of them in, the fitted person out; how everybody is fitted here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit import external
from avatarlab.fit.estimator.map_estimate import REACHES_M
from avatarlab.fit.fitting import FitResult, Progress, fit, replaced
from avatarlab.fit.regressor.predict import Guess
from avatarlab.photo import Observation, Photo, decode
from avatarlab.render import Camera


@dataclass(frozen=True, eq=False)
class PersonPhotos:
    """Photos of one person by view, and what they show; ``nobody``: why they show no one, of whom there is then nothing.

    ``guess``: where an outside regressor would begin, None: ``fit`` shall choose.
    """

    photos: Mapping[str, Photo]
    observations: Mapping[str, Observation]
    guess: Guess | None = None
    nobody: str | None = None


@dataclass(frozen=True, eq=False)
class FittedPerson:
    """What was told, photographed and observed of one person, by view, and the body fitted to it."""

    subject: Subject
    look: PersonPhotos
    result: FitResult

    def views(self) -> Iterator[tuple[str, Photo, Observation, Tensor, Camera]]:
        """(view, photo, observation, pose, camera) of each photo that a body was fitted to; none of a placeholder."""
        seen, result = self.look.observations, self.result
        for (view, observation), pose, camera in zip(seen.items(), result.poses, result.cameras, strict=False):
            yield view, self.look.photos[view], observation, pose, camera


def look_at(
    photos: Mapping[str, Photo | str | Path],
    clothes: str = "any",
    regressor: external.ExternalRegressor | None = None,
    on_failure: str = "fail",
) -> PersonPhotos:
    """Decode and observe photos by view; a path's file is called after its view, so that no sentence tells its name.

    InputError where a photo cannot be read or shows nobody; with ``on_failure="placeholder"`` the latter is no error.
    """
    opened = {v: p if isinstance(p, Photo) else decode(p, f"{v} photo") for v, p in photos.items()}
    try:
        return PersonPhotos(opened, *external.looked(opened, regressor, clothes))
    except InputError as error:
        if on_failure == "fail":
            raise
        return PersonPhotos(opened, {}, None, str(error))


def fit_person(
    photos: PersonPhotos | Mapping[str, Photo | str | Path],
    subject: Subject,
    body: Body,
    *,
    regressor: external.ExternalRegressor | None = None,
    seed: int = 7,
    on_failure: str = "fail",
    progress: Callable[[Progress], None] | None = None,
    steps: int = len(REACHES_M),
    weights: str = "pretrained",
) -> FittedPerson:
    """Fit one person to photos by view (front, side), or to what ``look_at`` saw in them; the rest as of ``fit``."""
    look = photos if isinstance(photos, PersonPhotos) else look_at(photos, subject.clothes, regressor, on_failure)
    if look.nobody:
        return FittedPerson(subject, look, replaced(body, subject, look.nobody))
    seen = tuple(look.observations.values())
    result = fit(seen, subject, body, seed, on_failure, progress, steps, look.guess, weights)
    return FittedPerson(subject, look, result)
