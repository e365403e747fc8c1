import numpy as np
import pytest
import trimesh
from tube import LENGTH, RADIUS, Tube

from avatarlab.core.errors import InputError
from avatarlab.export.lod import Lod, distances, reduce_body, whole_body


def test_reduced_tube_is_closed_and_keeps_only_skin_vertices(tube):
    lod = reduce_body(tube, triangles=700)
    points = tube.template.numpy()[lod.keep]
    assert len(lod.faces) <= 700 < len(tube.faces)
    assert lod.keep.max() < tube.skin_count
    assert len(np.unique(lod.faces)) == len(lod.keep)
    assert trimesh.Trimesh(points, lod.faces, process=False).is_volume
    error = distances(tube.template.numpy()[: tube.skin_count], points, lod.faces, candidates=len(lod.faces))
    assert error.max() < 0.1 * RADIUS


def test_eyes_keep_every_vertex(tube):
    lod = reduce_body(tube, triangles=700)
    eyes = [k for k, name in enumerate(tube.parts) if name.endswith("eye")]
    assert set(np.flatnonzero(np.isin(tube.part[: tube.skin_count], eyes))) <= set(lod.keep)


def test_texture_coordinates_stay_where_they_were(tube):
    """On the wall u is x / length and v the angle over a full turn, exactly, on either side of the seam."""
    lod = reduce_body(tube, triangles=700)
    corners, uv = tube.template.numpy()[lod.keep][lod.faces], lod.uv[lod.uv_faces]
    on_wall = np.abs(np.linalg.norm(corners[..., 1:], axis=-1) - RADIUS).max(axis=1) < 1e-5
    wall = on_wall & (np.ptp(corners[..., 0], axis=1) > 0)
    corners, uv = corners[wall], uv[wall]
    assert np.abs(uv[..., 0] - corners[..., 0] / LENGTH).max() < 1e-5
    turn = np.arctan2(corners[..., 2], corners[..., 1]) / (2 * np.pi)
    assert np.abs((uv[..., 1] - turn + 0.5) % 1 - 0.5).max() < 0.02, "a corner has left its meridian"
    assert np.ptp(uv, axis=1).max(axis=0)[1] < 0.5, "a triangle is stretched across the chart"


def test_same_template_gives_same_level_of_detail(tube):
    first, second = reduce_body(tube, 700), reduce_body(Tube(), 700)
    for name in ("keep", "faces", "uv", "uv_faces"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_room_enough_gives_the_whole_body_without_markers(tube):
    lod = reduce_body(tube, triangles=100_000)
    assert len(lod.keep) == tube.skin_count == len(tube.template) - 55
    assert np.array_equal(lod.faces, tube.faces)


def test_too_few_triangles_are_refused(tube):
    with pytest.raises(InputError, match="triangles: got 150, expected at least"):
        reduce_body(tube, triangles=150)


def test_body_without_texture_coordinates(tube):
    bare = Tube(with_uv=False)
    assert not reduce_body(bare, 700).has_uv and not whole_body(bare).has_uv
    assert reduce_body(tube, 700).has_uv


def test_survives_disk_but_not_another_body(tube, tmp_path):
    lod = reduce_body(tube, 700)
    lod.save(tmp_path / "lod.npz")
    again = Lod.load(tmp_path / "lod.npz", tube)
    assert np.array_equal(again.uv_faces, lod.uv_faces) and np.array_equal(again.keep, lod.keep)
    other = Tube()
    other.bases = {"topology": "cd" * 32}
    with pytest.raises(InputError, match="other vertices or faces"):
        Lod.load(tmp_path / "lod.npz", other)


def test_other_npz_is_refused(tube, tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="not a level of detail"):
        Lod.load(tmp_path / "other.npz", tube)


def test_distances_to_a_square_are_exact():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    points = np.array([[0.3, 0.4, 0.2], [2, 0.5, 0], [-3, -4, 0], [0.5, 0.5, 0]])
    assert distances(points, vertices, faces) == pytest.approx([0.2, 1, 5, 0], abs=1e-12)


def test_open_body_loses_little(open_body, open_lod, woman):
    full = open_body(betas=woman.betas()).vertices.numpy()[: open_body.skin_count].astype(np.float64)
    error = 1000 * distances(full, full[open_lod.keep], open_lod.faces)
    assert len(open_lod.faces) < 10_000
    assert trimesh.Trimesh(full[open_lod.keep], open_lod.faces, process=False).is_watertight
    assert error.mean() < 0.35, f"{error.mean():.2f} mm mean"
    assert error.max() < 8, f"{error.max():.1f} mm at worst"
