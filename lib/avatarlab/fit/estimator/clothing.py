"""Where clothes stand off: how far the photo's outline stays outside the fitted body, region by region."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from avatarlab.fit.estimator import contours
from avatarlab.fit.estimator.search import Search
from avatarlab.fit.estimator.state import State

REGIONS = {
    "trunk": ("chest", "waist", "hip"),
    "thigh": ("thigh",),
    "calf": ("calf",),
    "upper_arm": ("bicep",),
    "forearm": ("forearm",),
}
"""Body part -> the measures that its clothes cover."""
ARMS = ("upper_arm", "forearm")
"""Not judged from the side, where they lie over the trunk."""
LOOSE_M = 0.015
"""Clothes that the body cannot follow by more than this hide it; tight ones it follows, and the posterior knows them."""
FEWEST = 12
"""Outline points of a region below which nothing is said of it."""


@dataclass(frozen=True)
class Region:
    """One part in one photo: ``points`` of outline matched, and how far the photo's stands off them on average, m."""

    points: int
    off_m: float


def regions(search: Search, state: State, number: int) -> dict[str, Region]:
    """The regions of one view, by part; those without outline are absent."""
    aim, view = search.targets[number], state.views[number]
    posture = search.all.at(state.betas, view.pose)
    found = contours.pairs(search.draw, search.draw(posture, view, aim.size), aim)
    if found is None:
        return {}
    off_m = -found.lines.off * float(view.shift[2]) / float(view.log_focal.exp())
    part = search.body.part[found.vertices]
    used = found.lines.weight > 0
    names = [name for name in REGIONS if name not in ARMS or not aim.side]
    chosen = {name: used & torch.isin(part, _numbers(search, name)) for name in names}
    return {name: Region(int(at.sum()), float(off_m[at].mean())) for name, at in chosen.items() if at.any()}


def _numbers(search: Search, name: str) -> Tensor:
    """The body's part numbers called ``name``, left and right."""
    return torch.tensor(
        [k for k, part in enumerate(search.body.parts) if part in (name, f"l_{name}", f"r_{name}")]
    )


def clothed(views: Iterable[dict[str, Region]]) -> dict[str, str]:
    """Measure -> reason, where the outline stands further off than LOOSE_M in any of the views."""
    worst: dict[str, float] = {}
    for view in views:
        for name, region in view.items():
            if region.points >= FEWEST and region.off_m > max(LOOSE_M, worst.get(name, 0.0)):
                worst[name] = region.off_m
    return {
        measure: f"clothes stand off the body by {1000 * off_m:.0f} mm"
        for name, off_m in worst.items()
        for measure in REGIONS[name]
    }
