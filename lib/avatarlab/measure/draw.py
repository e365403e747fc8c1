"""A figure of the body with every tape on it: from the front and from its right side, named in the margins."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from avatarlab.measure.loops import Loop

SKIN = np.array([0.88, 0.74, 0.65])
GIRTH, LENGTH = "#2f6db3", "#d9822b"
LIGHT = np.array([0.35, 0.45, 0.82])
FRONT, SIDE = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]), np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
"""Rows: picture right, picture up, towards the viewer. The side view is from the person's right."""
LINE_M, ASIDE_M = 0.052, 0.08
"""Distance of two labels, of two dimension lines."""


def draw(body, vertices, loops: Mapping[str, Loop], labels: Mapping[str, str] | None = None) -> Figure:
    """Draw vertices (V, 3) m of ``body`` with the ``loops`` of ``sections``; ``labels``: name -> text (the name
    itself).

    Girths are blue, lengths orange; what lies behind the body is pale.
    """
    v, faces = np.asarray(vertices.detach().cpu()), np.asarray(body.faces.cpu())
    texts = {name: (labels or {}).get(name, name.replace("_", " ")) for name in loops}
    upright = {name: loop for name, loop in loops.items() if _vertical(loop)}
    spans = _spans(v, len(upright))
    widths = [high - low for low, high in spans]
    figure, (front, side) = plt.subplots(1, 2, figsize=(10, 9), width_ratios=widths)
    for axes, view, title, span in zip((front, side), (FRONT, SIDE), ("front", "right side"), spans, strict=True):
        _paint(axes, v, faces, view)
        axes.set_title(title, loc="center", fontweight="normal")
        axes.set(aspect="equal", xlim=span, ylim=(v[:, 1].min() - 0.03, v[:, 1].max() + 0.05))
        axes.set_axis_off()
    around = {name: loop for name, loop in loops.items() if name not in upright}
    _lay(front, around, FRONT)
    _lay(side, {name: loop for name, loop in loops.items() if loop.closed}, SIDE)
    _name(front, around, texts, v)
    _dimension(side, upright, texts, v)
    return figure


def _spans(vertices: np.ndarray, heights: int) -> list[tuple[float, float]]:
    """Left and right limits in metres of both pictures: room for names beside the front, for heights before the
    side."""
    reach = np.abs(vertices[:, 0]).max() + 0.36
    return [(-reach, reach), (vertices[:, 2].min() - 0.05, vertices[:, 2].max() + (heights + 0.9) * ASIDE_M)]


def _vertical(loop: Loop) -> bool:
    return not loop.closed and len(loop.points) == 2 and bool(np.ptp(loop.points[:, [0, 2]], axis=0).max() < 1e-6)


def _paint(axes: Axes, vertices: np.ndarray, faces: np.ndarray, view: np.ndarray) -> None:
    """Fill the triangles that face the viewer, far ones first."""
    corners = (vertices @ view.T)[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    shown = np.flatnonzero(normals[:, 2] > 0)
    shown = shown[np.argsort(corners[shown, :, 2].mean(1))]
    shade = 0.55 + 0.45 * np.clip(normals[shown] @ LIGHT, 0, 1)
    colours = np.clip(SKIN * shade[:, None], 0, 1)
    axes.add_collection(
        PolyCollection(
            corners[shown, :, :2], facecolors=colours, edgecolors=colours, linewidths=0.3, rasterized=True
        )
    )


def _lay(axes: Axes, loops: Mapping[str, Loop], view: np.ndarray) -> None:
    """Draw tapes; the far half of a closed one pale."""
    for loop in loops.values():
        points = np.concatenate([loop.points, loop.points[:1]]) if loop.closed else loop.points
        seen = points @ view.T
        colour = GIRTH if loop.closed else LENGTH
        near = seen[:, 2] >= seen[:, 2].mean() if loop.closed else np.ones(len(seen), dtype=bool)
        axes.plot(seen[:, 0], seen[:, 1], color=colour, linewidth=1.2, alpha=0.35)
        axes.plot(*np.where(near[:, None], seen[:, :2], np.nan).T, color=colour, linewidth=2.2)


def _name(axes: Axes, loops: Mapping[str, Loop], texts: Mapping[str, str], vertices: np.ndarray) -> None:
    """Write names in the nearer margin, at their tape's height but never over one another."""
    reach = np.abs(vertices[:, 0]).max() + 0.05
    for sign in (-1, 1):
        mine = {n: loop for n, loop in loops.items() if (loop.points[:, 0].mean() < -0.03) == (sign < 0)}
        order = sorted(mine, key=lambda n: mine[n].points[:, 1].mean())
        for name, height in zip(order, _apart([mine[n].points[:, 1].mean() for n in order]), strict=True):
            tip = _nearest(mine[name].points, sign, height)
            colour = GIRTH if mine[name].closed else LENGTH
            line = {"arrowstyle": "-", "color": colour, "linewidth": 0.7, "alpha": 0.7, "shrinkB": 0}
            place = {"ha": "left" if sign > 0 else "right", "va": "center", "fontsize": 10, "color": colour}
            axes.annotate(texts[name], tip, (sign * reach, height), arrowprops=line, **place)


def _nearest(points: np.ndarray, sign: int, height: float) -> np.ndarray:
    """Return the place (2,) on a tape (n, 3) that a name at ``height`` in the ``sign`` margin points to."""
    return points[(np.abs(points[:, 1] - height) - sign * points[:, 0]).argmin(), :2]


def _apart(heights: list[float]) -> list[float]:
    """Ascending heights, moved so that neighbours are LINE_M apart, as little as a few passes manage."""
    y = np.array(heights)
    for _ in range(100):
        overlap = np.clip(LINE_M - np.diff(y), 0, None) / 2
        y[:-1] -= overlap
        y[1:] += overlap
    return y.tolist()


def _dimension(axes: Axes, upright: Mapping[str, Loop], texts: Mapping[str, str], vertices: np.ndarray) -> None:
    """Draw heights as dimension lines in front of the body, the longest outermost."""
    order = sorted(upright, key=lambda name: np.ptp(upright[name].points[:, 1]))
    for k, name in enumerate(order):
        low, high = np.sort(upright[name].points[:, 1])
        x = vertices[:, 2].max() + (k + 0.7) * ASIDE_M
        axes.annotate("", (x, low), (x, high), arrowprops={"arrowstyle": "<->", "color": LENGTH, "linewidth": 1.4})
        axes.text(x + 0.01, (low + high) / 2, texts[name], rotation=90, va="center", fontsize=10, color=LENGTH)
