import pytest
import torch

from avatarlab.render import Camera, rasterize

BACKENDS = ["warp", "torch"]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


def soup(seed, count=1000, spread=1.5):
    """Triangles of all sizes, some behind the camera, off the image or without area."""
    g = torch.Generator().manual_seed(seed)
    middle = torch.randn(count, 1, 3, generator=g) * torch.tensor([spread, spread, 1.0]) + torch.tensor(
        [0, 0, 3.0]
    )
    size = 10 ** (torch.rand(count, 1, 1, generator=g) * 2 - 2.3)
    vertices = (middle + size * torch.randn(count, 3, 3, generator=g)).reshape(-1, 3)
    faces = torch.arange(3 * count).reshape(-1, 3)
    faces[::17, 2] = faces[::17, 1]
    return vertices, faces


def test_square_covers_exactly_its_pixels(camera, square, backend):
    vertices, faces = square([[10, 8], [30, 8], [30, 20], [10, 20]])
    expected = torch.zeros(48, 64, dtype=torch.bool)
    expected[8:20, 10:30] = True
    assert torch.equal(rasterize(vertices, faces, camera, backend).mask, expected)


def test_edges_through_pixel_centres_own_left_and_top(camera, square, backend):
    vertices, faces = square([[10.5, 8.5], [30.5, 8.5], [30.5, 20.5], [10.5, 20.5]])
    expected = torch.zeros(48, 64, dtype=torch.bool)
    expected[8:20, 10:30] = True
    for winding in (faces, faces.flip(1)):
        assert torch.equal(rasterize(vertices, winding, camera, backend).mask, expected)


def test_triangle_has_the_pixels_of_its_inequalities(camera, square, backend):
    vertices, _ = square([[5, 4], [45, 4], [5, 34], [0, 0]])
    x, y = camera.centres().double().unbind(-1)
    expected = (x >= 5) & (y >= 4) & ((x - 5) / 40 + (y - 4) / 30 < 1)
    raster = rasterize(vertices, torch.tensor([[0, 1, 2]]), camera, backend)
    assert torch.equal(raster.mask, expected)
    assert raster.face_id.dtype == torch.int32 and raster.face_id.min() == -1 and raster.face_id.max() == 0


def test_neighbours_neither_overlap_nor_leave_gaps(camera, backend):
    g = torch.Generator().manual_seed(5)
    x, y = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="xy")
    jitter = torch.rand(2, 9, 9, generator=g) * 0.4 * (x % 8 > 0) * (y % 8 > 0)
    flat = torch.stack([x + jitter[0], y + jitter[1]], -1).reshape(-1, 2) / 8 - 0.5
    vertices = torch.cat([flat, torch.ones(81, 1)], 1)
    i = (torch.arange(8)[:, None] * 9 + torch.arange(8)).reshape(-1, 1)
    faces = torch.cat([i + torch.tensor([0, 1, 9]), i + torch.tensor([1, 10, 9])])
    counts = sum(rasterize(vertices, face[None], camera, backend).mask.int() for face in faces)
    assert counts.max() == 1
    inside = (camera.centres() - torch.tensor([32.0, 24.0])).abs().amax(-1) < 25
    assert torch.equal(counts == 1, inside)


def test_depth_and_position_on_a_tilted_plane_are_exact(camera, backend):
    vertices = torch.tensor([[-1.0, -1, 1.5], [1.5, -1, 4.0], [1.0, 1.2, 5.0], [-1, 1, 2.5]], dtype=torch.float64)
    vertices[:, 2] = 2 + 0.9 * vertices[:, 0] - 0.4 * vertices[:, 1]
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    raster = rasterize(vertices, faces, camera, backend)
    assert raster.mask.sum() > 1000
    centres = camera.centres().double()[raster.mask]
    ray = (centres - torch.tensor([32.0, 24.0])) / 50
    depth = 2 / (1 - 0.9 * ray[:, 0] + 0.4 * ray[:, 1])
    # pixels on the rim may lie up to 1/8192 px outside the plane's edge
    assert (raster.depth[raster.mask] - depth).abs().median() < 1e-12
    assert (raster.depth[raster.mask] - depth).abs().max() < 1e-4
    points = raster.interpolate(vertices, faces)[raster.mask]
    assert (points - camera.unproject(centres, depth)).abs().max() < 1e-4, "barycentrics are perspective-correct"
    assert (raster.bary[raster.mask].sum(-1) - 1).abs().max() < 1e-12


