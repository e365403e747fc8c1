"""One look for every figure of the lab: colours, type, frames, and rows of pictures."""

from collections.abc import Sequence

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler

PALETTE = {
    "blue": "#2f6db3",
    "orange": "#d9822b",
    "green": "#3c8d5a",
    "red": "#c0392b",
    "purple": "#7b5ea7",
    "grey": "#7a8594",
    "skin": "#d9a98c",
}
"""Names, so that one thing keeps one colour: blue is ours, grey the reference, red falls short, skin a body."""


def style() -> None:
    """Set the lab's look for all figures that follow; call once, in the imports cell."""
    matplotlib.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=[c for name, c in PALETTE.items() if name != "skin"]),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlesize": 13,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 11,
            "grid.color": "#e6eaef",
            "font.size": 11,
            "legend.frameon": False,
            "figure.figsize": (9, 4.5),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "image.interpolation": "nearest",
            "svg.hashsalt": "avatarlab",  # else ids inside SVG figures are random
        }
    )


def legend_outside(axes, **options):
    """Put the legend to the right of ``axes``, outside the data; return it."""
    return axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, **options)


def filmstrip(images: Sequence[np.ndarray], titles: Sequence[str] = (), title: str = "", columns: int = 5):
    """Show ``images``, each (H, W), (H, W, 3) or (H, W, 4), side by side under their ``titles``; return the figure."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height, width = np.asarray(images[0]).shape[:2]
    side = 10 / columns
    figure, grid = plt.subplots(rows, columns, figsize=(10, rows * (side * height / width + 0.35)), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, image in zip(grid.flat, images, strict=False):
        axes.imshow(image, cmap="gray")
    for axes, text in zip(grid.flat, titles, strict=False):
        axes.set_title(text, fontsize=11, fontweight="normal")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    return figure
