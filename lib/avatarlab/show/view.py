"""3D views through k3d: live in JupyterLab, a self-contained snapshot in rendered reports, one call for both.

body = view.mesh(vertices, faces)
view.show(view.plot(body, view.points(joints, size_m=0.02)))
view.move(body, other_vertices)       # live: the mesh moves in place
view.show(view.player({"truth": positions, "ours": others}, edges, rate=60))    # plays, in a report too
"""

import html
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

import fast_simplification
import k3d
import numpy as np
from IPython.display import display
from scipy.spatial import cKDTree

from avatarlab.core.shapes import expect
from avatarlab.show.figures import PALETTE, filmstrip

# k3d asks traittypes for float32 and is told that float32 is not float32 where byte orders are spelled differently.
warnings.filterwarnings("ignore", message="Given trait value dtype", module="traittypes")

TRIANGLES = 10_000
"""Triangles kept of a mesh in a report; more only make the page heavy."""

KEYFRAMES_PER_S = 15
"""Of a player; k3d draws straight lines between them, and every one takes its bytes in a report."""

_GRAIN = 2048
"""Steps a metre to which a player's points are rounded, so that they pack."""

CAST = ("grey", "blue", "orange", "green", "purple", "red")
"""Colours of the figures of a player, in turn; of several the first is the reference."""

PLAYER_BAR = """
const bar = document.body.appendChild(document.createElement('div'));
bar.style = 'position:absolute;left:12px;right:12px;bottom:8px;display:flex;gap:8px;font:13px sans-serif;z-index:999';
bar.innerHTML = '<button></button><input type="range" min="0" value="0" step="any" style="flex:1"><span></span>';
const [button, slider, label] = bar.children;
slider.max = LAST;
button.onclick = () => K3DInstance.autoPlayed ? K3DInstance.stopAutoPlay() : K3DInstance.startAutoPlay();
slider.oninput = () => { K3DInstance.stopAutoPlay(); K3DInstance.setTime(parseFloat(slider.value)); };
(function follow() {
    const time = K3DInstance.parameters.time;
    button.textContent = K3DInstance.autoPlayed ? 'pause' : 'play';
    slider.value = time;
    label.textContent = time.toFixed(1) + ' s';
    requestAnimationFrame(follow);
})();
K3DInstance.startAutoPlay();
"""
"""What a report's player runs beside k3d: a button, a slider of seconds up to LAST, and off it goes."""


TURN_S = 16
"""Seconds of one turn of a turntable."""

TURNING = """
const { camera, controls } = K3DInstance.getWorld(), state = { camera, turning: true };
let last = performance.now();
for (const sign of ['pointerdown', 'wheel']) window.addEventListener(sign, () => { state.turning = false; }, true);
(function turn(now) {
    if (!state.turning) return;
    const angle = 2 * Math.PI * Math.min(now - last, 100) / (1000 * SECONDS), { position } = camera, { target } = controls;
    const [x, z] = [position.x - target.x, position.z - target.z];
    position.x = target.x + x * Math.cos(angle) + z * Math.sin(angle);
    position.z = target.z + z * Math.cos(angle) - x * Math.sin(angle);
    last = now;
    controls.update();
    K3DInstance.render();
    requestAnimationFrame(turn);
})(last);
window.turntable = state;
"""
"""What a report's turntable runs beside k3d: the camera walks round until it is touched."""


def in_report() -> bool:
    """Return True under the stage runner, where widgets would not survive."""
    return os.environ.get("AVATARLAB_REPORT") == "1"


def rgb(color: str | int) -> int:
    """Return k3d's integer for a palette name, ``#rrggbb`` or an integer."""
    if isinstance(color, int):
        return color
    return int(PALETTE.get(color, color).removeprefix("#"), 16)


def mesh(vertices, faces, color: str | int = "skin", colors=None, opacity: float = 1.0, wireframe: bool = False):
    """Return a k3d mesh of vertices (V, 3) in metres and faces (F, 3).

    ``colors`` (V, 3) sRGB 0..1 paints single vertices. In a report the mesh is reduced to TRIANGLES for viewing.
    """
    v, f = _array(vertices, np.float32), _array(faces, np.uint32)
    expect("vertices", v, ("V", 3))
    expect("faces", f, ("F", 3))
    paint = None if colors is None else np.clip(_array(colors, np.float32), 0, 1)
    if paint is not None:
        expect("colors", paint, ("V", 3), V=len(v))
    if in_report() and len(f) > TRIANGLES:
        v, f, paint = _reduced(v, f, paint)
    look = {"color": rgb(color)} if paint is None else {"colors": _packed(paint)}
    return k3d.mesh(
        v, f, opacity=opacity, wireframe=wireframe, flat_shading=False, side="double", roughness=0.8, **look
    )


