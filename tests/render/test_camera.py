import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from avatarlab.render import Camera


def turned():
    return Camera.look_at((0.7, 1.4, 3.0), (0.1, 0.9, 0.0), focal_px=300, width=200, height=160).to(torch.float64)


def test_projects_by_the_pinhole_formula(camera):
    pixels, depth = camera.project(torch.tensor([[0.2, -0.1, 2.0], [0.0, 0.0, 5.0]]))
    assert torch.allclose(pixels, torch.tensor([[37.0, 21.5], [32.0, 24.0]]))
    assert depth.tolist() == [2.0, 5.0]


@pytest.mark.parametrize("kind", [list, np.array, lambda v: torch.tensor(v, dtype=torch.float64)])
def test_look_at_takes_numbers_of_any_kind(kind):
    camera = Camera.look_at(kind([0.0, 1.0, 3.0]), (0, np.float64(1), 0), fov_deg=40, width=20, height=10)
    assert camera.eye == pytest.approx([0, 1, 3])


def test_look_at_centres_its_target_with_up_upwards_and_left_of_the_person_on_the_right():
    camera = Camera.look_at((0, 1, 3), (0, 1, 0), fov_deg=40, width=200, height=100)
    pixels, depth = camera.project(torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.1, 0.0], [0.1, 1.0, 0.0]]))
    assert torch.allclose(pixels[0], torch.tensor([100.0, 50.0]), atol=1e-4) and abs(depth[0] - 3) < 1e-5
    assert pixels[1, 1] < 49 and pixels[2, 0] > 101
    top, _ = camera.project(torch.tensor([0.0, 1 + 3 * math.tan(math.radians(20)), 0.0]))
    assert abs(top[1]) < 1e-3, "the vertical angle of view spans the height"


def test_eye_is_where_it_was_put():
    assert torch.allclose(turned().eye, torch.tensor([0.7, 1.4, 3.0]).double(), atol=1e-5)


def test_unproject_undoes_project():
    camera, points = turned(), torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(0)).double() * 0.4
    assert torch.allclose(camera.unproject(*camera.project(points)), points, atol=1e-9)


def test_rays_pass_through_the_points_they_image():
    camera, points = turned(), torch.tensor([[0.3, 0.2, 0.1], [-0.4, 1.0, -0.5]]).double()
    expected = torch.nn.functional.normalize(points - camera.eye, dim=-1)
    assert torch.allclose(camera.rays(camera.project(points)[0]), expected, atol=1e-9)


def test_first_pixel_centre_is_half_half(camera):
    assert camera.centres().shape == (48, 64, 2)
    assert camera.centres()[0, 0].tolist() == [0.5, 0.5] and camera.centres()[2, 5].tolist() == [5.5, 2.5]


def test_scaled_keeps_the_view_even_where_sizes_round(camera):
    small = camera.scaled(0.3)
    assert (small.width, small.height) == (19, 14)
    point = torch.tensor([0.2, -0.1, 2.0])
    ratio = small.project(point)[0] / camera.project(point)[0]
    assert torch.allclose(ratio, torch.tensor([19 / 64, 14 / 48]))


def test_gradients_reach_viewmat_and_k():
    camera, points = turned(), torch.randn(4, 3, dtype=torch.float64) * 0.3

    def seen(rows, k):
        moved = replace(camera, viewmat=torch.cat([rows, camera.viewmat[3:]]), K=torch.cat([k, camera.K[2:]]))
        pixels, depth = moved.project(points)
        return pixels, depth, moved.rays(camera.centres()[:2, :2]), moved.eye, moved.scaled(0.5).project(points)[0]

    # gradcheck's steps of 1e-6 stay within the tolerance for a rotation; K[1, 0] has to stay 0
    rows = camera.viewmat[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: seen(rows, camera.K[:2]), rows)
    free = camera.K[[0, 0, 1, 1], [0, 2, 1, 2]].clone().requires_grad_()
    place = torch.tensor([0, 2, 4, 5])
    assert torch.autograd.gradcheck(
        lambda free: seen(camera.viewmat[:3], free.new_zeros(6).index_add(0, place, free).reshape(2, 3)), free
    )


def test_is_frozen_and_keeps_float64(camera):
    assert camera.viewmat.dtype == camera.K.dtype == torch.float32
    assert camera.to(torch.float64).K.dtype == torch.float64
    with pytest.raises(AttributeError):
        camera.width = 3


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"viewmat": torch.eye(3)}, r"viewmat: got shape \(3, 3\), expected \(4, 4\)"),
        ({"viewmat": torch.eye(4) * torch.nan}, "viewmat: contains NaN"),
        ({"viewmat": torch.diag(torch.tensor([1.0, 1, -1, 1]))}, "mirrored"),
        ({"viewmat": torch.diag(torch.tensor([2.0, 2, 2, 1]))}, "no rotation"),
        ({"viewmat": torch.eye(4) + torch.eye(4)[[3, 0, 1, 2]] * torch.eye(4)[3:].T}, "transposed"),
        ({"K": torch.eye(4)}, "K: got shape"),
        ({"K": -torch.eye(3)}, "focal lengths are -1 and -1 px"),
        ({"K": [[50, 0, 0], [0, 50, 0], [32, 24, 1]]}, "transposed"),
        ({"width": 0}, "width: got 0"),
        ({"height": 10.5}, "height: got 10.5"),
        ({"height": True}, "height: got True"),
        ({"width": 10**6}, "width: got 1000000"),
    ],
)
def test_refuses(camera, change, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(camera, **change)


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"eye": (0, 0, 0)}, "same point"),
        ({"up": (0, 0, 2)}, "parallel"),
        ({"fov_deg": 30}, "exactly one"),
        ({"focal_px": None}, "exactly one"),
        ({"focal_px": None, "fov_deg": 180}, "fov_deg: got 180"),
        ({"eye": (0, 1)}, "eye: got shape"),
    ],
)
def test_look_at_refuses(change, complaint):
    good = {"eye": (0, 0, 3), "target": (0, 0, 0), "focal_px": 100, "width": 10, "height": 10}
    with pytest.raises(ValueError, match=complaint):
        Camera.look_at(**(good | change))


def test_refuses_points_of_the_wrong_shape_and_a_factor_of_zero(camera):
    with pytest.raises(ValueError, match="points: got shape"):
        camera.project(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="pixels: got shape"):
        camera.rays(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="factor: got 0"):
        camera.scaled(0)
