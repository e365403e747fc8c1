import numpy as np
import pytest
import torch

from avatarlab.render import Camera, overlay, shade, shading, silhouette, vertex_normals
from avatarlab.render.picture import to_linear

BOX = [[10, 8], [30, 8], [30, 20], [10, 20]]


def test_normals_of_a_sphere_point_outwards(sphere):
    vertices, faces = sphere
    assert ((vertex_normals(vertices, faces) * vertices).sum(-1) > 0.9999).all()
    both = vertex_normals(torch.stack([vertices, 2 * vertices]).float(), faces)
    assert both.shape == (2, *vertices.shape) and torch.allclose(both[0], both[1], atol=1e-5)


def test_normals_of_unused_vertices_are_zero_not_nan():
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], requires_grad=True)
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 2]]))
    assert normals.tolist() == [[0, 0, 1]] * 3 + [[0, 0, 0]]
    normals.sum().backward()
    assert torch.isfinite(vertices.grad).all()


def test_normals_refuse_wrong_shapes():
    with pytest.raises(ValueError, match="vertices: got shape"):
        vertex_normals(torch.zeros(3, 2), torch.tensor([[0, 1, 2]]))
    with pytest.raises(ValueError, match="faces: got shape"):
        vertex_normals(torch.zeros(3, 3), torch.tensor([0, 1, 2]))


def test_a_sphere_is_round_lit_from_the_upper_left_and_never_clipped_at_clay(sphere):
    camera = Camera.look_at((0, 0, 4), (0, 0, 0), focal_px=200, width=120, height=120)
    picture = shade(*sphere, camera)
    assert picture.shape == (120, 120, 3) and picture.dtype == torch.float32
    assert picture.min() >= 0 and picture.max() <= 1
    grey = picture.mean(-1)
    assert grey[40, 40] > grey[60, 60] > grey[85, 85], "brighter towards the lamp"
    assert grey[25:95, 60].diff().abs().max() < 0.05, "no facets"


def test_light_rides_on_the_camera(sphere):
    views = [Camera.look_at(eye, (0, 0, 0), focal_px=100, width=64, height=64) for eye in ((0, 0, 4), (4, 0, 0))]
    one, other = (shade(*sphere, view) for view in views)
    assert (one - other).abs().mean() < 5e-3


def test_both_windings_look_the_same(sphere):
    vertices, faces = sphere
    camera = Camera.look_at((0, 0, 4), (0, 0, 0), focal_px=100, width=64, height=64)
    assert torch.allclose(shade(vertices, faces, camera), shade(vertices, faces.flip(1), camera), atol=2e-2)


def test_rim_pixels_mix_in_linear_light(camera, square):
    vertices, faces = square([[10.5, 8], [30, 8], [30, 20], [10.5, 20]])
    picture = to_linear(shade(vertices, faces, camera, background=(1.0, 1.0, 1.0), colors=(0.2, 0.5, 0.7)))
    assert torch.allclose(picture[14, 10], (picture[14, 11] + 1) / 2, atol=2e-3)


def test_colours_are_per_vertex_or_one_and_backgrounds_pictures_or_one(camera, square):
    vertices, faces = square(BOX)
    red_to_blue = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]])
    picture = shade(vertices, faces, camera, colors=red_to_blue, background=(0.0, 1.0, 0.0))
    assert picture[14, 11, 0] > 0.7 > 0.4 > picture[14, 11, 2] and picture[14, 28, 2] > 0.7
    assert torch.allclose(picture[0, 0], torch.tensor([0.0, 1, 0]))
    photo = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    over = shade(vertices, faces, camera, background=photo)
    assert torch.allclose(over[30:], torch.tensor(photo / 255).float()[30:], atol=1e-5)


def test_overlay_goes_from_photo_to_shade(camera, square):
    vertices, faces = square(BOX)
    photo = np.full((48, 64, 3), 90, np.uint8)
    assert torch.allclose(overlay(photo, vertices, faces, camera, opacity=0), torch.tensor(90 / 255), atol=1e-5)
    full = overlay(photo, vertices, faces, camera, opacity=1)
    assert torch.allclose(full, shade(vertices, faces, camera, background=photo), atol=1e-5)
    half = to_linear(overlay(photo, vertices, faces, camera, opacity=0.5))
    assert torch.allclose(half, (to_linear(full) + to_linear(torch.tensor(90 / 255))) / 2, atol=1e-5)


def test_unused_vertices_and_empty_scenes_are_fine(camera, square):
    vertices, faces = square(BOX)
    more = torch.cat([vertices, vertices[:1] + 3])
    assert torch.equal(shade(more, faces, camera), shade(vertices, faces, camera))
    assert torch.allclose(shade(vertices, faces[:0], camera), torch.tensor([0.95, 0.95, 0.96]), atol=1e-5)


def test_a_body_is_shaded_where_its_silhouette_is(body):
    vertices, faces, camera = body
    picture = shade(vertices, faces, camera, background=(0.0, 0.0, 0.0))
    cover = silhouette(vertices, faces, camera)
    assert torch.isfinite(picture).all()
    assert picture[cover == 1].amin() > 0.1 and (picture[cover == 0] > 0.02).float().mean() < 2e-3


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"colors": torch.zeros(3, 3)}, r"colors: got shape \(3, 3\), expected \(V, 3\), V=4"),
        ({"colors": (1.0, 0.0)}, "colors: got shape"),
        ({"background": np.zeros((10, 64, 3), np.uint8)}, r"background: got shape \(10, 64, 3\)"),
        ({"supersample": 0}, "supersample: got 0"),
        ({"supersample": 1.5}, "supersample: got 1.5"),
    ],
)
def test_shade_refuses(camera, square, change, complaint):
    vertices, faces = square(BOX)
    with pytest.raises(ValueError, match=complaint):
        shade(vertices, faces, camera, **change)


def test_overlay_refuses_an_opacity_in_percent(camera, square):
    with pytest.raises(ValueError, match="opacity: got 70"):
        overlay(np.zeros((48, 64, 3), np.uint8), *square(BOX), camera, opacity=70)


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.55, 0.4, 0.0), (9.0, 0.0, 0.0), (0.0, 0.0, 6.0)])
def test_only_the_mesh_s_window_is_drawn_and_nothing_changes(sphere, monkeypatch, shift):
    vertices, faces = sphere
    moved, camera = (
        vertices + torch.tensor(shift),
        Camera.look_at((0, 0, 5), (0, 0, 0), fov_deg=40, width=61, height=47),
    )
    windowed = shade(moved, faces, camera)
    rows, columns = shading._frame(moved, camera)
    monkeypatch.setattr(shading, "_frame", lambda *_: (slice(0, 47), slice(0, 61)))
    assert torch.allclose(windowed, shade(moved, faces, camera), atol=1e-5)
    assert (rows.stop - rows.start < 47) != (shift[2] > 5), "drawn whole only where the camera is within the mesh"
    assert 0 <= rows.start < rows.stop <= 47 and 0 <= columns.start < columns.stop <= 61
