import math

import pytest
import torch

from avatarlab.render import Camera, rasterize, silhouette

BOX = [[10.3, 8.6], [30.8, 8.6], [30.8, 20.1], [10.3, 20.1]]


def rotated(angle_deg, side=21.0, centre=(31.3, 23.8)):
    turn = math.radians(angle_deg) + torch.arange(4).double() * math.pi / 2 + math.pi / 4
    return torch.stack([turn.cos(), turn.sin()], -1) * side / math.sqrt(2) + torch.tensor(centre)


def area(*scene):
    return silhouette(*scene).double().sum()


def slope(function, step=1e-4):
    return (function(step) - function(-step)) / (2 * step)


def test_an_upright_square_has_exact_coverage(camera, square):
    image = silhouette(*square(BOX), camera)
    assert image.shape == (48, 64) and image.dtype == torch.float64
    expected = torch.zeros(48, 64).double()
    expected[9:20, 11:30] = 1
    expected[9:20, 10], expected[9:20, 30] = 0.7, 0.8
    expected[8, 11:30], expected[20, 11:30] = 0.4, 0.1
    corners = torch.ones(48, 64).bool()
    corners[[8, 8, 20, 20], [10, 30, 10, 30]] = False
    assert torch.allclose(image[corners], expected[corners], atol=3e-4)  # corners snap to 1/4096 px


def test_a_square_whose_edges_meet_pixel_centres_is_half_covered_there(camera, square):
    image = silhouette(*square([[10.5, 8.5], [30.5, 8.5], [30.5, 20.5], [10.5, 20.5]]), camera)
    assert image[9:20, 10].tolist() == image[9:20, 30].tolist() == [0.5] * 11
    assert image[8, 11:30].tolist() == image[20, 11:30].tolist() == [0.5] * 19


@pytest.mark.parametrize("angle_deg", [0, 7, 30, 45, 62])
def test_a_turned_square_keeps_its_area(camera, square, angle_deg):
    assert abs(area(*square(rotated(angle_deg)), camera) / 441 - 1) < 4e-3


def test_is_far_closer_to_the_true_coverage_than_the_hard_mask(camera, square):
    vertices, faces = square(rotated(23))
    fine = rasterize(vertices, faces, camera.scaled(32)).mask.double()
    truth = fine.reshape(48, 32, 64, 32).mean((1, 3))
    hard = rasterize(vertices, faces, camera).mask.double()
    assert (silhouette(vertices, faces, camera) - truth).abs().sum() < 0.15 * (hard - truth).abs().sum()
    assert (silhouette(vertices, faces, camera) - truth).abs().max() < 0.3


def test_a_sphere_covers_the_circle_it_projects_to(sphere):
    vertices, faces = sphere
    for distance, pixels in ((3.0, 128), (6.0, 256)):
        camera = Camera.look_at((0, 0, distance), (0, 0, 0), focal_px=pixels, width=pixels, height=pixels)
        radius = pixels / math.sqrt(distance**2 - 1)
        ratio = area(vertices, faces, camera) / (math.pi * radius**2)
        assert 0.995 < ratio < 1.0, "the mesh is inscribed in the sphere: a little smaller, never larger"


def test_gradients_of_the_area_are_its_closed_forms(sphere, camera):
    vertices, faces = sphere[0] * 0.5 + torch.tensor([0.02, -0.03, 3.0]), sphere[1]
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    viewmat, k = camera.viewmat.double().requires_grad_(), camera.K.double().requires_grad_()
    total = area(vertices * scale, faces, Camera(viewmat, k, 64, 48))
    total.backward()
    focal = k.grad[0, 0] * 50, k.grad[1, 1] * 50
    assert abs(focal[0] / total.detach() - 1) < 0.03 and abs(focal[1] / total.detach() - 1) < 0.03
    nearer = -total.detach() * 2 * 3 / (9 - 0.25)  # area = pi f^2 r^2 / (d^2 - r^2) for a sphere on the axis
    assert abs(viewmat.grad[2, 3] / nearer - 1) < 0.03
    assert abs(scale.grad / total.detach()) < 0.03, "scaling about the eye changes nothing"


@pytest.mark.parametrize("angle_deg", [0, 11, 45, 73])
def test_gradients_of_a_squares_area_by_scale_and_of_its_moments_by_shift(camera, square, angle_deg):
    positions = torch.rand(12, 2, generator=torch.Generator().manual_seed(4)).double()
    found = torch.zeros(3, 2).double()
    for place in positions:  # one small square has few rim pixels: the mean over places tells bias from rounding
        vertices, faces = square(rotated(angle_deg) + place)
        middle = vertices.mean(0)
        scale = torch.ones((), dtype=torch.float64, requires_grad=True)
        shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        image = silhouette((vertices - middle) * scale + middle + shift, faces, camera)
        found[0] += torch.autograd.grad(image.sum(), scale, retain_graph=True)[0] / (2 * 441) / len(positions)
        for axis in (0, 1):
            moment = (image * camera.centres()[..., axis]).sum()
            by_shift = torch.autograd.grad(moment, shift, retain_graph=True)[0][:2]
            found[1 + axis] += by_shift / (441 * 50 / 2) / len(positions)  # 50 px / 2 m of depth
    assert torch.allclose(found, torch.tensor([[1.0, 1], [1, 0], [0, 1]]).double(), atol=0.015)


