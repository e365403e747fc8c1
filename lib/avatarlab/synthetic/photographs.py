"""Track c: a participant in a shaded picture before a real-looking background, seen by ``photo``.

Clothes, hair and shoes have the volume they have in track b, shirts some air on top, and are coloured by vertex.
"""

from dataclasses import replace

import cv2
import numpy as np
from torch import Tensor

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.photo import Photo, observe
from avatarlab.photo.observation import Observation
from avatarlab.render import as_uint8, shade
from avatarlab.synthetic import conditions
from avatarlab.synthetic.clothing import Clothes, air_m, wardrobe
from avatarlab.synthetic.participant import Participant
from avatarlab.synthetic.rendered import colours
from avatarlab.synthetic.scenes import floor_points, scene

FEET = ("LBigToe", "RBigToe", "LEFT_HEEL", "RIGHT_HEEL")
NOISE_SD = (1.0, 5.0)
QUALITY = (65, 92)
EXPOSURE = (0.75, 1.25)
BLUR_PX = 0.8
"""Range of sensor noise (of 255), of JPEG quality, of exposure, and the largest blur."""


def photographed(participant: Participant, view: str, body: Body) -> Observation | None:
    """Return what ``photo.observe`` finds in the participant's picture, or None where it finds nobody."""
    try:
        return observe(photograph(participant, view, body), view=view)
    except InputError:
        return None


def photograph(participant: Participant, view: str, body: Body) -> Photo:
    """Return the participant's picture; half of them know their focal length."""
    shot, chance = conditions.sighting(participant, "c", view), conditions.chance_of(participant, "c", view)
    surface = wardrobe(body).dressed(shot.vertices, worn_by(participant))
    toes = floor_points(surface, [body.landmarks[name] for name in FEET])
    background = scene(shot.camera, toes, chance)
    picture = shade(surface, body.faces, shot.camera, colors=painted(participant, body), background=background)
    focal_px, source = conditions.focal(shot.camera, chance)
    rgb = developed(as_uint8(picture), chance)
    return Photo(rgb, focal_px if source == "exif" else None, f"{participant.id}_c_{view}")


def painted(participant: Participant, body: Body) -> Tensor:
    """Return skin colours (V, 3) sRGB: the participant's own skin, hair, shirt, and trousers that reach the waist."""
    look = colours(body, conditions.chance_of(participant, "look"))[: body.skin_count]
    look[wardrobe(body).trousers > 0.5] = look[body.landmarks["LEFT_THIGH"]].clone()
    return look


def worn_by(participant: Participant) -> Clothes:
    """Return what the participant wears in track b, and air under the shirt."""
    return replace(conditions.worn_by(participant), air_m=air_m(conditions.chance_of(participant, "air")))


def developed(rgb: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return uint8 (H, W, 3) as a phone's camera would store it: exposure, blur, noise, JPEG."""
    picture = rgb.astype(np.float32) * np.float32(chance.uniform(*EXPOSURE))
    picture = cv2.GaussianBlur(picture, (0, 0), float(chance.uniform(0.2, BLUR_PX)))
    picture += chance.normal(0, chance.uniform(*NOISE_SD), rgb.shape)
    bytes_ = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, int(chance.integers(*QUALITY))]
    stored = cv2.imencode(".jpg", bytes_[..., ::-1], options)[1]
    return np.ascontiguousarray(cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1])
