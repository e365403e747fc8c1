"""The report's figures: errors at a glance, intervals, errors over size, and one man's tapes over his photos."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from avatarlab.fit.estimator.posterior import SEXES, TAPES
from avatarlab.fit.evaluate.panel import INPUTS, Panel
from avatarlab.fit.evaluate.predictions import Answers, figure
from avatarlab.fit.evaluate.repeatability import Taken, spread_mm
from avatarlab.fit.evaluate.tables import BMNET_MM, METHODS, TRUNK, chosen
from avatarlab.show.figures import PALETTE, legend_outside

MARKS = {
    "stature": ("grey", "x", 55),
    "stature_weight": ("grey", "o", 45),
    "geometric": ("skin", "s", 50),
    "fit": ("blue", "o", 130),
    "floor": ("green", "|", 330),
    "mesh_floor": ("purple", "|", 200),
}
"""Method -> colour, mark, size: blue is ours, grey needs no photo, green and purple are as good as it gets."""
TRACKS = {"a": "clean outlines", "b": "everyday outlines", "c": "photos"}
SEX_COLOURS = {"male": "blue", "female": "orange"}
SHORT = {
    "front": "front",
    "front_side": "front\n+ side",
    "front_weight": "front\n+ weight",
    "front_side_weight": "all\nthree",
}
LENGTHS_MM = (5, 10, 20, 50, 100, 200)
BAND_PCT = (87, 93)
"""Coverage of the 90 % interval that is asked for."""


def words(inputs: str) -> str:
    """A set of inputs in words."""
    return inputs.replace("_", " + ")


def at_a_glance(table: Sequence[dict], track: str, inputs: str) -> Figure:
    """Mean error of each tape for one set of inputs, every method beside ours, and the published figures."""
    drawn, axes = plt.subplots(figsize=(11, 6.5))
    at = np.arange(len(TAPES))
    there = {row["method"] for row in table}
    for method, (colour, mark, size) in ((name, look) for name, look in MARKS.items() if name in there):
        rows = chosen(table, track=track, inputs=inputs, method=method)
        mae = [figure(rows, "mae_mm", tape) for tape in TAPES]
        front = 3 if method == "fit" else 2
        label = f"{METHODS[method]} ({np.mean(mae):.1f})"
        axes.scatter(mae, at, size, PALETTE[colour], marker=mark, linewidths=2.5, zorder=front, label=label)
    known = [TAPES.index(tape) for tape in BMNET_MM]
    axes.scatter(
        list(BMNET_MM.values()), known, 90, PALETTE["orange"], marker="D", zorder=3, label="BMnet, its own people"
    )
    axes.set_yticks(at, [tape.replace("_", " ") for tape in TAPES])
    axes.invert_yaxis()
    axes.set(
        title=f"Mean error per tape: {words(inputs)}, {TRACKS[track]}",
        xlabel="mean absolute error (mm, logarithmic)",
    )
    _logarithmic(axes)
    legend_outside(axes, title="method (mean of the fifteen, mm)")
    return drawn


def _logarithmic(axes) -> None:
    """A logarithmic x axis with plain numbers: a few millimetres and a decimetre both show."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xticks([x for x in LENGTHS_MM if low <= x <= high], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:.0f}")


def all_sets(table: Sequence[dict]) -> Figure:
    """The mean error over the fifteen tapes for every track and set of inputs, between floor and baseline."""
    tracks = list(dict.fromkeys(row["track"] for row in table))
    drawn, grid = plt.subplots(1, len(tracks), figsize=(11, 4.2), sharey=True, squeeze=False)
    for axes, track in zip(grid[0], tracks, strict=True):
        _one_track(axes, chosen(table, track=track))
        axes.set(title=TRACKS[track], ylim=(0, None))
        axes.set_xticks(range(len(INPUTS)), [SHORT[name] for name in INPUTS], fontsize=9)
    grid[0][0].set_ylabel("mean error of 15 tapes (mm)")
    legend_outside(grid[0][-1])
    return drawn


def _one_track(axes, table: Sequence[dict]) -> None:
    for k, (name, inputs) in enumerate(INPUTS.items()):
        of = {
            method: figure(chosen(table, inputs=name, method=method), "mae_mm")
            for method in ("_".join(inputs.known), "geometric", "fit", "floor")
        }
        once = k == 0
        axes.bar(k, of["fit"], 0.6, color=PALETTE["blue"], label="avatarlab" if once else None)
        for method, label in (
            ("_".join(inputs.known), "no photo, same numbers"), ("geometric", METHODS["geometric"]), ("floor", "floor")
        ):  # fmt: skip
            colour = PALETTE[MARKS[method][0]]
            axes.plot([k - 0.42, k + 0.42], [of[method]] * 2, color=colour, lw=3.5, label=label if once else None)
        axes.text(k, of["fit"] / 2, f"{of['fit']:.1f}", ha="center", va="center", color="white", fontweight="bold")
    axes.grid(axis="x", visible=False)


