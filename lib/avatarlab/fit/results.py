"""What is kept of a fitted person, the same from the command line, the notebook and the service: ``write``."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from torch import Tensor

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.core.files import whole, write_json
from avatarlab.fit.estimator import silhouette_widths
from avatarlab.fit.estimator.target import target
from avatarlab.fit.overlays import overlay_thumbnail, row_table
from avatarlab.fit.person import FittedPerson
from avatarlab.measure import measure
from avatarlab.photo import Observation
from avatarlab.photo.observation import PART_NAMES
from avatarlab.render import Camera

SCHEMA = "avatarlab.silhouette_targets/1"
PERSON, QUALITY, TARGETS = "person.npz", "quality.json", "silhouette_targets.json"


def write(
    place: Path,
    body: Body,
    person: FittedPerson,
    definitions: Sequence[str] = ("ansur",),
    extras: Collection[str] = (),
) -> list[str]:
    """Write person, quality, measurements and ``extras`` (of EXTRAS) into ``place``; return the files' names.

    The first of ``definitions`` is measurements.json, others are measurements_<definition>.json.
    """
    if unknown := sorted({*extras} - {*EXTRAS}):
        raise InputError(f"extras: got {', '.join(unknown)}, expected some of {', '.join(EXTRAS)}.")
    place.mkdir(parents=True, exist_ok=True)
    names = [PERSON, QUALITY]
    person.result.person.save(place / PERSON)
    write_json(place / QUALITY, plain(person.result.quality.as_json()))
    for number, definition in enumerate(definitions):
        names.append(measurements_name(number, definition))
        measure(body, person.result.person, definition).save(place / names[-1])
    for extra in sorted(extras):
        names += EXTRAS[extra](place, body, person)
    return names


def _masks(place: Path, body: Body, person: FittedPerson) -> Iterator[str]:
    """The outlines as 8-bit masks (255 the person) of the upright photos' size."""
    for view, seen in person.look.observations.items():
        with whole(place / mask_name(view)) as part:
            cv2.imwrite(str(part), 255 * seen.mask.astype(np.uint8))
        yield mask_name(view)


def _observations(place: Path, body: Body, person: FittedPerson) -> Iterator[str]:
    for view, seen in person.look.observations.items():
        seen.save(place / f"observation_{view}.npz")
        yield f"observation_{view}.npz"


def _overlays(place: Path, body: Body, person: FittedPerson) -> Iterator[str]:
    """The body over each photo."""
    betas = person.result.person.betas()
    for view, photo, seen, pose, camera in person.views():
        with whole(place / f"overlay_{view}.png") as part:
            Image.fromarray(overlay_thumbnail(photo.rgb, seen.mask, body, betas, pose, camera)).save(part)
        yield f"overlay_{view}.png"


def _targets(place: Path, body: Body, person: FittedPerson) -> Iterator[str]:
    write_json(place / TARGETS, silhouette_targets(body, person))
    yield TARGETS


EXTRAS = {"masks": _masks, "observations": _observations, "overlays": _overlays, "targets": _targets}
"""What may be written besides: the outlines, what the photos show, the body over them, silhouette_targets.json."""


def mask_name(view: str) -> str:
    """The file's name of the outline in a view."""
    return f"mask_{view}.png"


def measurements_name(number: int, definition: str) -> str:
    """The file's name of the ``number``-th definition: other programs find the first without knowing which it is."""
    return f"measurements_{definition}.json" if number else "measurements.json"


def plain(value):
    """JSON's values of it: a number that is none (of a failed fit, say) is null."""
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def silhouette_targets(body: Body, person: FittedPerson) -> dict:
    """What the silhouette draws the fit to, per view and part, and what it came to; plain JSON values.

    Rows and ends in px of the upright photo from its left top, widths in px and in mm at the pelvis' depth; null where
    an arm or the frame hides an end, or (of the body) where none was fitted.
    """
    quality, betas = person.result.quality, person.result.person.betas()
    shares = {one.view: one.iou for one in quality.views}
    fitted = {view: (pose, camera) for view, _, _, pose, camera in person.views()}
    views = {
        view: {
            "photo": {"width_px": seen.width, "height_px": seen.height},
            "mask": mask_name(view),
            "iou": shares.get(seen.view),
            "parts": _parts(body, seen, betas, fitted.get(view)),
        }
        for view, seen in person.look.observations.items()
    }
    units = {"rows": "px", "ends": "px", "width": "px", "width_mm": "mm at the pelvis' depth"}
    return plain({"schema": SCHEMA, "units": units, "placeholder": quality.placeholder, "views": views})


def _parts(body: Body, observation: Observation, betas: Tensor, fitted: tuple[Tensor, Camera] | None) -> dict:
    """Part -> its rows in one photo and, if there is a fit, on the body."""
    aim = target(observation)
    numbers, levels = silhouette_widths.levels(aim)
    seen = silhouette_widths.widths(aim.parts, numbers, levels)
    across, down = aim.size[0] / observation.width, aim.size[1] / observation.height
    found = {}
    for number in dict.fromkeys(numbers.tolist()):
        part, chosen = PART_NAMES[number], numbers == number
        ends = seen.ends[chosen] / across
        found[part] = {"rows": _rounded(levels[chosen] / down), "ends": _rounded(ends)}
        found[part] |= {"width": _rounded(ends[:, 1] - ends[:, 0])}
        if fitted:
            table = row_table(body, observation, betas, *fitted, part)
            found[part] |= {"width_mm": _rounded(table.photo_mm), "fitted_width_mm": _rounded(table.body_mm)}
    return found


def _rounded(values: np.ndarray) -> list:
    return np.round(np.asarray(values, float), 2).tolist()
