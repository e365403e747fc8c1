"""The floor: squares where they belong, wall above the horizon, dark under what is near."""

import numpy as np
import pytest
import torch

from avatarlab.render import Camera
from avatarlab.render.floor import TILES, floor
from avatarlab.render.shading import WALL


def above(height_m: float = 3.0) -> Camera:
    """Straight down on 3 x 3 m of floor about the origin, 2 cm a pixel, x to the right, -z up."""
    return Camera.look_at((0, height_m, 0), (0, 0, 0), (0, 0, -1), focal_px=50 * height_m, width=150, height=150)


def plate(height_m: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A thin box 20 cm wide at a height above the origin, as vertices and faces in 2 cm triangles, both sides."""
    at = torch.linspace(-0.1, 0.1, 11)
    x, z = torch.meshgrid(at, at, indexing="ij")
    top = torch.stack([x, torch.full_like(x, height_m), z], -1).reshape(-1, 3)
    i, j = torch.meshgrid(torch.arange(10), torch.arange(10), indexing="ij")
    a = (i * 11 + j).reshape(-1)
    faces = torch.cat([torch.stack([a, a + 11, a + 12], 1), torch.stack([a, a + 12, a + 1], 1)])
    return top, torch.cat([faces, faces.flip(1)])


def test_squares_alternate_from_the_origin():
    picture = floor(above())
    centre = {}
    for x in (-0.25, 0.25, 0.75):
        for z in (-0.25, 0.25):
            centre[x, z] = picture[75 + round(z * 50), 75 + round(x * 50)]
    same, other = centre[0.25, 0.25], centre[0.75, 0.25]
    assert same == pytest.approx(centre[-0.25, -0.25], abs=1e-5)
    assert {tuple(np.round(c.tolist(), 2)) for c in (same, other)} == set(TILES)
    assert centre[-0.25, 0.25] == pytest.approx(other, abs=1e-5)


def test_far_squares_melt_into_their_mean_without_shimmer():
    low = Camera.look_at((0, 0.2, 0), (0, 0, 4.0), fov_deg=30, width=64, height=64)
    row = floor(low)[40]
    assert float(row.max() - row.min()) < 0.2 and torch.isfinite(row).all()


def test_wall_above_the_horizon():
    level = Camera.look_at((0, 1.5, 4), (0, 1.5, 0), fov_deg=40, width=40, height=60)
    picture = floor(level)
    assert picture[:29].reshape(-1, 3) == pytest.approx(torch.tensor(WALL).expand(29 * 40, 3), abs=1e-5)
    assert float(picture[-1].mean()) < 0.87


@pytest.mark.parametrize(("height_m", "least", "most"), [(0.0, 0.4, 0.75), (0.3, 0.05, 0.4), (5.0, 0.0, 0.01)])
def test_dark_fades_with_height(height_m, least, most):
    plain, under = floor(above()), floor(above(), *plate(height_m))
    missing = 1 - (under[77:80, 77:80] / plain[77:80, 77:80]).mean()
    assert least <= float(missing) <= most
    assert torch.equal(under[:10], plain[:10]), "nothing is dark far away"
