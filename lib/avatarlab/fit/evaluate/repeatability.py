"""Repeatability: photographs of one person, each fitted alone, and how far apart their tapes are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from avatarlab import ROOT
from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.core.parallel import Outcome, outcomes
from avatarlab.core.subject import Subject
from avatarlab.fit.fitting import fit
from avatarlab.fit.overlays import overlay_body
from avatarlab.measure import measure
from avatarlab.photo import decode, observe

ONE_MAN = "ibm_yogait_*.jpg"
"""The ten photographs of one man: eight upright with the arms at various heights, one bent aside, one kneeling; two of
them are cut at crown or feet, and he wears two shirts."""
TALL_PX = 360


@dataclass(frozen=True, eq=False)
class Taken:
    """One photo: tapes in m of the body that is shipped and of the mesh before the posterior, and a picture of the fit."""

    name: str
    tapes_m: dict[str, float]
    mesh_m: dict[str, float]
    picture: np.ndarray


class Sitter(NamedTuple):
    """Who is in the photos, as far as it is assumed, and how he is fitted."""

    subject: Subject
    weights: str


def photographs(folder: str | Path, pattern: str = ONE_MAN) -> list[Path]:
    """The photos of the one man, sorted by name; none where the folder is absent."""
    return sorted(Path(folder).glob(pattern))


def fitted(models: tuple[Body, Sitter], path: str) -> Taken:
    """Fit one photo by itself; InputError where no body fits."""
    body, sitter = models
    photo = decode(path)
    seen = observe(photo)
    result = fit(seen, sitter.subject, body, weights=sitter.weights)
    person = result.person
    tapes = {name: cm / 100 for name, cm in measure(body, person, withhold=False).values().items()}
    picture = overlay_body(photo.rgb, seen.mask, body, person.betas(), result.poses[0], result.cameras[0])
    return Taken(Path(path).stem, tapes, dict(result.readings.value), _around(picture, seen.mask))


def _around(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The part of a picture (H, W, 3), perhaps enlarged, in which the mask's person is, TALL_PX high."""
    scale = picture.shape[0] / mask.shape[0]
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    top, bottom, left, right = (int(scale * edge) for edge in (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1))
    pad = int(0.03 * (bottom - top))
    part = picture[max(0, top - pad) : bottom + pad, max(0, left - pad) : right + pad]
    return cv2.resize(part, (TALL_PX * part.shape[1] // part.shape[0], TALL_PX), interpolation=cv2.INTER_AREA)


def ready(body_file: str | None, *sitter) -> tuple[Body, Sitter]:
    """Load what one process needs."""
    return Body.load(ROOT / body_file if body_file else None), Sitter(*sitter)


def repeated(
    paths: Sequence[Path],
    sitter: Sitter,
    body_file: str | None = None,
    workers: int | None = None,
    progress: Callable[[Outcome], None] | None = None,
) -> tuple[list[Taken], dict[str, str]]:
    """Fit every photo by itself; what was fitted, and name -> why not."""
    taken, refused = [], {}
    work = outcomes(fitted, [str(path) for path in paths], workers, ready, (body_file, *sitter))
    for outcome in work:
        if outcome.error:
            refused[Path(paths[outcome.number]).stem] = outcome.error
        else:
            taken.append(outcome.result)
        if progress:
            progress(outcome)
    return taken, refused


def spread_mm(values_m: Sequence[float]) -> float:
    """Standard deviation in mm of one tape (m) over photos of one person, the mean taken from the same photos."""
    if len(values_m) < 2:
        raise InputError(f"repeatability: got {len(values_m)} photo, expected at least 2 of one person.")
    return 1000 * float(np.std(values_m, ddof=1))
