"""The search itself: keypoints for camera and pose, row widths for a first shape, outlines for everything."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from avatarlab.body import Body, poses
from avatarlab.body.jacobians import Posture
from avatarlab.fit.estimator import contours, residuals, silhouette_widths, silhouettes
from avatarlab.fit.estimator.contours import Drawn
from avatarlab.fit.estimator.observation_model import observation_model
from avatarlab.fit.estimator.residuals import DOUBLE, NormalEquations
from avatarlab.fit.estimator.shape import ShapePrior, to_stature
from avatarlab.fit.estimator.solve import constrained_step
from avatarlab.fit.estimator.state import (
    PER_VIEW,
    State,
    ViewState,
    keypoint_moves,
    project_points,
    shift_onto_keypoints,
    start_view,
    vertex_moves,
)
from avatarlab.fit.estimator.target import Target
from avatarlab.fit.regressor.predict import Guess

SOFT_DAMPING = 0.03
MISSED = 0.04
"""A guess whose keypoints are off by more, of the person's height, is of another pose: noise alone makes 0.02."""
LEADING = 4
"""Components of the prior along which the shape's starts are drawn."""

ANNEALED = ((6.0, 3.0), (3.0, 2.0), (1.5, 1.3), (1.0, 1.0))
"""(spread of keypoints, strength of the pose prior) per stage, from far and stiff to near and free."""


class Shown(NamedTuple):
    """The bodies of a state, one for each view: posed, and drawn into the working pictures."""

    postures: list[Posture]
    drawn: list[Drawn]


