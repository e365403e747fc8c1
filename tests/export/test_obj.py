import numpy as np
import pytest
import trimesh
from tube import elbow_bent, person

from avatarlab.export import displayed_vertices, write_obj


def test_obj_reads_back_as_the_posed_full_mesh(tube, tmp_path):
    someone = person(pose=elbow_bent(90))
    said = write_obj(tmp_path / "avatar.obj", tube, someone, "photo")
    lines = (tmp_path / "avatar.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], dtype=float)
    faces = np.array(
        [[c.split("/") for c in line.split()[1:]] for line in lines if line.startswith("f ")], dtype=int
    )
    assert vertices == pytest.approx(displayed_vertices(tube, someone, "photo"), abs=1e-5)
    assert np.array_equal(np.sort(faces[..., 0] - 1, axis=None), np.sort(tube.faces.numpy(), axis=None))
    assert said == {
        "bytes": (tmp_path / "avatar.obj").stat().st_size,
        "triangles": len(tube.faces),
        "vertices": tube.skin_count,
    }


def test_materials_are_named_beside_it(tube, tmp_path):
    write_obj(tmp_path / "avatar.obj", tube, person(), skin_srgb=(0.5, 0.25, 0.125))
    text = (tmp_path / "avatar.mtl").read_text()
    assert "newmtl skin\nKd 0.5000 0.2500 0.1250" in text and "newmtl eyes" in text
    assert "mtllib avatar.mtl" in (tmp_path / "avatar.obj").read_text()


def test_same_person_same_bytes(tube, tmp_path):
    for name in ("a.obj", "b.obj"):
        write_obj(tmp_path / name, tube, person())
    first, second = ((tmp_path / name).read_text().split("\n", 1)[1] for name in ("a.obj", "b.obj"))
    assert first == second


def test_open_body_stands_on_the_floor_at_full_stature(open_body, woman, tmp_path):
    write_obj(tmp_path / "avatar.obj", open_body, woman)
    mesh = trimesh.load(tmp_path / "avatar.obj", force="mesh", process=False)
    low, high = mesh.bounds
    assert low[1] == pytest.approx(0, abs=1e-5)
    assert high[1] == pytest.approx(woman.stature_m, abs=1e-3)
