"""A participant as a photo would show it: ``delivered`` gives Observations in three tracks of growing trouble.

Track a: the exact mask of the naked body. Track b: what everyday photos give (clothes, hair, shoes, arms over the
side view, rough edges, holes). Track c: a shaded picture before a real-looking background, run through ``photo``;
clothes, hair and shoes have the volume they have in track b, shirts some air on top, and are coloured by vertex.
The keypoints of a and b lie where MediaPipe puts them on that body, plus its noise; camera and yaw are guessed.
"""

import zlib
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from torch import Tensor

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.photo import Photo, body_parts, findings, observe, views
from avatarlab.photo.keypoints import Keypoints
from avatarlab.photo.observation import Hands, Observation
from avatarlab.photo.observing import ASSUMED_FOV_DEG
from avatarlab.render import Camera, as_uint8, shade
from avatarlab.render.raster import visible_faces
from avatarlab.render.screen import NEAR, to_screen
from avatarlab.synthetic import mask_noise
from avatarlab.synthetic.clothing import Clothes, air_m, clothes, wardrobe
from avatarlab.synthetic.participant import Participant, Sighting
from avatarlab.synthetic.rendered import colours
from avatarlab.synthetic.scenes import floor_points, scene

TRACKS = {"a": "studio", "b": "everyday", "c": "photo"}
"""Track -> what its observations say of how the outline came about."""
SHOT = {"a": {"front": "front", "side": "side"}, "b": {"front": "front", "side": "side_arms"}}
SHOT["c"] = SHOT["b"]
"""Which of a participant's shots a view of a track is."""

KEYPOINT_SD = {"front": 0.010, "side": 0.016}
"""Noise of MediaPipe's keypoints per axis, of the person's height in the picture: what remains of 8 px of 590 (front)
and 13 px (side) when the constant offsets are in the table. Source: open_body.md section 8."""
WORLD_SD_M, WORLD_SCALE_SD = 0.02, 0.06
"""Noise of the metric keypoints and of their common size: the network does not know the stature."""
SEEN, HIDDEN = (0.93, 1.0), (0.15, 0.75)
"""Visibility of points in sight, and of the far limbs' in a side view."""
YAW_SD_DEG = 5.0
EXIF_SHARE, EXIF_SD = 0.5, 0.02
"""Half the photos carry a focal length, 2 % off; for the others a phone's is assumed."""
LIMB_ENDS = (13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 25, 26, 27, 28, 29, 30, 31, 32)

FEET = ("LBigToe", "RBigToe", "LEFT_HEEL", "RIGHT_HEEL")
NOISE_SD = (1.0, 5.0)
QUALITY = (65, 92)
EXPOSURE = (0.75, 1.25)
BLUR_PX = 0.8
"""Range of sensor noise (of 255), of JPEG quality, of exposure, and the largest blur."""


def chance_of(participant: Participant, *what: str) -> np.random.Generator:
    """Return the generator for one aspect of one participant: the same each time."""
    return np.random.default_rng(zlib.crc32("/".join([participant.id, *what]).encode()))


def delivered(
    participant: Participant, track: str, body: Body, views: tuple[str, ...] = ("front", "side")
) -> tuple[Observation | None, ...]:
    """Return what the views show in track 'a', 'b' or 'c', one for each; None where nobody was found (track c only).

    Deterministic: the same participant, track and view give the same bytes.
    """
    if track not in TRACKS:
        raise InputError(f"track: got {track!r}, expected one of {', '.join(TRACKS)}.")
    unknown = [view for view in views if view not in SHOT[track]]
    if unknown:
        raise InputError(f"views: got {', '.join(unknown)}, expected front and side.")
    if track == "c":
        return tuple(photographed(participant, view, body) for view in views)
    worn = worn_by(participant) if track == "b" else None
    return tuple(_masked(participant, view, track, body, worn) for view in views)


def worn_by(participant: Participant) -> Clothes:
    """Return what the participant wears in tracks b and c."""
    return clothes(chance_of(participant, "clothes"), participant.sex)


def sighting(participant: Participant, track: str, view: str) -> Sighting:
    """Return the shot that ``delivered`` takes for a view of a track."""
    return participant.shots[SHOT[track][view]]


def _masked(participant: Participant, view: str, track: str, body: Body, worn: Clothes | None) -> Observation:
    shot, chance = sighting(participant, track, view), chance_of(participant, track, view)
    surface = shot.vertices if worn is None else wardrobe(body).dressed(shot.vertices, worn)
    mask = exact_mask(surface, body, shot.camera)
    if worn is not None:
        mask = mask_noise.faulty(mask, chance, px_per_m(shot.camera))
    return observed(shot, view, mask, TRACKS[track], body, chance, f"{participant.id}_{track}_{view}")


def px_per_m(camera: Camera) -> float:
    """Pixels per metre at the pelvis, the origin of a sighting's world."""
    return float(camera.K[1, 1] / camera.viewmat[2, 3])


def exact_mask(vertices: Tensor, body: Body, camera: Camera) -> np.ndarray:
    """Return the mask bool (H, W) of skin (V, 3) m: pixels whose centres are covered."""
    return (visible_faces(to_screen(vertices, body.faces, camera, NEAR), body.faces) >= 0).numpy()


