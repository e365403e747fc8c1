"""A camera whose pixels are easy to reckon with, flat shapes placed in pixels, a sphere and a body."""

import pytest
import torch

from avatarlab.body.model import OPEN_BODY
from avatarlab.core.files import read_npz
from avatarlab.render import Camera


@pytest.fixture
def camera():
    """At the origin, looking along +z, 64 x 48 px, focal length 50 px: x px = 32 + 50 X/Z, y px = 24 + 50 Y/Z."""
    return Camera(torch.eye(4), [[50, 0, 32], [0, 50, 24], [0, 0, 1]], 64, 48)


@pytest.fixture
def square(camera):
    """A function: pixel corners (4, 2) in order, and a depth in metres -> vertices (4, 3), faces (2, 3)."""

    def made(corners, depth=2.0):
        corners = torch.as_tensor(corners, dtype=torch.float64)
        vertices = camera.unproject(corners, torch.full((4,), depth, dtype=torch.float64))
        return vertices, torch.tensor([[0, 1, 2], [0, 2, 3]])

    return made


@pytest.fixture(scope="session")
def sphere():
    """Radius 1 m: vertices (2562, 3) float64 on it, faces (5120, 3)."""
    trimesh = pytest.importorskip("trimesh")
    mesh = trimesh.creation.icosphere(4)
    return torch.tensor(mesh.vertices), torch.tensor(mesh.faces)


@pytest.fixture(scope="session")
def body():
    """The open body, 27k faces, and a camera in front of it: vertices, faces, camera at 256 x 256 px."""
    arrays, _ = read_npz(OPEN_BODY)
    vertices, faces = torch.tensor(arrays["v_template"]).float(), torch.tensor(arrays["f"].astype("int64"))
    drawn = vertices[faces.unique()]
    middle = (drawn.amin(0) + drawn.amax(0)) / 2
    eye = middle + torch.tensor([0.0, 0.0, 3.5])
    return vertices, faces, Camera.look_at(eye, middle, fov_deg=36, width=256, height=256)