def test_background_is_infinitely_far_and_without_barycentrics(camera, square):
    raster = rasterize(*square([[10, 8], [30, 8], [30, 20], [10, 20]]), camera)
    assert torch.isinf(raster.depth[~raster.mask]).all() and (raster.bary[~raster.mask] == 0).all()
    assert (raster.interpolate(torch.ones(4, 2), torch.tensor([[0, 1, 2], [0, 2, 3]]))[~raster.mask] == 0).all()


def test_nearer_face_wins_whatever_the_order(camera, square, backend):
    near, faces = square([[10, 8], [30, 8], [30, 20], [10, 20]], depth=2.0)
    far, _ = square([[5, 5], [40, 5], [40, 40], [5, 40]], depth=2.001)
    for vertices, first in ((torch.cat([near, far]), 0), (torch.cat([far, near]), 2)):
        ids = rasterize(vertices, torch.cat([faces, faces + 4]), camera, backend).face_id
        assert set(ids[9:19, 11:29].unique().tolist()) == {first, first + 1}


def test_equal_depths_go_to_the_lower_number(camera, square, backend):
    vertices, faces = square([[10, 8], [30, 8], [30, 20], [10, 20]])
    ids = rasterize(vertices, torch.cat([faces, faces]), camera, backend).face_id
    assert ids.max() == 1


def test_faces_behind_or_across_the_near_plane_are_dropped(camera, backend):
    faces = torch.tensor([[0, 1, 2]])
    triangle = torch.tensor([[-0.5, -0.5, 1.0], [0.5, -0.5, 1.0], [0.0, 0.5, 1.0]])
    assert rasterize(triangle, faces, camera, backend).mask.any()
    assert not rasterize(triangle * torch.tensor([1, 1, -1]), faces, camera, backend).mask.any()
    across = triangle.clone()
    across[2, 2] = -1.0
    assert not rasterize(across, faces, camera, backend).mask.any()
    assert not rasterize(triangle, faces, camera, backend, near=1.5).mask.any()


def test_faces_off_the_grid_are_dropped_and_wide_ones_drawn(camera, backend):
    faces = torch.tensor([[0, 1, 2]])
    wide = torch.tensor([[-2e3, -2e3, 1.0], [2e3, -2e3, 1.0], [0.0, 2e3, 1.0]])
    assert rasterize(wide, faces, camera, backend).mask.all()
    assert not rasterize(wide * torch.tensor([10, 10, 1]), faces, camera, backend).mask.any()


def test_empty_scenes(camera, backend):
    for vertices, count in ((torch.zeros(0, 3), 0), (torch.ones(3, 3), 0), (torch.ones(3, 3), 1)):
        faces = torch.tensor([[0, 1, 2]])[:count]
        raster = rasterize(vertices, faces, camera, backend)
        assert raster.face_id.shape == (48, 64) and not raster.mask.any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("seed", range(4))
def test_warp_equals_the_torch_oracle_to_the_pixel(camera, seed, device):
    vertices, faces = (t.to(device) for t in soup(seed))
    camera = camera.scaled(2.7).to(device)
    oracle = rasterize(vertices, faces, camera, "torch")
    assert oracle.mask.float().mean() > 0.4 and len(oracle.face_id.unique()) > 50
    assert torch.equal(rasterize(vertices, faces, camera, "warp").face_id, oracle.face_id)
    assert torch.equal(rasterize(vertices, faces.int(), camera, "warp").face_id, oracle.face_id)


def test_torch_oracle_is_the_same_in_pieces(camera, monkeypatch):
    vertices, faces = soup(9)
    whole = rasterize(vertices, faces, camera, "torch").face_id
    monkeypatch.setattr("avatarlab.render.zbuffer_torch.PAIRS_AT_ONCE", 500)
    assert torch.equal(rasterize(vertices, faces, camera, "torch").face_id, whole)


def test_body_is_drawn_alike_by_both(body):
    vertices, faces, camera = body
    warp, oracle = (rasterize(vertices, faces, camera, backend) for backend in BACKENDS)
    assert torch.equal(warp.face_id, oracle.face_id)
    assert 0.03 < warp.mask.float().mean() < 0.4


