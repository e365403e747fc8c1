"""Players of motion: k3d keyframes with the right times and positions, steady bytes, and frames that move offline."""

import numpy as np
import pytest

from avatarlab.show import view

EDGES = np.array([(0, 1), (1, 2)])


def swing(frames: int = 121) -> np.ndarray:
    """Points (T, 3, 3) m, z up: an arm that turns once in 2 s at 60 Hz about a post 1 m high."""
    angle = np.linspace(0, 2 * np.pi, frames)
    end = np.stack([np.cos(angle), np.sin(angle), np.full(frames, 1.0)], 1)
    post = np.broadcast_to([[0, 0, 0], [0, 0, 1.0]], (frames, 2, 3))
    return np.concatenate([post, end[:, None]], 1)


def test_keyframes_have_their_seconds_and_places():
    (arm, _floor) = view.player(swing(), EDGES, rate=60, up="z").objects
    times = [float(t) for t in arm.vertices]
    assert times[0] == 0 and times[-1] == pytest.approx(2) and len(times) == 2 * view.KEYFRAMES_PER_S + 1
    half = arm.vertices["1.0000"]
    assert half[2] == pytest.approx([-1, 1, 0], abs=1e-3), "z up became y up"


def test_several_figures_and_meshes():
    made = view.player({"truth": swing(), "ours": swing() + 0.1}, EDGES, rate=60)
    assert [thing.name for thing in made.objects][:2] == ["truth", "ours"]
    assert made.objects[0].color == view.rgb("grey") and made.objects[1].color == view.rgb("blue")
    mesh, _floor = view.player(swing(), np.array([(0, 1, 2)]), rate=60).objects
    assert mesh.type == "Mesh" and len(mesh.vertices) == 31


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match="frames: got shape"):
        view.player(swing()[0], EDGES, rate=60)
    with pytest.raises(ValueError, match="joins: got shape"):
        view.player(swing(), np.zeros((4, 4)), rate=60)
    with pytest.raises(ValueError, match="up: got 'x'"):
        view.player(swing(), EDGES, rate=60, up="x")


def test_live_players_have_a_button_and_a_slider(monkeypatch):
    shown = []
    monkeypatch.setattr(view, "display", lambda thing, **_: shown.append(thing))
    monkeypatch.delenv("AVATARLAB_REPORT", raising=False)
    view.show(view.player(swing(), EDGES, rate=60))
    bar, plot = shown[0].children
    assert bar.children[1].max == pytest.approx(2) and plot.get_time_series_range() == [0, 2]


def test_snapshot_has_the_same_bytes_and_few():
    first, second = (view.snapshot(view.player(swing(601), EDGES, rate=60)) for _ in range(2))
    assert first == second
    assert len(first) - len(view.snapshot(view.plot(view.points(swing()[0])))) < 100_000


@pytest.mark.browser
def test_report_plays_offline(offline, tmp_path):
    page_file = tmp_path / "player.html"
    page_file.write_text(f"<!doctype html>{view.snapshot(view.player(swing(), EDGES, rate=60, up='z'))}")
    page, complaints = offline(page_file, (900, 600))
    frame = page.frames[-1]
    frame.locator("button").wait_for(timeout=200_000)
    frame.wait_for_function("document.querySelector('input').max == '2'", timeout=50_000)
    frame.wait_for_function("parseFloat(document.querySelector('input').value) > 0.3", timeout=100_000)
    early = page.locator("iframe").screenshot()
    frame.wait_for_function("parseFloat(document.querySelector('input').value) > 1.2", timeout=100_000)
    assert page.locator("iframe").screenshot() != early
    frame.locator("button").click()
    frame.locator("button", has_text="play").wait_for(timeout=50_000)
    still = frame.locator("input").input_value()
    page.wait_for_timeout(500)
    assert frame.locator("input").input_value() == still and not complaints
