"""What is kept of a fit, the same from the command line and from the service: its files, its picture, its targets."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from avatarlab.body import Body
from avatarlab.files import write_json
from avatarlab.fit import rows
from avatarlab.fit.fitting import FitResult
from avatarlab.fit.pictures import TALL_PX, overlaid, row_table
from avatarlab.fit.target import target
from avatarlab.measure import measure
from avatarlab.photo import Observation
from avatarlab.photo.observation import PART_NAMES
from avatarlab.render import Camera

SCHEMA = "avatarlab.silhouette_targets/1"
PERSON, QUALITY = "person.npz", "quality.json"


def write(place: Path, body: Body, result: FitResult, definitions: Sequence[str] = ("ansur",)) -> list[str]:
    """Write person, quality and measurements into ``place``; return their names.

    The first of ``definitions`` is measurements.json, others are measurements_<definition>.json.
    """
    quality, names = result.quality, [PERSON, QUALITY]
    result.person.save(place / PERSON)
    write_json(place / QUALITY, plain(quality.as_json()))
    for number, definition in enumerate(definitions):
        names.append(measurements_name(number, definition))
        measure(body, result.person, definition).save(place / names[-1])
    return names


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


def picture(
    rgb: np.ndarray, mask: np.ndarray, body: Body, betas: Tensor, pose: Tensor, camera: Camera
) -> np.ndarray:
    """The body over the photo as ``overlaid`` draws it, large photos scaled down first: the mesh costs by the pixel."""
    factor = TALL_PX / max(rgb.shape[:2])
    if factor >= 1:
        return overlaid(rgb, mask, body, betas, pose, camera)
    small = camera.scaled(factor)
    size = (small.width, small.height)
    shares = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return overlaid(rgb, shares > 0.5, body, betas, pose, small)


def silhouette_targets(body: Body, seen: Mapping[str, Observation], result: FitResult) -> dict:
    """What the silhouette draws the fit to, per view and part, and what it came to; plain JSON values.

    Rows and ends in px of the upright photo from its left top, widths in px and in mm at the pelvis' depth; null where
    an arm or the frame hides an end, or (of the body) where none was fitted.
    """
    shares = {one.view: one.iou for one in result.quality.views}
    views = {}
    for number, (view, observation) in enumerate(seen.items()):
        pose_and_camera = (result.poses[number], result.cameras[number]) if number < len(result.cameras) else None
        views[view] = {
            "photo": {"width_px": observation.width, "height_px": observation.height},
            "mask": f"mask_{view}.png",
            "iou": shares.get(observation.view),
            "parts": _parts(body, observation, result.person.betas(), pose_and_camera),
        }
    units = {"rows": "px", "ends": "px", "width": "px", "width_mm": "mm at the pelvis' depth"}
    return plain({"schema": SCHEMA, "units": units, "placeholder": result.quality.placeholder, "views": views})


def _parts(body: Body, observation: Observation, betas: Tensor, fitted: tuple[Tensor, Camera] | None) -> dict:
    """Part -> its rows in one photo and, if there is a fit, on the body."""
    aim = target(observation)
    numbers, levels = rows.levels(aim)
    seen = rows.widths(aim.parts, numbers, levels)
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
