"""The astronaut, the real photographs where they are, two-person collages and a rendered person with known truth."""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import skimage.data
import torch

from avatarlab import DATA
from avatarlab.body import Body, poses
from avatarlab.body.model import OPEN_BODY
from avatarlab.photo import Photo, decode, observe
from avatarlab.render import Camera, rasterize, shade

NAMES = (
    "ibm_maxod_dog_human_profile",
    "ibm_yogait_apose_tada1",
    "ibm_yogait_apose_tada3",
    "ibm_yogait_apose_wide",
    "ibm_yogait_side_lunge_left",
    "ibm_yogait_test_a",
    "ibm_yogait_test_c",
    "ibm_yogait_tpose_t4",
    "ibm_yogait_tpose_t5_wide",
    "ibm_yogait_warrior0",
    "ibm_yogait_y1",
    "tfjs_pose_warrior",
)


@cache
def real(name):
    """A real photograph by its stem, or a skip."""
    path = DATA / "photos" / f"{name}.jpg"
    if not path.is_file():
        pytest.skip(f"{path} is absent (real photographs are optional data)")
    return decode(path)


@cache
def seen(name):
    """What a real photograph, or the astronaut, shows."""
    return observe(astronaut_photo() if name == "astronaut" else real(name))


@cache
def astronaut_photo():
    """A real half-body portrait that comes with scikit-image."""
    return Photo(skimage.data.astronaut(), None, "astronaut")


def of_height(rgb, height):
    """``rgb`` scaled to a height in px."""
    scale = height / len(rgb)
    return cv2.resize(rgb, (round(rgb.shape[1] * scale), height), interpolation=cv2.INTER_AREA)


def beside(small, large):
    """A wide picture: one person standing small at the lower left, another large at the right."""
    left = np.full((600, small.shape[1] + 20, 3), 200, np.uint8)
    left[-len(small) :, : small.shape[1]] = small
    return np.hstack([left, of_height(large, 600)])


class Rendered(NamedTuple):
    """A picture of the open body, and per pixel its part name ("" is background)."""

    photo: Photo
    part: np.ndarray


@cache
def open_body():
    """The open body."""
    return Body.load(OPEN_BODY)


@cache
def seen_rendered(pose="apose", yaw_deg=0.0):
    """What the rendered person's picture shows."""
    return observe(rendered(pose, yaw_deg).photo)


@cache
def rendered(pose="apose", yaw_deg=0.0):
    """The open body in grey clothes before a plain wall, seen from 3.2 m."""
    body = open_body()
    turn = poses.named(pose).clone()
    turn[0, 1] += np.radians(yaw_deg)
    vertices = body(pose=turn).vertices.detach()
    skin = vertices[: body.skin_count]
    middle = (skin.amax(0) + skin.amin(0)) / 2
    camera = Camera.look_at(middle + torch.tensor([0, 0, 3.2]), middle, fov_deg=45, width=540, height=800)
    names = np.array(body.parts)[body.part.numpy()]
    colours = np.array([_colour(name) for name in names], np.float32)
    colours = np.vstack([colours, np.zeros((len(vertices) - len(colours), 3), np.float32)])
    image = shade(vertices, body.faces, camera, torch.from_numpy(colours), background=(0.75, 0.78, 0.72))
    face = rasterize(vertices, body.faces, camera).face_id.numpy()
    part = np.where(face >= 0, names[body.faces[:, 0].numpy()][face], "")
    return Rendered(Photo((np.asarray(image) * 255).astype(np.uint8), None, "rendered"), part)


def _colour(part):
    """Clothes, shoes, eyes or skin (sRGB 0..1) of a body part."""
    if part in ("trunk", "l_upper_arm", "r_upper_arm"):
        return (0.2, 0.35, 0.6)
    if part[2:] in ("thigh", "calf"):
        return (0.25, 0.25, 0.28)
    return {"eye": (0.1, 0.1, 0.1), "foot": (0.5, 0.1, 0.1)}.get(part[2:], (0.78, 0.6, 0.5))