def test_gradients_equal_finite_differences_where_no_pixel_flips(camera, square):
    vertices, faces = square(BOX)
    weight = torch.rand(48, 64, generator=torch.Generator().manual_seed(2)).double()
    free = vertices.clone().requires_grad_()
    (silhouette(free, faces, camera) * weight).sum().backward()
    for axis in (0, 1):
        move = torch.eye(3)[axis].double()
        # steps of 1/100 px to 1/4 px: the grid's 1/4096 px must not show
        moved = slope(lambda t, m=move: (silhouette(vertices + t * m, faces, camera) * weight).sum(), 2e-3)
        assert abs(free.grad[:, axis].sum() / moved - 1) < 0.02


def test_gradients_on_a_body_agree_with_finite_differences(body):
    vertices, faces, camera = body
    middle = vertices[faces.unique()].mean(0)
    scale = torch.ones((), requires_grad=True)
    area((vertices - middle) * scale + middle, faces, camera).backward()
    by_scale = slope(lambda t: area((vertices - middle) * (1 + t) + middle, faces, camera), 0.01)
    assert abs(scale.grad / by_scale - 1) < 0.02
    shift = torch.zeros(3, requires_grad=True)
    for axis in (0, 1):
        ramp = camera.centres()[..., axis].double()
        image = silhouette(vertices + shift, faces, camera)
        (found,) = torch.autograd.grad((image * ramp).sum(), shift)
        move = torch.eye(3)[axis]
        moved = slope(lambda t, m=move, r=ramp: (silhouette(vertices + t * m, faces, camera) * r).sum(), 0.01)
        assert abs(found[axis] / moved - 1) < 0.03


def test_a_body_covers_what_a_fine_raster_says(body):
    vertices, faces, camera = body
    truth = rasterize(vertices, faces, camera.scaled(6)).mask.double().reshape(256, 6, 256, 6).mean((1, 3))
    image = silhouette(vertices, faces, camera)
    assert image.dtype == torch.float32 and abs(image.double().sum() / truth.sum() - 1) < 2e-3
    hard = rasterize(vertices, faces, camera).mask.double()
    assert (image - truth).abs().sum() < 0.2 * (hard - truth).abs().sum()


def test_unseen_geometry_changes_nothing_and_gets_no_gradient(camera, square):
    front, faces = square(BOX)
    hidden, _ = square([[12, 10], [20, 10], [20, 18], [12, 18]], depth=4.0)
    behind = front * torch.tensor([1, 1, -1])
    scene = torch.cat([front, hidden, behind]).requires_grad_()
    image = silhouette(scene, torch.cat([faces, faces + 4, faces + 8]), camera)
    assert torch.equal(image.detach(), silhouette(front, faces, camera))
    image.square().sum().backward()
    assert (scene.grad[4:] == 0).all() and scene.grad[:4].abs().sum() > 0


def test_a_picture_filled_to_the_border_is_one_everywhere(camera, square):
    assert (silhouette(*square([[-9, -9], [99, -9], [99, 99], [-9, 99]]), camera) == 1).all()


def test_an_empty_scene_is_zero_and_differentiable(camera):
    for faces in (torch.zeros(0, 3).long(), torch.tensor([[0, 1, 2]])):
        vertices = torch.full((3, 3), -1.0, requires_grad=True)
        image = silhouette(vertices, faces, camera)
        image.sum().backward()
        assert (image == 0).all() and (vertices.grad == 0).all()


def test_slivers_narrower_than_a_pixel_stay_within_bounds(camera):
    g = torch.Generator().manual_seed(3)
    vertices = torch.randn(300, 3, generator=g) * torch.tensor([0.6, 0.6, 0.1]) + torch.tensor([0, 0, 2.0])
    vertices[2::3] = vertices[1::3] + 0.01 * torch.randn(100, 3, generator=g)
    free = vertices.requires_grad_()
    image = silhouette(free, torch.arange(300).reshape(-1, 3), camera)
    image.sum().backward()
    assert image.min() >= 0 and image.max() <= 1 and torch.isfinite(free.grad).all()


def test_backends_give_one_silhouette(camera, sphere):
    scene = (sphere[0] * 0.6 + torch.tensor([0.2, 0.1, 2.5]), sphere[1], camera)
    assert torch.equal(silhouette(*scene), silhouette(*scene, backend="torch"))


def test_refuses_what_rasterize_refuses(camera, square):
    vertices, faces = square(BOX)
    with pytest.raises(ValueError, match="vertices: 1 of 4"):
        silhouette(vertices.index_fill(0, torch.tensor([2]), torch.inf), faces, camera)
    with pytest.raises(ValueError, match="backend: got 'x'"):
        silhouette(vertices, faces, camera, backend="x")
