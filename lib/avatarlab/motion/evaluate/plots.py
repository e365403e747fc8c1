"""Figures of the scores: all models at a glance, joint by joint, along a clip, clip by clip, with a lost controller."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from avatarlab.motion.evaluate.dropout import LOST, Curve, seconds
from avatarlab.motion.evaluate.segments import JOINTS
from avatarlab.motion.evaluate.tables import SPLIT_WORDS, Means
from avatarlab.motion.skeleton import NAMES
from avatarlab.motion.trackers import RATE
from avatarlab.show.figures import PALETTE, legend_outside

ORDER = (15, 12, 9, 6, 3, 0, 13, 16, 18, 20, 14, 17, 19, 21, 1, 4, 7, 10, 2, 5, 8, 11)
"""Joints from the head down: trunk, left and right arm, left and right leg."""
COLOURS = {
    "mean": PALETTE["grey"], "knn": PALETTE["skin"], "ridge": PALETTE["purple"], "avatarposer": PALETTE["orange"],
    "avatarposer_normalised": PALETTE["red"], "sage": PALETTE["green"], "causal": PALETTE["blue"],
}  # fmt: skip
SHOWN = {"mpjpe_cm": "MPJPE (cm)", "mpjve_cm_s": "MPJVE (cm/s)", "jitter_100m_s3": "jitter (100 m/s³)"}


def at_a_glance(means: Means):
    """Three bar charts, a group for each split, a bar for each model; jitter on a logarithmic axis."""
    splits, names = (list(dict.fromkeys(pair[k] for pair in means)) for k in (0, 1))
    figure, grid = plt.subplots(1, 3, figsize=(10, 3.6))
    for axes, (key, words) in zip(grid, SHOWN.items(), strict=True):
        _bars(axes, means, splits, names, key)
        axes.set(title=words)
        axes.set_xticks(range(len(splits)), splits)
    for split, base in enumerate(splits):
        grid[2].hlines(
            means[base, names[0]]["truth_jitter_100m_s3"], split - 0.45, split + 0.45, color="black", lw=1
        )
    grid[2].set_yscale("log")
    grid[2].plot([], [], color="black", lw=1, label="truth")
    legend_outside(grid[2])
    figure.suptitle("How far off each model is", x=0.01, ha="left", fontweight="bold")
    return figure


def _bars(axes, means: Means, splits: Sequence[str], names: Sequence[str], key: str) -> None:
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        at = [k - 0.4 + (number + 0.5) * width for k, split in enumerate(splits) if (split, name) in means]
        heights = [means[split, name][key] for split in splits if (split, name) in means]
        axes.bar(at, heights, width, color=COLOURS[name], label=name)
    axes.grid(axis="x", visible=False)


def by_joint(rows: Sequence[Mapping], split: str, names: Sequence[str]):
    """Mean error of each joint in one split, a line of dots for each model."""
    figure, axes = plt.subplots(figsize=(10, 4))
    for name in names:
        mine = [[row[JOINTS[k]] for k in ORDER] for row in rows if (row["split"], row["model"]) == (split, name)]
        axes.plot(np.mean(mine, 0), "o-", color=COLOURS[name], label=name, linewidth=1, markersize=4)
    axes.set(
        ylabel="mean error (cm)", ylim=(0, None), title=f"Error of each joint, {SPLIT_WORDS.get(split, split)}"
    )
    axes.set_xticks(
        range(len(NAMES)), [NAMES[k].replace("_", " ") for k in ORDER], rotation=60, ha="right", fontsize=9
    )
    legend_outside(axes)
    return figure


def along(clip: str, true: np.ndarray, pred: Mapping[str, np.ndarray]):
    """Error of all joints over the time of one clip, positions (T, 22, 3) m."""
    figure, axes = plt.subplots(figsize=(10, 3.6))
    for name, positions in pred.items():
        error_cm = 100 * np.linalg.norm(true - positions, axis=-1).mean(-1)
        axes.plot(np.arange(len(true)) / RATE, error_cm, color=COLOURS[name], label=name, linewidth=1.2)
    axes.set(xlabel="seconds", ylabel="mean error (cm)", ylim=(0, None), title=f"Error over the time of {clip}")
    legend_outside(axes)
    return figure


def by_clip(rows: Sequence[Mapping], names: Sequence[str]):
    """Share of segments whose MPJPE is below a bound, a panel for each split, a curve for each model."""
    splits = list(dict.fromkeys(row["split"] for row in rows))
    figure, grid = plt.subplots(1, len(splits), figsize=(10, 3.6), sharey=True, squeeze=False)
    for axes, split in zip(grid[0], splits, strict=True):
        for name in names:
            mine = sorted(row["mpjpe_cm"] for row in rows if (row["split"], row["model"]) == (split, name))
            axes.step(mine, 100 * np.arange(1, len(mine) + 1) / max(len(mine), 1), color=COLOURS[name], label=name)
        axes.set(title=SPLIT_WORDS.get(split, split), xlabel="MPJPE (cm)", xlim=(0, 40))
        axes.title.set_fontsize(11)
    grid[0][0].set_ylabel("segments below (%)")
    legend_outside(grid[0][-1])
    return figure


def lost_controller(curves: Mapping[str, Curve]):
    """Errors of the lost wrist and of all joints before, while and after a controller is lost."""
    figure, grid = plt.subplots(1, 2, figsize=(10, 3.6))
    for axes, (part, words) in zip(
        grid, {"wrist_cm": "lost wrist", "mpjpe_cm": "all joints"}.items(), strict=True
    ):
        axes.axvspan(0, LOST / RATE, color="#f1f3f6", zorder=0)
        for name, curve in curves.items():
            axes.plot(seconds(), getattr(curve, part), color=COLOURS[name], label=name)
        axes.set(title=words, xlabel="seconds since it was lost", ylabel="mean error (cm)", ylim=(0, None))
    legend_outside(grid[1])
    figure.suptitle("A controller is lost for two seconds", x=0.01, ha="left", fontweight="bold")
    return figure


def best_and_worst(rows: Sequence[Mapping], split: str, name: str, count: int = 3) -> str:
    """The segments of a split that a model gets most and least right, as text."""
    mine = sorted((r for r in rows if (r["split"], r["model"]) == (split, name)), key=lambda r: r["mpjpe_cm"])
    chosen = dict(enumerate(mine)).items()
    lines = [f"{'':6s}{'MPJPE cm':>9s}{'lower cm':>9s}{'seconds':>9s}  {name}, {SPLIT_WORDS.get(split, split)}"]
    for rank, row in chosen:
        if rank < count or rank >= len(mine) - count:
            word = "best" if rank < count else "worst"
            figures = f"{row['mpjpe_cm']:9.2f}{row['lower_cm']:9.2f}{row['frames'] / RATE:9.1f}"
            lines.append(f"{word:6s}{figures}  {row['clip']} ({row['subject']}, segment {row['segment']})")
    return "\n".join(lines)
