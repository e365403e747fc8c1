"""A body as one would photograph it for a report: a camera that fits it, and a shaded picture."""

import math

import torch
from torch import Tensor

from avatarlab.render.camera import Camera
from avatarlab.render.shading import shade

FOV_DEG = 24.0
"""A long lens, so that near parts do not look swollen."""
MARGIN = 1.06
SKIN = (0.80, 0.62, 0.52)


def fitting(points: Tensor, turn_deg: float = 0.0, width: int = 320, height: int = 480) -> Camera:
    """Return a camera in front (+z) that sees all ``points`` (N, 3) m, having walked ``turn_deg`` to the body's left."""
    low, high = points.amin(0), points.amax(0)
    centre = (low + high) / 2
    tangent = math.tan(math.radians(FOV_DEG) / 2)
    turn = math.radians(turn_deg)
    toward = points.new_tensor([math.sin(turn), 0.0, math.cos(turn)])
    across = points.new_tensor([math.cos(turn), 0.0, -math.sin(turn)])
    wide, near = ((points - centre) @ across).abs().amax(), ((points - centre) @ toward).amax()
    half = torch.maximum((high - low)[1] / 2, wide * height / width)
    eye = centre + toward * (near + MARGIN * half / tangent)
    return Camera.look_at(eye, centre, fov_deg=FOV_DEG, width=width, height=height)


def portrait(
    vertices, faces, colors=SKIN, turn_deg: float = 0.0, width: int = 320, height: int = 480, around=None
):
    """Return a shaded picture (height, width, 3) uint8-ready float array of a mesh (V, 3) m.

    ``colors`` is one sRGB colour or (V, 3); ``around`` (N, 3) are the points to fit instead of the mesh, so that
    several bodies keep one scale or a part fills the picture.
    """
    vertices, faces = torch.as_tensor(vertices).float(), torch.as_tensor(faces)
    seen = vertices[faces.unique()] if around is None else torch.as_tensor(around).float()
    camera = fitting(seen, turn_deg, width, height)
    return shade(vertices, faces, camera, colors=torch.as_tensor(colors).float(), background=(1, 1, 1)).numpy()
