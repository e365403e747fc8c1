"""3D views through k3d: live in JupyterLab, a self-contained snapshot in rendered reports, one call for both.

body = view.mesh(vertices, faces)
view.show(view.plot(body, view.points(joints, size_m=0.02)))
view.move(body, other_vertices)       # live: the mesh moves in place
"""

import html
import os
import warnings
from collections.abc import Callable, Sequence

import fast_simplification
import k3d
import numpy as np
from IPython.display import display
from scipy.spatial import cKDTree

from avatarlab.lab.figures import PALETTE, filmstrip
from avatarlab.shapes import expect

# k3d asks traittypes for float32 and is told that float32 is not float32 where byte orders are spelled differently.
warnings.filterwarnings("ignore", message="Given trait value dtype", module="traittypes")

TRIANGLES = 10_000
"""Triangles kept of a mesh in a report; more only make the page heavy."""


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


def show(made) -> None:
    """Show a plot: the live widget in JupyterLab, a snapshot that needs no server in a report."""
    if in_report():
        display({"text/html": snapshot(made), "text/plain": "3D view"}, raw=True)
    else:
        display(made)


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
    corners = np.concatenate(
        [getattr(t, "vertices", getattr(t, "positions", None)).reshape(-1, 3) for t in things]
    )
    low, high = corners.min(0), corners.max(0)
    target = (low + high) / 2
    distance = 0.5 * np.linalg.norm(high - low) / np.tan(np.deg2rad(fov_deg) / 2)
    eye = target + distance * np.array([np.sin(turn), 0.1, np.cos(turn)])
    return [float(x) for x in (*eye, *target, 0, 1, 0)]


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
