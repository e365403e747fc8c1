"""3D views: live widgets in JupyterLab, steady self-contained frames in reports."""

import numpy as np
import pytest
import torch

from avatarlab.show import view


def sphere(rings: int = 20, sides: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices (rings * sides, 3) and faces of a sphere of radius 1 m, open at the poles."""
    polar, turn = np.meshgrid(np.linspace(0.1, 3.0, rings), np.arange(sides) * 2 * np.pi / sides, indexing="ij")
    v = np.stack([np.sin(polar) * np.cos(turn), np.cos(polar), np.sin(polar) * np.sin(turn)], -1).reshape(-1, 3)
    i = np.arange((rings - 1) * sides)
    j = i - i % sides + (i + 1) % sides
    return v, np.concatenate([np.stack([i, j, i + sides], 1), np.stack([j, j + sides, i + sides], 1)])


def scene():
    v, f = sphere()
    rim = view.line(v[:24], closed=True)
    return view.plot(view.mesh(v, f, colors=(v + 1) / 2), view.points(v[:3], size_m=0.1, color="#ff0000"), rim)


def test_snapshots_have_the_same_bytes_and_no_outside_resource():
    first, second = view.snapshot(scene()), view.snapshot(scene())
    assert first == second
    assert first.startswith("<iframe") and 'src="' not in first.split("srcdoc")[0]


def test_show_is_live_in_the_lab_and_a_frame_in_a_report(monkeypatch):
    shown = []
    monkeypatch.setattr(view, "display", lambda thing, **_: shown.append(thing))
    made = scene()
    monkeypatch.delenv("AVATARLAB_REPORT", raising=False)
    view.show(made)
    monkeypatch.setenv("AVATARLAB_REPORT", "1")
    view.show(made)
    assert shown[0] is made and shown[1]["text/html"].startswith("<iframe")


def test_reports_hold_lighter_meshes_that_keep_shape_and_colour(monkeypatch):
    v, f = sphere(100, 120)
    assert len(view.mesh(v, f).indices) == len(f)
    monkeypatch.setenv("AVATARLAB_REPORT", "1")
    light = view.mesh(v, f, colors=(v + 1) / 2)
    assert len(light.indices) <= view.TRIANGLES
    assert np.abs(np.linalg.norm(light.vertices, axis=1) - 1).max() < 0.02
    red = (light.colors >> 16) / 255
    assert np.abs(red - (light.vertices[:, 0] + 1) / 2).max() < 0.1


def test_move_changes_a_mesh_in_place_and_takes_tensors():
    v, f = sphere()
    body = view.mesh(torch.tensor(v), torch.tensor(f))
    view.move(body, torch.tensor(2 * v, requires_grad=True))
    assert np.allclose(body.vertices, 2 * v)
    with pytest.raises(ValueError, match="vertices: got shape"):
        view.move(body, v[:5])


def test_wrong_shapes_are_named():
    v, f = sphere()
    with pytest.raises(ValueError, match="vertices: got shape"):
        view.mesh(v.T, f)
    with pytest.raises(ValueError, match="faces: got shape"):
        view.mesh(v, f[:, :2])
    with pytest.raises(ValueError, match="colors: got shape"):
        view.mesh(v, f, colors=v[:3])
    with pytest.raises(ValueError, match="positions: got shape"):
        view.points(v[:, :2])
    with pytest.raises(ValueError, match="positions: got shape"):
        view.line(v[:, :2])


def test_camera_sees_the_whole_thing_upright():
    eye, target, up = np.reshape(scene().camera, (3, 3))
    assert up.tolist() == [0, 1, 0]
    assert np.allclose(target, 0, atol=0.02)
    assert eye[2] > 1.5 and np.linalg.norm(eye) > 1 / np.sin(np.deg2rad(30))


def test_colours():
    assert view.rgb("red") == 0xC0392B and view.rgb("#010203") == 0x010203 and view.rgb(5) == 5


def test_explore_is_a_filmstrip_in_a_report_and_a_slider_in_the_lab(monkeypatch):
    import ipywidgets

    strips, sliders = [], []
    monkeypatch.setattr(view, "filmstrip", lambda images, titles=(): strips.append((len(images), list(titles))))
    monkeypatch.setattr(ipywidgets, "interact", lambda _, value: sliders.append(value))
    monkeypatch.setenv("AVATARLAB_REPORT", "1")
    view.explore(lambda age: np.full((4, 4, 3), age), "age", [0, 0.5, 1], "years")
    assert strips == [(3, ["age 0 years", "age 0.5 years", "age 1 years"])]
    monkeypatch.delenv("AVATARLAB_REPORT")
    view.explore(lambda age: np.full((4, 4, 3), age), "age", [0, 0.5, 1], "years")
    assert [option[1] for option in sliders[0].options] == [0, 0.5, 1]


def test_a_turntable_is_a_view_that_walks_round():
    still, turning = (view.snapshot(make(view.mesh(*sphere()))) for make in (view.plot, view.turntable))
    assert "window.turntable" in turning and f"1000 * {view.TURN_S}" in turning and "window.turntable" not in still
    assert turning == view.snapshot(view.turntable(view.mesh(*sphere())))
