"""Figures of the stratified model's stages: how losses fell, which codes are used, what codes keep of a pose."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch

from avatarlab.motion.data.windows import Windows
from avatarlab.motion.plots import contact_sheet
from avatarlab.motion.sage.evaluate import rebuilt
from avatarlab.motion.sage.model import Codebooks
from avatarlab.show import figures


def curves(history: Mapping[str, Sequence[Mapping]], key: str = "total", title: str = "", unit: str = "loss"):
    """``key`` of each part's history (rows with ``step``) over its steps; returns the figure."""
    figure, axes = plt.subplots(figsize=(9, 3.6))
    for part, rows in history.items():
        values = [row[key] for row in rows]
        axes.plot([row["step"] for row in rows], values, "o-", ms=3, label=part.replace("_", " "))
    axes.set(title=title, xlabel="optimizer steps", ylabel=unit, ylim=(0, None))
    figures.legend_outside(axes)
    return figure


@torch.no_grad()
def code_usage(codebooks: Codebooks, windows: Windows, count: int = 500):
    """How often each code of each book is taken in ``count`` windows, the most frequent first; returns the figure."""
    ends = torch.linspace(0, len(windows) - 1, min(count, len(windows))).long()
    indices = rebuilt(codebooks, windows, ends)[2]
    figure, grid = plt.subplots(1, len(indices), figsize=(10, 3.4), sharey=True)
    entries = codebooks.settings.entries
    for axes, (part, found) in zip(grid, indices.items(), strict=True):
        for book in range(found.shape[-1]):
            share = np.bincount(found[..., book].flatten().numpy(), minlength=entries) / found[..., book].numel()
            axes.plot(np.arange(1, entries + 1), 100 * np.sort(share)[::-1], lw=1)
        axes.axhline(100 / entries, color=figures.PALETTE["grey"], ls="--")
        axes.set(title=f"{part} body, each line one book", xlabel="codes, the most frequent first")
    grid[0].set(ylabel="taken (%)", yscale="log", ylim=(0.01, None))
    return figure


@torch.no_grad()
def kept_by_codes(codebooks: Codebooks, windows: Windows, count: int = 10):
    """The last frames of ``count`` windows spread over ``windows``, true and after codes and back; returns the figure."""
    pred, true, _ = rebuilt(codebooks, windows, torch.linspace(0, len(windows) - 1, count).long())
    up = true.new_tensor((0.0, 0.0, 1.6))
    rows = {"true": (true[:, -1] + up).numpy(), "from codes": (pred[:, -1] + up).numpy()}
    return contact_sheet(
        {"last frames": rows}, moments=count, title="The last frame of windows, true and from their codes"
    )
