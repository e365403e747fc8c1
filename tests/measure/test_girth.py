import math

import numpy as np
import pytest
import torch
from mannequin import ellipse

from avatarlab.core.errors import InputError
from avatarlab.measure.girth import cut, cut_extreme, hull_length, hull_widths, plane_frame


def ring(a: float, b: float, count: int = 2000, dtype=torch.float64) -> torch.Tensor:
    angle = torch.arange(count, dtype=torch.float64) * 2 * math.pi / count
    return torch.stack([a * angle.cos(), b * angle.sin()], -1).to(dtype)


def tube(a: float, b: float, count: int = 720):
    """An upright elliptic tube of 11 rings, one metre high, waisted like 1 + y (1 - y): vertices and edges."""
    heights = torch.linspace(0, 1, 11, dtype=torch.float64)
    scale = 1 + heights * (1 - heights)
    flat = ring(a, b, count) * scale[:, None, None]
    up = heights[:, None].expand(11, count)
    points = torch.stack([flat[..., 0], up, flat[..., 1]], -1).reshape(1, -1, 3)
    number = torch.arange(11 * count).view(11, count)
    edges = torch.stack([number[:-1].flatten(), number[1:].flatten()], 1)
    return points, edges


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("a,b", [(0.1, 0.1), (0.15, 0.1), (0.2, 0.05), (0.18, 0.13)])
def test_hull_length_of_circle_and_ellipse(a, b, dtype):
    assert float(hull_length(ring(a, b, dtype=dtype))) == pytest.approx(ellipse(a, b), rel=1e-5)


def test_dents_do_not_count():
    points = ring(0.15, 0.1)
    dented = torch.cat([points, 0.3 * points])
    assert torch.equal(hull_length(dented), hull_length(points))


def test_polygons_stay_within_the_stated_bound():
    square = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]], dtype=torch.float64)
    assert abs(float(hull_length(square)) / 4 - 1) < 1.7e-4
    generator = np.random.default_rng(7)
    for _ in range(20):
        points = torch.tensor(generator.normal(size=(12, 2)))
        exact = hull_perimeter(points.numpy())
        assert float(hull_length(points)) == pytest.approx(exact, rel=1.7e-4)


def hull_perimeter(points: np.ndarray) -> float:
    from scipy.spatial import ConvexHull

    return float(ConvexHull(points).area)  # in the plane, scipy calls the perimeter area


def test_widths_start_left_right_and_reach_front_back_halfway():
    widths = hull_widths(ring(0.15, 0.1), 8)
    assert widths[0].item() == pytest.approx(0.3) and widths[4].item() == pytest.approx(0.2)


def test_cut_of_a_tube_is_the_ellipse():
    points, edges = tube(0.15, 0.1)
    level, up = torch.tensor([[[0.0, 0.35, 0.0]]]).double(), torch.tensor([[0.0, 1.0, 0.0]]).double()
    section = cut(points, edges, level, plane_frame(up))
    low, high = 1 + 0.3 * 0.7, 1 + 0.4 * 0.6
    assert section.girth.item() == pytest.approx(ellipse(0.15, 0.1) * (low + high) / 2, rel=1e-5)
    assert section.breadth.item() == pytest.approx(0.3 * (low + high) / 2, rel=1e-5)
    assert section.depth.item() == pytest.approx(0.2 * (low + high) / 2, rel=1e-5)


def test_tilted_cut_of_a_cylinder_is_a_longer_ellipse():
    heights = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    flat = ring(0.1, 0.1, 720)
    points = torch.stack(
        [torch.cat([flat[:, 0]] * 2), heights.repeat_interleave(720), torch.cat([flat[:, 1]] * 2)], -1
    )
    edges = torch.stack([torch.arange(720), torch.arange(720) + 720], 1)
    tilt = math.radians(20)
    normal = torch.tensor([[0.0, math.cos(tilt), math.sin(tilt)]]).double()
    girth = cut(points[None], edges, torch.zeros(1, 1, 3).double(), plane_frame(normal)).girth.item()
    assert girth == pytest.approx(ellipse(0.1, 0.1 / math.cos(tilt)), rel=1e-4)


@pytest.mark.parametrize("rule,scale", [("max", 1.25), ("min", 1.0)])
def test_cut_extreme_keeps_one_plane(rule, scale):
    points, edges = tube(0.15, 0.1)
    levels = torch.zeros(1, 3, 3, dtype=torch.float64)
    levels[0, :, 1] = torch.tensor([1e-9, 0.5 + 1e-9, 0.9])
    section, which = cut_extreme(
        points, edges, levels, plane_frame(torch.tensor([[0.0, 1.0, 0.0]]).double()), rule
    )
    assert section.girth.item() == pytest.approx(ellipse(0.15, 0.1) * scale, rel=1e-5)
    assert which.item() == {"max": 1, "min": 0}[rule]


def test_batches_agree_with_single_bodies():
    points, edges = tube(0.15, 0.1, 90)
    batch = torch.cat([points, 1.1 * points, 0.9 * points])
    level, up = (
        torch.tensor([0.0, 0.43, 0.0]).double().expand(3, 1, 3),
        torch.tensor([0.0, 1, 0]).double().expand(3, 3),
    )
    together = cut(batch, edges, level, plane_frame(up)).girth
    alone = torch.cat([cut(batch[k : k + 1], edges, level[:1], plane_frame(up[:1])).girth for k in range(3)])
    torch.testing.assert_close(together, alone)


def test_gradient_is_exact():
    points, edges = tube(0.15, 0.1, 24)
    points = points + 0.001 * torch.randn(
        points.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64
    )
    level = torch.tensor([[[0.0, 0.53, 0.0]]], dtype=torch.float64)
    normal = torch.nn.functional.normalize(torch.tensor([[0.05, 1.0, 0.1]], dtype=torch.float64), dim=-1)

    def girth(p, at, n):
        return cut(p, edges, at, plane_frame(torch.nn.functional.normalize(n, dim=-1))).girth

    inputs = [x.clone().requires_grad_() for x in (points, level, normal)]
    assert torch.autograd.gradcheck(girth, inputs, eps=1e-7, atol=1e-5, fast_mode=True)


def test_plane_frames_are_orthonormal_and_face_front():
    normal = torch.nn.functional.normalize(torch.randn(20, 3, generator=torch.Generator().manual_seed(7)), dim=-1)
    frame = plane_frame(normal)
    torch.testing.assert_close(frame.mT @ frame, torch.eye(3).expand(20, 3, 3), atol=1e-5, rtol=0)
    level = plane_frame(torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(level, torch.tensor([[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]]))


def test_a_plane_beside_the_part_is_refused():
    points, edges = tube(0.15, 0.1, 24)
    frame = plane_frame(torch.tensor([[0.0, 1.0, 0.0]]).double())
    with pytest.raises(InputError, match="waist: the cutting plane misses"):
        cut(points, edges, torch.tensor([[[0.0, 3.0, 0.0]]]).double(), frame, "waist")