def points(positions, size_m: float = 0.01, color: str | int = "blue"):
    """Return k3d points at positions (N, 3) in metres, spheres of diameter ``size_m``."""
    p = _array(positions, np.float32)
    expect("positions", p, ("N", 3))
    return k3d.points(p, point_size=size_m, color=rgb(color), shader="3d")


def line(positions, width_m: float = 0.004, color: str | int = "blue", closed: bool = False):
    """Return a k3d line through positions (N, 3) in metres; ``closed`` joins the last to the first (a tape)."""
    p = _array(positions, np.float32)
    expect("positions", p, ("N", 3))
    p = np.concatenate([p, p[:1]]) if closed else p
    return k3d.line(p, width=width_m, color=rgb(color), shader="mesh")


def player(frames, joins, rate: float, up: str = "y", height_px: int = 520, turn_deg: float = 20.0):
    """Return a k3d plot that plays ``frames`` in a loop at ``rate`` frames a second, on a floor of 1 m squares.

    frames: points (T, N, 3) in metres, or name -> points of several figures; ``joins`` are edges (E, 2) of a stick
    figure or faces (F, 3) of a mesh, of at most TRIANGLES in a report; ``up`` 'z' turns a z-up world to stand on the
    page. KEYFRAMES_PER_S frames a second are kept, to the half millimetre, and joined by straight lines.
    """
    cast = frames if isinstance(frames, Mapping) else {"": frames}
    joins = _array(joins, np.uint32)
    expect("joins", joins, ("E", 3 if joins.shape[-1] == 3 else 2))
    things = [
        _playing(_standing(points, up), joins, rate, color, name)
        for color, (name, points) in zip(cycle(CAST[1:] if len(cast) == 1 else CAST), cast.items(), strict=False)
    ]
    made = plot(*things, height_px=height_px, turn_deg=turn_deg)
    made += _floor(things)
    made.additional_js_code = PLAYER_BAR.replace("LAST", str(made.get_time_series_range()[1]))
    return made


def move(thing, vertices) -> None:
    """Give a live mesh new vertices (V, 3) in metres, in place."""
    v = _array(vertices, np.float32)
    expect("vertices", v, ("V", 3), V=len(thing.vertices))
    thing.vertices = v


def plot(*things, height_px: int = 520, turn_deg: float = 20.0):
    """Return a k3d plot of ``things``: y up, seen from the front, turned by ``turn_deg`` to its left."""
    made = k3d.plot(
        height=height_px, grid_visible=False, camera_auto_fit=False, menu_visibility=False, axes_helper=0
    )
    for thing in things:
        made += thing
    made.camera = _camera(things, np.deg2rad(turn_deg), made.camera_fov)
    return made


def turntable(*things, height_px: int = 520):
    """Return a plot of ``things`` that turns by itself in a snapshot, until somebody takes hold of it."""
    made = plot(*things, height_px=height_px)
    made.additional_js_code = TURNING.replace("SECONDS", str(TURN_S))
    return made


def show(made) -> None:
    """Show a plot: the live widget in JupyterLab, a snapshot that needs no server in a report."""
    if in_report():
        display({"text/html": snapshot(made), "text/plain": "3D view"}, raw=True)
    else:
        display(made if made.get_time_series_range()[1] == 0 else _with_controls(made))


def snapshot(made) -> str:
    """Return the plot as an HTML frame without any outside link, with the same bytes for the same things."""
    for number, thing in enumerate(made.objects, start=1):
        thing.id = number  # k3d numbers by memory address
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document = made.get_snapshot()
    begin, _, rest = document.partition("<title>")
    document = f"{begin}<title>view{rest[rest.index('</title>') :]}"  # the title holds the time of day
    return f'<iframe class="view" height="{made.height + 4}" srcdoc="{html.escape(document)}"></iframe>'


def explore(picture: Callable[..., np.ndarray], name: str, values: Sequence[float], unit: str = ""):
    """Show ``picture(value)`` -> (H, W, 3) over ``values``: a slider in JupyterLab, a filmstrip in a report."""
    if in_report():
        filmstrip([picture(value) for value in values], [f"{name} {value:g} {unit}".strip() for value in values])
        return
    from ipywidgets import SelectionSlider, interact

    options = [(f"{value:g} {unit}".strip(), value) for value in values]
    slider = SelectionSlider(options=options, description=name, continuous_update=False)
    interact(lambda value: filmstrip([picture(value)]), value=slider)