def intervals(table: Sequence[dict], inputs: str) -> Figure:
    """How often the truth lies in the 90 % interval, and how wide it is beside the baseline's, per tape and track."""
    drawn, (left, right) = plt.subplots(1, 2, figsize=(11, 6), sharey=True)
    tracks = list(dict.fromkeys(row["track"] for row in table))
    at, shades = np.arange(len(TAPES)), dict(zip(TRACKS, ("blue", "orange", "green"), strict=True))
    left.axvspan(*BAND_PCT, color=PALETTE["grey"], alpha=0.2, label="asked for: 87 to 93 %")
    for track in tracks:
        rows = chosen(table, track=track, inputs=inputs, method="fit")
        style = {"color": PALETTE[shades[track]], "s": 60, "zorder": 3}
        label = f"{TRACKS[track]} (mean {figure(rows, 'coverage90_pct'):.0f} %)"
        left.scatter([figure(rows, "coverage90_pct", tape) for tape in TAPES], at, label=label, **style)
        right.scatter([figure(rows, "width90_mm", tape) for tape in TAPES], at, label=TRACKS[track], **style)
    bare = chosen(table, track=tracks[0], inputs=inputs, method="_".join(INPUTS[inputs].known))
    widths = [figure(bare, "width90_mm", tape) for tape in TAPES]
    right.scatter(widths, at, 55, PALETTE["grey"], marker="x", linewidths=2.5, label="without a photo")
    left.set_yticks(at, [tape.replace("_", " ") for tape in TAPES])
    left.invert_yaxis()
    left.set(title=f"Truth in the 90 % interval: {words(inputs)}", xlabel="share of people (%)")
    right.set(title="How wide it is", xlabel="width (mm, logarithmic)")
    _logarithmic(right)
    for axes in (left, right):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return drawn


def errors(people: Panel, given: Answers, title: str) -> Figure:
    """Error over size for chest, waist and hip: does the fit shrink large people towards the mean?"""
    drawn, grid = plt.subplots(1, len(TRUNK), figsize=(11, 4), sharey=True)
    for axes, tape in zip(grid, TRUNK, strict=True):
        at = TAPES.index(tape)
        axes.axhspan(-20, 20, color=PALETTE["grey"], alpha=0.2, label="within 2 cm")
        for sex in SEXES:
            rows = people.sexes == sex
            truth = people.truth[rows, at]
            off = 1000 * (given.value[rows, at] - truth)
            axes.scatter(100 * truth, off, 22, PALETTE[SEX_COLOURS[sex]], alpha=0.7, label=sex)
        axes.set(title=tape, xlabel="true tape (cm)")
    grid[0].set_ylabel("error (mm)")
    legend_outside(grid[-1])
    drawn.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return drawn


def repeats(taken: Sequence[Taken], stature_cm: float) -> Figure:
    """Chest, waist and hip of one man in each of his photos, as shipped and before the posterior."""
    drawn, grid = plt.subplots(1, len(TRUNK), figsize=(11, 4.5), sharey=True)
    at = np.arange(len(taken))
    for axes, tape in zip(grid, TRUNK, strict=True):
        ours, mesh = ([100 * table[tape] for table in tables] for tables in _tables(taken))
        centre = float(np.mean(ours))
        axes.axvspan(centre - 2, centre + 2, color=PALETTE["grey"], alpha=0.2, label="mean ± 2 cm")
        axes.scatter(mesh, at, 50, PALETTE["skin"], marker="s", label="before the posterior")
        axes.scatter(ours, at, 80, PALETTE["blue"], label="avatarlab", zorder=3)
        axes.set(title=f"{tape}: SD {spread_mm([x / 100 for x in ours]) / 10:.1f} cm", xlabel="tape (cm)")
    grid[0].set_yticks(at, [one.name.removeprefix("ibm_yogait_").replace("_", " ") for one in taken])
    grid[0].invert_yaxis()
    legend_outside(grid[-1])
    drawn.suptitle(
        f"One man, one photo at a time (stature taken as {stature_cm:.0f} cm)",
        x=0.01,
        ha="left",
        fontweight="bold",
    )
    return drawn


def _tables(taken: Sequence[Taken]) -> tuple[list[Mapping[str, float]], list[Mapping[str, float]]]:
    return [one.tapes_m for one in taken], [one.mesh_m for one in taken]
