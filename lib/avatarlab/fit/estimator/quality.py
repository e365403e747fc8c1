"""How far to trust a fit: overlap, keypoints, distance from the population, what the photo hides; in numbers and words."""

from dataclasses import asdict, dataclass, field

import numpy as np
from torch import Tensor

from avatarlab.fit.estimator import contours, residuals
from avatarlab.fit.estimator.map_estimate import MapEstimate
from avatarlab.fit.estimator.posterior_update import PosteriorUpdate
from avatarlab.fit.estimator.project_to_tapes import tape_std_m
from avatarlab.fit.estimator.search import Search
from avatarlab.fit.estimator.state import State, keypoint_moves, project_points
from avatarlab.fit.estimator.visibility import VAGUE_SHARE
from avatarlab.measure import MEASURES
from avatarlab.photo.tone import Tone

MIN_IOU = 0.80
MAX_KEYPOINT_SHARE = 0.035
MAX_PRIOR_DISTANCE = 7.0
MAX_STATURE_MM = 0.1
LOOSE_M = 0.012
"""Mean distance by which the photo's outline stands off the fitted body at trunk and legs before clothes are suspected."""


@dataclass(frozen=True)
class ViewQuality:
    """One photo: IoU of outlines inside the picture; median keypoint error in px, and of the person's height there."""

    view: str
    iou: float
    keypoint_error_px: float
    keypoint_error_share: float
    outline_off_mm: float
    outline_rms_mm: float


@dataclass(frozen=True)
class Quality:
    """The report of a fit, JSON by ``as_json``; ``usable`` is the verdict, ``reasons`` say why not.

    interval_cm: 90 % interval by measure (definition ``ansur``), whose standard deviation tape_sd_cm is; ``calibrated``
    if it was checked on people of known tapes. withheld: measure -> why the photos cannot know it. skin: its tone, where
    a face was seen.
    """

    views: tuple[ViewQuality, ...]
    prior_distance: float
    stature_residual_mm: float
    tape_sd_cm: dict[str, float]
    unseen: tuple[str, ...]
    warnings: tuple[str, ...]
    reasons: tuple[str, ...]
    usable: bool
    placeholder: bool = False
    interval_cm: dict[str, tuple[float, float]] = field(default_factory=dict)
    withheld: dict[str, str] = field(default_factory=dict)
    calibrated: bool = False
    skin: Tone | None = None

    def as_json(self) -> dict:
        """Plain JSON values."""
        return asdict(self)


def view_quality(search: Search, state: State, number: int) -> ViewQuality:
    """Judge one view."""
    aim, view = search.targets[number], state.views[number]
    posture = search.all.at(state.betas, view.pose)
    drawn = search.draw(posture, view, aim.size)
    moves = keypoint_moves(posture, view, search.points, search.points.vertices)
    off = (project_points(moves, view, aim.size, len(state.betas) + 6).pixels - aim.keypoints).norm(dim=1)
    error = float(off[aim.seen > 0].median()) if (aim.seen > 0).any() else float("nan")
    scale = float(view.log_focal.exp()) / float(view.shift[2])
    found = contours.pairs(search.draw, drawn, aim)
    away, rms = contours.misfit(search.draw, found, scale) if found else (0.0, 0.0)
    height = scale * search.stature_m
    numbers = (contours.overlap(drawn.mask, aim.mask), error / aim.factor, error / height, 1000 * away, 1000 * rms)
    return ViewQuality(aim.observation.view, *(round(x, 4) for x in numbers))


def _spreads(slope: Tensor, covariance: Tensor) -> dict[str, float]:
    """Standard deviation (cm) of the 16 tapes with slopes (16, S)."""
    sd_cm = 100 * tape_std_m(slope, covariance)
    return {name: round(x, 3) for name, x in zip(MEASURES, sd_cm.tolist(), strict=True)}


def assess(found: MapEstimate, end: PosteriorUpdate) -> Quality:
    """The whole report: of the search's body against the photos, of the last one's stature and tapes."""
    search, state = found.search, found.state
    views = tuple(view_quality(search, state, number) for number in range(len(state.views)))
    after, prior = (_spreads(found.taped.slope, covariance) for covariance in (found.covariance, found.before))
    unseen = tuple(name for name in after if name != "stature" and after[name] > VAGUE_SHARE * prior[name])
    residual = 1000 * abs(float(search.stature(end.body.betas).detach()) - search.stature_m)
    distance = round(search.prior.distance(state.betas), 3)
    reasons = tuple(_reasons(views, distance, residual))
    answer = end.estimate
    return Quality(
        views, distance, round(residual, 4), {name: round(100 * x, 3) for name, x in answer.sd_m.items()}, unseen,
        tuple(_warnings(search, state, views, unseen)), reasons, not reasons,
        interval_cm={name: tuple(round(100 * x, 2) for x in ends) for name, ends in answer.interval_m.items()},
        withheld=answer.withheld, calibrated=answer.calibrated,
    )  # fmt: skip


def _reasons(views, distance: float, residual_mm: float):
    """Why the fit must not be used."""
    for one in views:
        if one.iou < MIN_IOU:
            yield f"{one.view} view: the body covers the person's outline only to {100 * one.iou:.0f} % ({100 * MIN_IOU:.0f} % needed)."
        if not one.keypoint_error_share < MAX_KEYPOINT_SHARE:
            yield f"{one.view} view: keypoints are off by {100 * one.keypoint_error_share:.1f} % of the person's height."
    if distance > MAX_PRIOR_DISTANCE:
        yield f"The body is {distance:.1f} standard deviations from the population; check stature, weight and sex."
    if residual_mm > MAX_STATURE_MM:
        yield f"The stature is missed by {residual_mm:.2f} mm."


def _warnings(search: Search, state: State, views, unseen):
    """What the user should know of a usable fit."""
    for aim in search.targets:
        yield from (finding.sentence for finding in aim.observation.findings)
        if aim.observation.focal_source == "assumed":
            yield f"{aim.observation.view} view: the photo names no focal length; a phone's was assumed."
    for one in views:
        if one.outline_off_mm > 1000 * LOOSE_M:
            yield f"{one.view} view: the outline stands {one.outline_off_mm:.0f} mm off the body; loose clothes suspected."
    if len(state.views) == 2 and (off := _disagreement(state)) > 0.35:
        yield f"The two photos show poses that differ by {np.degrees(off):.0f} degrees; take both in one pose."
    if unseen:
        yield f"Not seen in the photos, so guessed from what is seen and the population: {', '.join(unseen).replace('_', ' ')}."


def _disagreement(state: State) -> float:
    """Largest difference (rad) between the two poses at spine, hips and knees, where people should not have moved."""
    sigma = residuals.tie_sigma()
    off = (state.views[1].pose - state.views[0].pose)[1:22].norm(dim=1)
    return float(off[sigma <= residuals.TIE_ELSE].max())
