"""The pictures and figures of fitted people, the same in the notebook, the service and the demo.

People are given by name (name -> FittedPerson); the name of the only one may be empty.
"""

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from avatarlab.body import Body
from avatarlab.fit.estimator.quality import Quality
from avatarlab.fit.fitting import placeholder
from avatarlab.fit.overlays import overlay_thumbnail, row_table
from avatarlab.fit.person import FittedPerson, PersonPhotos
from avatarlab.photo import picture
from avatarlab.photo.tone import Tone, monk_rgb
from avatarlab.show.figures import PALETTE, legend_outside

MARKS = {
    "read off the photos": {"marker": "o"},
    "guessed from the rest": {"marker": "o", "fillstyle": "none"},
    "withheld": {"marker": "x"},
}
"""How much the photos tell of a measure -> its marker."""


def plot_observations(look: PersonPhotos) -> dict[str, np.ndarray]:
    """View -> photo uint8 (H, W, 3) with the person's outline, parts and keypoints, and in words what is missing."""
    return {view: picture(look.photos[view].rgb, seen) for view, seen in look.observations.items()}


def overlays(body: Body, person: FittedPerson) -> dict[str, np.ndarray]:
    """View -> photo uint8 (H, W, 3) with the body over it, the photo's outline orange, the body's blue."""
    betas = person.result.person.betas()
    return {
        view: overlay_thumbnail(photo.rgb, seen.mask, body, betas, pose, camera)
        for view, photo, seen, pose, camera in person.views()
    }


def row_widths(body: Body, people: Mapping[str, FittedPerson]) -> Figure:
    """How wide the trunk is, level by level: in each photo, on the average body of that stature, on the fitted one."""
    panels = [
        (_titled(name, one[0]), person, one[2:]) for name, person in people.items() for one in person.views()
    ]
    count = max(len(panels), 1)
    figure, grid = plt.subplots(1, count, figsize=(4.3 * count + 1, 4.5), squeeze=False)
    for axes, (title, person, view) in zip(grid[0], panels, strict=False):
        mean, mine = placeholder(body, person.subject).betas(), person.result.person.betas()
        before, after = (row_table(body, view[0], betas, *view[1:]) for betas in (mean, mine))
        axes.plot(after.photo_mm, after.level, color=PALETTE["orange"], lw=4, alpha=0.5, label="photo")
        axes.plot(before.body_mm, before.level, color=PALETTE["grey"], label="average body")
        axes.plot(after.body_mm, after.level, color=PALETTE["blue"], label="fitted body")
        axes.set(title=title, xlabel="trunk width (mm)", ylabel="row of the photo (px)")
        axes.invert_yaxis()
    if panels:
        legend_outside(grid[0][-1])
    figure.suptitle("Width of the trunk: photo, average body, fitted body", x=0.01, ha="left", fontweight="bold")
    return figure


def plot_std(people: Mapping[str, FittedPerson]) -> Figure:
    """Each measure's standard deviation, and whether the photos show it, let it be guessed, or cannot know it."""
    figure, axes = plt.subplots(figsize=(9, 4.5))
    names = [m for m in next(iter(people.values())).result.quality.tape_sd_cm if m != "stature"]
    for (name, person), colour in zip(people.items(), cycle(PALETTE.values()), strict=False):
        for how, mark in MARKS.items():
            at = [k for k, m in enumerate(names) if known_by(person.result.quality, m) == how]
            std = [10 * person.result.quality.tape_sd_cm[names[k]] for k in at]
            if at:
                axes.plot(std, at, ls="", color=colour, label=_titled(name, how), **mark)
    axes.set_yticks(range(len(names)), [m.replace("_", " ") for m in names])
    axes.set(title="Standard deviation of each measure, and what it rests on", xlabel="standard deviation (mm)")
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    legend_outside(axes)
    return figure


def known_by(quality: Quality, measure: str) -> str:
    """Which of MARKS holds for a measure."""
    read, guessed, withheld = MARKS
    if measure in quality.withheld:
        return withheld
    return guessed if measure in quality.unseen else read


def tones(people: Mapping[str, Tone]) -> Figure:
    """The estimated skin colour of each person beside the ten swatches of the Monk scale, with its interval."""
    size = (9, 1.3 * len(people) + 0.6)
    figure, grid = plt.subplots(len(people), 1, figsize=size, squeeze=False)
    for axes, (name, tone) in zip(grid[:, 0], people.items(), strict=True):
        axes.imshow([[*(monk_rgb() / 255), tone.srgb]], extent=(0.5, 11.5, 0, 1), aspect="auto")
        axes.plot(tone.monk_interval, (0.15, 0.15), "o-", color=PALETTE["blue"], lw=3)
        axes.set(yticks=[], xticks=range(1, 12), xticklabels=[*range(1, 11), "estimate"])
        axes.set_xlabel("value of the Monk scale")
        axes.set_title(_titled(name, f"Monk {tone.monk}, the line holds 90 of 100"))
        axes.grid(False)
    return figure


def _titled(*words: str) -> str:
    return ", ".join(word for word in words if word)