@dataclass(eq=False)
class Search:
    """All that stays the same during one fit; ``report(stage, energy)`` is called after every step.

    ``stood``: betas and the view found for them by keypoints alone, by target; searches of one person may share it.
    """

    body: Body
    targets: tuple[Target, ...]
    stature_m: float
    prior: ShapePrior
    report: Callable[[str, float], None] = lambda stage, energy: None
    seed: int = 7
    stood: dict[Target, tuple[Tensor, ViewState]] = field(default_factory=dict)

    SHAPE_STARTS, SHAPE_STEPS, POLISH_STEPS = 3, 3, 2
    KEPT = (3, 1)
    """How many of the six poses go on after each round of keypoint steps."""

    def __post_init__(self):
        parts = observation_model(self.body)
        self.points, self.stature, self.draw = parts.points, parts.stature, parts.draw
        self.all, self.few = parts.all, parts.few
        self.rest = poses.standing()
        self.sigma_m = [contours.FIRST_SIGMA_M] * len(self.targets)
        self.misfit_m = [contours.NO_OUTLINE_M] * len(self.targets)
        self.seen = [silhouette_widths.widths(aim.parts, *silhouette_widths.levels(aim)) for aim in self.targets]

    def mean_shape(self) -> Tensor:
        """The prior's mean given the stature (S,)."""
        return to_stature(self.prior.mean.float(), self.stature, self.stature_m, self.prior.covariance)

    def system(
        self, state: State, loose: float = 1.0, strength: float = 1.0, postures=None, views=None
    ) -> NormalEquations:
        """Keypoints, limb directions and every prior; the whole bodies' ``postures`` are used where they are there.

        ``views``: which photos the state's views are of, if not all.
        """
        normal = NormalEquations(len(state.betas), len(state.views))
        for number, (view, aim) in enumerate(zip(state.views, self._aims(views), strict=True)):
            if postures is None:
                posture, chosen = self.few.at(state.betas, view.pose), torch.arange(len(self.points.vertices))
            else:
                posture, chosen = postures[number], self.points.vertices
            self._keypoints(normal, state, number, aim, keypoint_moves(posture, view, self.points, chosen), loose)
        residuals.pose_prior(normal, state, self.rest, strength)
        residuals.tie(normal, state)
        residuals.shape_prior(normal, state, self.prior)
        return normal

    def _aims(self, views) -> tuple[Target, ...]:
        return self.targets if views is None else tuple(self.targets[k] for k in views)

    def shown(self, state: State) -> Shown:
        """The whole bodies of a state, posed and drawn."""
        postures = self.postures(state)
        views = zip(postures, state.views, self.targets, strict=True)
        return Shown(postures, [self.draw(posture, view, aim.size) for posture, view, aim in views])

    def postures(self, state: State) -> list[Posture]:
        """The whole body in each view's pose."""
        return [self.all.at(state.betas, view.pose) for view in state.views]

    def _keypoints(
        self, normal: NormalEquations, state: State, number: int, aim: Target, moves, loose: float
    ) -> None:
        image = project_points(moves, state.views[number], aim.size, normal.shapes + 6)
        residuals.keypoints(normal, number, image, aim.keypoints, aim.seen, loose, aim.side)
        residuals.directions(normal, number, moves, aim.world, aim.seen, 1.0)
        residuals.camera_prior(normal, number, state, aim.focal_px, aim.observation.focal_source)

    def add_rows(self, normal: NormalEquations, posture: Posture, view: ViewState, number: int) -> None:
        """The row widths of one view."""
        aim = self.targets[number]
        if not len(self.seen[number].row):
            return
        drawn = self.draw(posture, view, aim.size, arms=False)
        pairs = silhouette_widths.compare(self.draw, drawn, aim, self.seen[number])
        if not len(pairs.off):
            return
        moves = vertex_moves(posture, view, pairs.vertices.reshape(-1))
        silhouette_widths.add(normal, number, project_points(moves, view, aim.size, normal.shapes + 6), pairs)

    def add_outline(
        self, normal: NormalEquations, shown: Shown, view: ViewState, number: int, reach_m: float
    ) -> float:
        """The outline of one view; returns the misfit (m) at trunk and legs."""
        aim = self.targets[number]
        found = contours.pairs(self.draw, shown.drawn[number], aim)
        if found is None:
            return contours.NO_OUTLINE_M
        moves = vertex_moves(shown.postures[number], view, found.vertices)
        image = project_points(moves, view, aim.size, normal.shapes + 6)
        residuals.lines(normal, number, image, found.lines, self.sigma_m[number], reach_m)
        return contours.misfit(self.draw, found, float(image.scale.median()))[1]

    def take(self, state: State, normal: NormalEquations, free: Tensor, damping: float) -> State:
        """One constrained step, then the exact stature."""
        if not bool(free[0]):
            return state.moved(constrained_step(normal, None, 0.0, damping, free))
        value, slope = self.stature.slope(state.betas)
        state = state.moved(constrained_step(normal, slope, self.stature_m - value, damping, free))
        return State(to_stature(state.betas, self.stature, self.stature_m, self.prior.covariance), state.views)

    def free(self, state: State, shape: bool, views) -> Tensor:
        """Step columns (P,) bool that may move: the shape, and the given views' cameras and poses."""
        free = torch.zeros(len(state.betas) + PER_VIEW * len(state.views), dtype=torch.bool)
        free[: len(state.betas)] = shape
        for number in views:
            start = len(state.betas) + number * PER_VIEW
            free[start : start + PER_VIEW] = True
        return free

    def started(self, guess: Guess | None = None) -> State:
        """Camera, pose and a first shape: from several starts, or by a few steps from a guess."""
        betas = self.mean_shape()
        if guess is not None:
            return self._polished(guess, betas)
        state = State(betas, tuple(self._stood(betas, k) for k in range(len(self.targets))))
        return self.shaped(state, self._shape_starts(betas))

    def _stood(self, betas: Tensor, number: int) -> ViewState:
        """Camera and pose of one view of a body with ``betas``, from several starts; found once for each target."""
        aim = self.targets[number]
        known, view = self.stood.get(aim, (None, None))
        if known is None or not torch.equal(known, betas):
            view = self.posed(betas, number)
            self.stood[aim] = betas, view
        return view

    def _polished(self, guess: Guess, betas: Tensor) -> State:
        """The guess after a few steps by keypoints and row widths; without a shape of its own it gets ``betas``.

        A view whose keypoints it misses is posed from several starts instead.
        """
        if guess.betas is not None:
            betas = to_stature(guess.betas, self.stature, self.stature_m, self.prior.covariance)
        views = []
        for k, start in enumerate(guess.views):
            view, energy = self._keypoint_steps(betas, start, k, ANNEALED[-1:], self.POLISH_STEPS)
            if self._missed(betas, view, k) > MISSED:
                view = self.posed(betas, k)
            else:
                self.report("pose", energy)
            views.append(view)
        return self.shaped(State(betas, tuple(views)), [betas], self.POLISH_STEPS)

    def _missed(self, betas: Tensor, view: ViewState, number: int) -> float:
        """Median distance of the seen keypoints of one view, of the person's height there."""
        aim = self.targets[number]
        posture = self.few.at(betas, view.pose)
        moves = keypoint_moves(posture, view, self.points, torch.arange(len(self.points.vertices)))
        image = project_points(moves, view, aim.size, len(betas) + 6)
        off = (image.pixels - aim.keypoints).norm(dim=1)[aim.seen > 0]
        return float(off.median() / (image.scale.median() * self.stature_m)) if len(off) else math.inf

    def posed(self, betas: Tensor, number: int, steps: int = 3) -> ViewState:
        """Camera and pose of one view from keypoints, shape kept: several starts, the better ones polished."""
        ends = [(view, 0.0) for view in self.starts(betas, number)]
        for keep, stage in zip(self.KEPT, ANNEALED[:2], strict=True):
            ends = [self._keypoint_steps(betas, view, number, (stage,), 3) for view, _ in ends]
            ends = sorted(ends, key=lambda end: end[1])[:keep]
        view, energy = self._keypoint_steps(betas, ends[0][0], number, ANNEALED[1:], steps)
        self.report("pose", energy)
        return view

    def _keypoint_steps(self, betas: Tensor, view: ViewState, number: int, stages, steps: int):
        """(view after so many steps of each stage, energy)."""
        alone = State(betas, (view,))
        free = self.free(alone, False, (0,))
        for loose, strength in stages:
            for _ in range(steps):
                alone = self.take(alone, self.system(alone, loose, strength, views=(number,)), free, 1e-3)
        return alone.views[0], self.system(alone, views=(number,)).energy

    def starts(self, betas: Tensor, number: int) -> list[ViewState]:
        """Standing, in T and with arms up, as MediaPipe says the person is turned and from behind."""
        aim = self.targets[number]
        turn = math.radians(aim.observation.yaw_deg)
        found = []
        for pose in (poses.standing(), poses.tpose(), poses.arms_up()):
            for yaw in (turn, turn + math.pi):
                found.append(self._placed(betas, start_view(pose, yaw, aim.focal_px), aim))
        return found

    def _placed(self, betas: Tensor, view: ViewState, aim: Target) -> ViewState:
        """The view with the shift that brings the keypoints' middle and spread to the photo's."""
        posed = self.few.at(betas, view.pose)
        points = (self.points(posed.joints, posed.vertices) - posed.joints[0]) @ view.rotation.T
        focal_px = float(view.log_focal.exp())
        shift = shift_onto_keypoints(points.double(), aim.keypoints, aim.seen, focal_px, aim.size)
        return ViewState(view.rotation, shift.float(), view.log_focal, view.pose)

    def shaped(self, state: State, starts: list[Tensor], steps: int = SHAPE_STEPS) -> State:
        """First shape by row widths: the best end of several starts (S,)."""
        everything = range(len(state.views))
        free = self.free(state, True, everything)
        ends = []
        for start in starts:
            trial, energy = State(start, state.views), 0.0
            for _ in range(steps):
                postures = self.postures(trial)
                normal = self.system(trial, postures=postures)
                for number in everything:
                    self.add_rows(normal, postures[number], trial.views[number], number)
                energy = normal.energy
                trial = self.take(trial, normal, free, 1e-2)
                self.report("rows", energy)
            ends.append((energy, trial))
        return min(ends, key=lambda end: end[0])[1]

    def _shape_starts(self, betas: Tensor) -> list[Tensor]:
        """The present shape, and draws of the prior's leading components, in opposite pairs.

        By Cholesky's factor, which is unique: eigenvectors' signs differ from one LAPACK to the next.
        """
        chance = torch.Generator().manual_seed(self.seed)
        leading = torch.linalg.cholesky(self.prior.covariance)[:, :LEADING]
        found = [betas]
        while len(found) < self.SHAPE_STARTS:
            off = (leading @ torch.randn(LEADING, generator=chance, dtype=DOUBLE)).float()
            for side in (betas + off, betas - off):
                found.append(to_stature(side, self.stature, self.stature_m, self.prior.covariance))
        return found[: self.SHAPE_STARTS]

    def outlined(self, state: State, reaches) -> State:
        """Everything from outlines and keypoints; ``reaches`` (m) falls from step to step, as do the outlines' sigmas."""
        free = self.free(state, True, range(len(state.views)))
        for reach in reaches:
            normal = self.complete(state, reach)
            state = self.take(state, normal, free, 3e-3)
            self.report("outline", normal.energy)
        return state

    def complete(self, state: State, reach_m: float, shown: Shown | None = None) -> NormalEquations:
        """The whole system at one state; learns the outlines' standard deviations by the way.

        ``shown``: the state's bodies, if they are drawn already.
        """
        shown = shown or self.shown(state)
        normal = self.system(state, postures=shown.postures)
        for number, view in enumerate(state.views):
            self.misfit_m[number] = self.add_outline(normal, shown, view, number, reach_m)
            self.sigma_m[number] = contours.sigma(self.misfit_m[number], self.targets[number].observation.capture)
        return normal

    def honest(self, state: State, reach_m: float) -> NormalEquations:
        """The whole system with every outline as unsure as it last misfitted, clothes and all."""
        self.sigma_m = [
            max(misfit, contours.SIGMA_M[aim.observation.capture][0])
            for misfit, aim in zip(self.misfit_m, self.targets, strict=True)
        ]
        return self.complete(state, reach_m)

    def softened(self, state: State, steps: int, reach_m: float) -> State:
        """Coverage instead of matched outlines, stepped with the outlines' curvature (Levenberg-Marquardt)."""
        free = self.free(state, True, range(len(state.views)))
        shown = self.shown(state)
        damping, curved = SOFT_DAMPING, self.complete(state, reach_m, shown)
        trust = [silhouettes.trust_map(self.draw, *pair) for pair in zip(shown.drawn, self.targets, strict=True)]
        here = self._covered(state, trust, shown.postures)
        for _ in range(steps):
            here.h = curved.h
            trial = self.take(state, here, free, damping)
            there = self._covered(trial, trust, self.postures(trial))
            self.report("silhouette", there.energy)
            if there.energy < here.energy:
                state, here, damping = trial, there, damping / 3
            else:
                damping *= 9
        return state

    def _covered(self, state: State, trust: list[Tensor], postures: list[Posture]) -> NormalEquations:
        """Energy and slope of keypoints, priors and coverage; its curvature lacks the coverage's."""
        normal = self.system(state, postures=postures)
        for number, (view, aim) in enumerate(zip(state.views, self.targets, strict=True)):
            parts = postures[number], view, aim, trust[number], self.sigma_m[number]
            normal.add_gradient(number, *silhouettes.gradient(self.body.faces, *parts))
        return normal