def test_depth_and_barycentrics_carry_gradients(camera):
    vertices = torch.tensor([[-0.8, -0.7, 2.1], [0.9, -0.6, 2.6], [0.1, 0.8, 3.0]], dtype=torch.float64)
    faces, weight = torch.tensor([[0, 1, 2]]), torch.rand(48, 64, dtype=torch.float64)
    inner = rasterize(vertices * 0.98, faces, camera).mask & rasterize(vertices, faces, camera).mask

    def reading(v, viewmat, k):
        raster = rasterize(v, faces, Camera(viewmat, k, 64, 48))
        return ((raster.depth + raster.bary @ torch.tensor([1.0, 2, 4]).double()) * weight)[inner].sum()

    inputs = [vertices, camera.viewmat.double(), camera.K.double()]
    inputs = [x.clone().requires_grad_() for x in inputs]
    grads = torch.autograd.grad(reading(*inputs), inputs)
    g = torch.Generator().manual_seed(1)
    for number, grad in enumerate(grads[:2]):
        step = 1e-6 * torch.randn(grad.shape, generator=g).double()
        if number == 1:
            step[:, :3], step[3] = 0, 0  # the translation: a rotation's entries are not free
        ahead, behind = (
            [x.detach() + s * step * (i == number) if i == number else x.detach() for i, x in enumerate(inputs)]
            for s in (1, -1)
        )
        slope = (reading(*ahead) - reading(*behind)) / 2
        assert torch.isclose((grad * step).sum(), slope, rtol=1e-5)
    assert torch.isfinite(grads[2]).all() and grads[2][:2].abs().max() > 0


def test_keeps_the_dtype(camera, square):
    vertices, faces = square([[10, 8], [30, 8], [30, 20], [10, 20]])
    assert rasterize(vertices, faces, camera).depth.dtype == torch.float64
    assert rasterize(vertices.float(), faces, camera).bary.dtype == torch.float32


@pytest.mark.parametrize(
    "change, error, complaint",
    [
        ({"vertices": torch.zeros(1, 4, 3)}, ValueError, r"vertices: got shape \(1, 4, 3\), expected \(V, 3\)"),
        ({"vertices": torch.zeros(4, 3).int()}, TypeError, "vertices: got torch.int32"),
        ({"vertices": [[0.0, 0, 0]]}, TypeError, "vertices: got list"),
        ({"vertices": torch.full((4, 3), torch.nan)}, ValueError, "vertices: 4 of 4 contain NaN"),
        ({"faces": torch.zeros(2, 4).long()}, ValueError, "faces: got shape"),
        ({"faces": torch.zeros(2, 3)}, TypeError, "faces: got torch.float32"),
        ({"faces": torch.tensor([[0, 1, 4]])}, ValueError, "run 0 to 4, but there are 4 vertices"),
        ({"faces": torch.tensor([[0, 1, -1]])}, ValueError, "run -1 to 1"),
        ({"faces": torch.zeros(2, 3, device="meta").long()}, ValueError, "on cpu but faces on meta"),
        ({"backend": "opengl"}, ValueError, "backend: got 'opengl', expected one of warp, torch, pytorch3d"),
        ({"near": 0}, ValueError, "near: got 0"),
    ],
)
def test_refuses(camera, square, change, error, complaint):
    vertices, faces = square([[10, 8], [30, 8], [30, 20], [10, 20]])
    with pytest.raises(error, match=complaint):
        rasterize(**({"vertices": vertices, "faces": faces, "camera": camera} | change))


def test_refuses_more_faces_than_a_cell_can_number(camera, square, monkeypatch):
    monkeypatch.setattr("avatarlab.render.screen.MAX_FACES", 1)
    with pytest.raises(ValueError, match="faces: got 2, at most 1"):
        rasterize(*square([[10, 8], [30, 8], [30, 20], [10, 20]]), camera)


def test_interpolate_refuses_values_without_channels(camera, square):
    vertices, faces = square([[10, 8], [30, 8], [30, 20], [10, 20]])
    with pytest.raises(ValueError, match="values: got shape"):
        rasterize(vertices, faces, camera).interpolate(torch.zeros(4), faces)