def _camera(things, turn: float, fov_deg: float) -> list[float]:
    """Return k3d's camera (eye, target, up) that fits all things, for bodies standing along y and facing +z."""
    corners = np.concatenate([_positions(thing) for thing in things])
    low, high = corners.min(0), corners.max(0)
    target = (low + high) / 2
    distance = 0.5 * np.linalg.norm(high - low) / np.tan(np.deg2rad(fov_deg) / 2)
    eye = target + distance * np.array([np.sin(turn), 0.1, np.cos(turn)])
    return [float(x) for x in (*eye, *target, 0, 1, 0)]


def _with_controls(made):
    """A live plot under a button that plays and a slider of seconds."""
    import ipywidgets as widgets

    play = widgets.ToggleButton(description="play", icon="play")
    play.observe(lambda change: made.start_auto_play() if change["new"] else made.stop_auto_play(), "value")
    last = made.get_time_series_range()[1]
    slider = widgets.FloatSlider(0, min=0, max=last, step=0.01, layout=widgets.Layout(width="60%"))
    widgets.jslink((slider, "value"), (made, "time"))
    return widgets.VBox([widgets.HBox([play, slider, widgets.Label("s")]), made])


def _positions(thing) -> np.ndarray:
    """All points (N, 3) of a thing, of all its moments if it moves."""
    held = getattr(thing, "vertices", getattr(thing, "positions", None))
    return np.concatenate([x.reshape(-1, 3) for x in (held.values() if isinstance(held, dict) else [held])])


def _standing(points, up: str) -> np.ndarray:
    """Points (T, N, 3) m of a y-up or z-up world -> y-up."""
    points = _array(points, np.float32)
    expect("frames", points, ("T", "N", 3))
    if up not in ("y", "z"):
        raise ValueError(f"up: got {up!r}, expected 'y' or 'z'.")
    return points if up == "y" else np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def _playing(points: np.ndarray, joins: np.ndarray, rate: float, color: str, name: str):
    """Lines or a mesh whose vertices follow ``points`` (T, N, 3): k3d's keyframes, seconds -> vertices."""
    count = max(2, round((len(points) - 1) / rate * KEYFRAMES_PER_S) + 1)
    chosen = np.unique(np.linspace(0, len(points) - 1, count).round().astype(int))
    keys = {f"{t / rate:.4f}": np.round(points[t] * _GRAIN) / np.float32(_GRAIN) for t in chosen}
    if joins.shape[1] == 3:
        look = {"flat_shading": False, "side": "double", "roughness": 0.8}
        return k3d.mesh(keys, joins, color=rgb(color), name=name or None, **look)
    return k3d.lines(
        keys, joins, indices_type="segment", width=0.03, shader="mesh", color=rgb(color), name=name or None
    )


def _floor(things):
    """Lines one metre apart at y = 0, under all that moves."""
    corners = np.concatenate([_positions(thing) for thing in things])[:, [0, 2]]
    low, high = np.floor(corners.min(0) - 0.3), np.ceil(corners.max(0) + 0.3)
    across = [((x, 0, low[1]), (x, 0, high[1])) for x in np.arange(low[0], high[0] + 1)]
    along = [((low[0], 0, z), (high[0], 0, z)) for z in np.arange(low[1], high[1] + 1)]
    ends = np.array(across + along, np.float32).reshape(-1, 3)
    pairs = np.arange(len(ends), dtype=np.uint32).reshape(-1, 2)
    return k3d.lines(ends, pairs, indices_type="segment", width=0.004, shader="simple", color=rgb("#c3cad3"))


def _array(values, dtype) -> np.ndarray:
    """Return a contiguous copy on the CPU of an array or tensor."""
    values = values.detach().cpu().numpy() if hasattr(values, "detach") else values
    return np.ascontiguousarray(values, dtype)


def _reduced(vertices: np.ndarray, faces: np.ndarray, paint: np.ndarray | None):
    """Return (vertices, faces, colors) of at most TRIANGLES; new vertices take the colour of the nearest old one."""
    v, f = fast_simplification.simplify(vertices, faces.astype(np.int32), target_count=TRIANGLES)
    paint = None if paint is None else paint[cKDTree(vertices).query(v)[1]]
    return _array(v, np.float32), _array(f, np.uint32), paint


def _packed(paint: np.ndarray) -> np.ndarray:
    """Return colors (V, 3) in 0..1 as k3d's integers 0xrrggbb."""
    r, g, b = np.round(255 * paint).astype(np.uint32).T
    return (r << 16) | (g << 8) | b
