"""Motion on paper: stick figures at moments of a clip, side by side or one over the other, and what the feet do."""

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from avatarlab.core.shapes import expect
from avatarlab.motion.skeleton import JOINT, NAMES, PARENT
from avatarlab.motion.trackers import RATE
from avatarlab.show.figures import PALETTE, legend_outside

BONES = np.array([(above, joint) for joint, above in enumerate(PARENT) if above >= 0])
"""Pairs (21, 2) of joint numbers that a stick figure joins."""
SIDES = ("left", "right")

COLOURS = ("grey", "blue", "orange", "green", "purple", "red")
"""Of the motions in one row, in turn; the first is the reference where there are several."""

_CELL_M = 1.7
_FADED = 0.45
_ANKLE, _TOE = ([JOINT[f"{side}_{part}"] for side in SIDES] for part in ("ankle", "foot"))


def facing(positions) -> np.ndarray:
    """Positions (T, 22, 3) m, z up -> horizontal unit directions (T, 2) in which the hips face."""
    across = positions[:, JOINT["left_hip"], :2] - positions[:, JOINT["right_hip"], :2]
    forward = np.stack([across[:, 1], -across[:, 0]], 1)
    return forward / np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-9)


def side_view(positions, direction, centre) -> np.ndarray:
    """Positions (..., 3) m -> (..., 2): metres to the right of ``centre`` (2,) along ``direction`` (2,), height."""
    return np.stack([(positions[..., :2] - centre) @ direction, positions[..., 2]], -1)


def contact_sheet(rows: Mapping, moments: int = 10, turn_deg: float = 25.0, title: str = "", rate: float = RATE):
    """Rows of stick figures at even ``moments``, all on one scale, with the floor; returns the figure.

    rows: title -> joint positions (T, 22, 3) m, z up, or name -> positions of several motions of one length, drawn over each
    other. A camera at the side, ``turn_deg`` towards the front, walks along with the first motion's pelvis and keeps
    its direction through a row. Left limbs are strong, right ones faded.
    """
    rows = {name: _motions(value) for name, value in rows.items()}
    top = max(2.0, *(float(positions[..., 2].max()) for row in rows.values() for positions in row.values())) + 0.05
    bottom = min(-0.1, *(float(positions[..., 2].min()) for row in rows.values() for positions in row.values()))
    height = 10 * (top - bottom) / (moments * _CELL_M)
    figure, grid = plt.subplots(len(rows), 1, figsize=(10, len(rows) * (height + 0.55)), squeeze=False)
    for axes, (name, motions) in zip(grid[:, 0], rows.items(), strict=True):
        _row(axes, motions, moments, np.deg2rad(turn_deg), rate)
        axes.set(title=name, xlim=(-_CELL_M / 2, (moments - 0.5) * _CELL_M), ylim=(bottom, top), aspect="equal")
        axes.set_ylabel("m")
        axes.title.set_fontsize(11)
    grid[-1, 0].set_xlabel("seconds from the start")
    _name_colours(grid[0, 0], max(rows.values(), key=len))
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure


def foot_strip(motions: Mapping, contacts: Mapping | None = None, rate: float = RATE, title: str = ""):
    """Heights of ankle (faint) and toe joints above the floor over time, one panel a foot; returns the figure.

    motions: name -> joint positions (T, 22, 3) m, z up; contacts: name -> (T, 2) bool, left and right foot on the floor,
    drawn as bars under the curves.
    """
    motions, contacts = _motions(motions), contacts or {}
    figure, grid = plt.subplots(2, 1, figsize=(10, 4.2), sharex=True, sharey=True)
    for side, axes in enumerate(grid):
        for row, (colour, (name, positions)) in enumerate(zip(cycle(COLOURS), motions.items(), strict=False)):
            seconds = np.arange(len(positions)) / rate
            axes.plot(seconds, 100 * positions[:, _TOE[side], 2], color=PALETTE[colour], label=name)
            axes.plot(seconds, 100 * positions[:, _ANKLE[side], 2], color=PALETTE[colour], alpha=0.3)
            if name in contacts:
                _bars(axes, seconds, np.asarray(contacts[name])[:, side], -3 - 2 * row, PALETTE[colour])
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set(ylabel=f"{SIDES[side]} foot, cm")
    grid[1].set_xlabel("seconds")
    legend_outside(grid[0])
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure


def _motions(value) -> dict[str, np.ndarray]:
    """One array or a mapping of arrays or tensors -> mapping of arrays (T, 22, 3) of one length."""
    named = value if isinstance(value, Mapping) else {"": value}
    found = {}
    for name, positions in named.items():
        positions = positions.detach().cpu().numpy() if hasattr(positions, "detach") else np.asarray(positions)
        expect(
            f"positions {name!r}",
            positions,
            ("T", 22, 3),
            **({"T": len(next(iter(found.values())))} if found else {}),
        )
        found[name] = positions
    return found


def _row(axes, motions: dict[str, np.ndarray], moments: int, turn: float, rate: float) -> None:
    """Draw one row of stick figures; the x axis carries the moments' times."""
    lead = next(iter(motions.values()))
    frames = np.linspace(0, len(lead) - 1, moments).round().astype(int)
    forward = facing(lead).mean(0)
    forward = forward / max(np.linalg.norm(forward), 1e-9)
    left = np.array([-forward[1], forward[0]])
    direction = np.cos(turn) * forward + np.sin(turn) * left
    colours = cycle(COLOURS[1:] if len(motions) == 1 else COLOURS)
    for colour, positions in zip(colours, motions.values(), strict=False):
        for cell, frame in enumerate(frames):
            flat = side_view(positions[frame], direction, lead[frame, 0, :2]) + [cell * _CELL_M, 0]
            _figure(axes, flat, PALETTE[colour])
    axes.axhline(0, color="black", linewidth=0.8, zorder=0)
    axes.set_xticks(np.arange(moments) * _CELL_M, [f"{frame / rate:.1f}" for frame in frames])
    axes.grid(axis="x", visible=False)


def _figure(axes, flat: np.ndarray, colour: str) -> None:
    """One stick figure (22, 2): bones, the head as a dot."""
    right = np.array([name.startswith("right") for name in NAMES])[BONES[:, 1]]
    shades = [(*to_rgb(colour), _FADED if faded else 1.0) for faded in right]
    axes.add_collection(LineCollection(flat[BONES], colors=shades, linewidths=1.6, capstyle="round"))
    axes.plot(*flat[JOINT["head"]], "o", color=colour, markersize=5)


def _bars(axes, seconds: np.ndarray, on: np.ndarray, height: float, colour: str) -> None:
    """A bar at ``height`` cm wherever ``on`` (T,) holds."""
    axes.fill_between(seconds, height - 0.8, height + 0.8, where=on, color=colour, step="mid", linewidth=0)


def _name_colours(axes, motions: dict[str, np.ndarray]) -> None:
    """Say beside the sheet which colour is which motion, where there are several."""
    if len(motions) > 1:
        for colour, name in zip(cycle(COLOURS), motions, strict=False):
            axes.plot([], [], color=PALETTE[colour], label=name)
        legend_outside(axes)
