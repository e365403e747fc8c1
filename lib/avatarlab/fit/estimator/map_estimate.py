"""The search from end to end: observations and a stature in, the likeliest body and its certainty out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.core.subject import Subject
from avatarlab.fit.estimator import contours, shape
from avatarlab.fit.estimator.project_to_tapes import Tapes, tapes_of
from avatarlab.fit.estimator.search import Search
from avatarlab.fit.estimator.solve import shape_system
from avatarlab.fit.estimator.state import State, camera
from avatarlab.fit.estimator.target import Target, target
from avatarlab.fit.regressor.predict import Guess, choose_guess
from avatarlab.photo import Observation
from avatarlab.render import Camera

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
"""Outline points of a region below which it is not judged."""


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


def clothing_gaps(views: Iterable[dict[str, Region]]) -> dict[str, str]:
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


REACHES_M = (0.15, 0.12, 0.10, 0.08, 0.07, 0.06)
"""How far apart outlines may be and still pull, step by step. Matched outlines do not settle: from the fifth step on,
girths go up and down by millimetres, and twelve steps are no nearer to the tapes than six."""
SOFT_STEPS = 6


@dataclass(frozen=True, eq=False)
class MapEstimate:
    """What the search found: state, the shape's covariances (S, S) after and before the photos (given stature).

    ``cameras`` are at the photos' own resolution (world: the body's frame); ``search`` holds targets and prior;
    ``guess`` is what it started from, None: several starts.
    """

    search: Search
    state: State
    covariance: Tensor
    before: Tensor
    cameras: tuple[Camera, ...]
    guess: Guess | None = None

    @property
    def targets(self) -> tuple[Target, ...]:
        """The observations at working size."""
        return self.search.targets

    @cached_property
    def taped(self) -> Tapes:
        """The 16 tapes of the found body and their slopes."""
        return tapes_of(self.search.body, self.state.betas)

    @property
    def clothed(self) -> dict[str, str]:
        """Measures that loose clothes hide, and why in words."""
        return clothing_gaps(regions(self.search, self.state, number) for number in range(len(self.state.views)))


class StepCounter:
    """Counts the steps of a search; ``tell(done, total, stage, loss)`` hears each."""

    def __init__(self, tell: Callable[[int, int, str, float], None] | None):
        self.tell, self.total, self.done = tell, 1, 0

    def __call__(self, stage: str, loss: float) -> None:
        self.done += 1
        if self.tell:
            self.tell(self.done, max(self.total, self.done), stage, loss)


def search(
    observations: tuple[Observation, ...],
    subject: Subject,
    body: Body,
    seed: int = 7,
    guess: Guess | str | None = None,
    progress: Callable[[int, int, str, float], None] | None = None,
    steps: int = len(REACHES_M),
    weights: str = "pretrained",
    ahead: MapEstimate | None = None,
) -> MapEstimate:
    """Search shape, poses and cameras; arguments as of ``fit``. The weight plays no part.

    ``ahead``: an earlier search of the same person, of whose observations what was prepared is taken over; the
    result is the same to the last digit.
    """
    clock = StepCounter(progress)
    known = {id(aim.observation): aim for aim in ahead.targets} if ahead else {}
    targets = tuple(known.get(id(observation)) or target(observation) for observation in observations)
    stood = ahead.search.stood if ahead else {}
    looking = Search(body, targets, subject.stature_m, shape.prior(body, subject.sex), clock, seed, stood)
    first = choose_guess(guess, targets, subject, body, weights)
    starts = looking.POLISH_STEPS if first else looking.SHAPE_STARTS * looking.SHAPE_STEPS
    clock.total = len(targets) + starts + steps + SOFT_STEPS
    state = looking.started(first)
    reaches = (REACHES_M + REACHES_M[-1:] * steps)[:steps]
    state = looking.outlined(state, reaches)
    state = looking.softened(state, SOFT_STEPS, reaches[-1])
    normal = looking.honest(state, reaches[-1])
    slope = looking.stature.slope(state.betas)[1]
    covariance = shape.condition_on_stature(torch.linalg.inv(shape_system(normal)[0]), slope)
    before = shape.condition_on_stature(looking.prior.covariance, slope)
    return MapEstimate(looking, state, covariance, before, _cameras(looking, state), first)


def _cameras(looking: Search, state: State) -> tuple[Camera, ...]:
    found = []
    for aim, view in zip(looking.targets, state.views, strict=True):
        pelvis = looking.body.joints_only(betas=state.betas, pose=view.pose)[0]
        full = replace(view, log_focal=view.log_focal - torch.tensor(aim.factor).log())
        found.append(camera(full, pelvis, (aim.observation.width, aim.observation.height)))
    return tuple(found)