def observed(
    shot: Sighting, view: str, mask: np.ndarray, capture: str, body: Body, chance, name: str
) -> Observation:
    """Return the Observation of a mask bool (H, W): keypoints, yaw and focal length as MediaPipe and a phone give."""
    true = keypoints_of(body)(shot.joints, shot.vertices[keypoints_of(body).vertices])
    keypoints, world = noisy_keypoints(true, shot.camera, view, chance), noisy_world(true, shot.camera, chance)
    yaw = yaw_deg(true, shot.camera) + chance.normal(0, YAW_SD_DEG)
    confidence = np.where(mask, np.uint8(255), np.uint8(0))
    parts = body_parts.part_map(mask, keypoints, view)
    focal_px, focal_source = focal(shot.camera, chance)
    found = findings.of_frame(mask, parts, keypoints) + findings.of_view(view, view, yaw)
    found += findings.of_pose(mask, keypoints, world, view) + findings.of_quality(mask, keypoints, confidence)
    return Observation(
        width=shot.camera.width, height=shot.camera.height, focal_px=focal_px, focal_source=focal_source, view=view,
        yaw_deg=float(yaw), keypoints=keypoints, keypoints_world=world, mask=mask, confidence=confidence, parts=parts,
        face=None, hands=Hands(), skin=None, findings=tuple(found), name=name, capture=capture,
    )  # fmt: skip


@lru_cache(maxsize=2)
def keypoints_of(body: Body) -> Keypoints:
    """Return the keypoints of ``body``, kept for the last bodies asked for."""
    return Keypoints(body)


def in_camera(points: Tensor, camera: Camera) -> Tensor:
    """points (..., 3) world m -> camera axes m."""
    return points @ camera.viewmat[:3, :3].T + camera.viewmat[:3, 3]


def yaw_deg(true: Tensor, camera: Camera) -> float:
    """Return the true yaw of keypoints (33, 3) world m, as ``photo.views.yaw`` defines it."""
    local = in_camera(true, camera).numpy()
    unseen = np.zeros((33, 3))
    return views.yaw(unseen, local)


def noisy_keypoints(true: Tensor, camera: Camera, view: str, chance: np.random.Generator) -> np.ndarray:
    """Return (33, 3) float32: noisy pixels and visibility of keypoints (33, 3) world m."""
    pixels = camera.project(true)[0].numpy()
    noise = KEYPOINT_SD[view] * np.ptp(pixels[:, 1]) * chance.standard_normal((33, 2))
    seen = chance.uniform(*SEEN, 33)
    if view == "side":
        depth = in_camera(true, camera)[:, 2].numpy()
        far = 0 if depth[11] > depth[12] else 1
        hidden = [number for number in LIMB_ENDS if number % 2 == 1 - far]
        seen[hidden] = chance.uniform(*HIDDEN, len(hidden))
    return np.column_stack([pixels + noise, seen]).astype(np.float32)


def noisy_world(true: Tensor, camera: Camera, chance: np.random.Generator) -> np.ndarray:
    """Return (33, 3) float32 m in camera axes, hips' middle at 0, noisy in place and in size."""
    local = in_camera(true, camera).numpy()
    centred = local - local[[23, 24]].mean(0)
    scale = 1 + WORLD_SCALE_SD * chance.standard_normal()
    return (scale * centred + WORLD_SD_M * chance.standard_normal((33, 3))).astype(np.float32)


def focal(camera: Camera, chance: np.random.Generator) -> tuple[float, str]:
    """Return the focal length (px) that the photo's reader has, and where it has it from."""
    if chance.random() < EXIF_SHARE:
        return float(camera.K[1, 1]) * (1 + EXIF_SD * chance.standard_normal()), "exif"
    longer = max(camera.width, camera.height)
    return longer / 2 / float(np.tan(np.radians(ASSUMED_FOV_DEG / 2))), "assumed"


def photographed(participant: Participant, view: str, body: Body) -> Observation | None:
    """Return what ``photo.observe`` finds in the participant's picture, or None where it finds nobody."""
    try:
        return observe(photograph(participant, view, body), view=view)
    except InputError:
        return None


def photograph(participant: Participant, view: str, body: Body) -> Photo:
    """Return the participant's picture; half of them know their focal length."""
    shot, chance = sighting(participant, "c", view), chance_of(participant, "c", view)
    surface = wardrobe(body).dressed(shot.vertices, worn_in_picture(participant))
    toes = floor_points(surface, [body.landmarks[name] for name in FEET])
    background = scene(shot.camera, toes, chance)
    picture = shade(surface, body.faces, shot.camera, colors=painted(participant, body), background=background)
    focal_px, source = focal(shot.camera, chance)
    rgb = developed(as_uint8(picture), chance)
    return Photo(rgb, focal_px if source == "exif" else None, f"{participant.id}_c_{view}")


def painted(participant: Participant, body: Body) -> Tensor:
    """Return skin colours (V, 3) sRGB: the participant's own skin, hair, shirt, and trousers that reach the waist."""
    look = colours(body, chance_of(participant, "look"))[: body.skin_count]
    look[wardrobe(body).trousers > 0.5] = look[body.landmarks["LEFT_THIGH"]].clone()
    return look


def worn_in_picture(participant: Participant) -> Clothes:
    """Return what the participant wears in track b, and air under the shirt."""
    return replace(worn_by(participant), air_m=air_m(chance_of(participant, "air")))


def developed(rgb: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return uint8 (H, W, 3) as a phone's camera would store it: exposure, blur, noise, JPEG."""
    picture = rgb.astype(np.float32) * np.float32(chance.uniform(*EXPOSURE))
    picture = cv2.GaussianBlur(picture, (0, 0), float(chance.uniform(0.2, BLUR_PX)))
    picture += chance.normal(0, chance.uniform(*NOISE_SD), rgb.shape)
    bytes_ = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, int(chance.integers(*QUALITY))]
    stored = cv2.imencode(".jpg", bytes_[..., ::-1], options)[1]
    return np.ascontiguousarray(cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1])
