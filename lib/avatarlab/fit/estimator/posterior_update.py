"""From the search to the answer: its readings, the posterior's estimate, and the body nudged until it measures that."""

import logging
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from avatarlab.body import Body
from avatarlab.core.subject import Subject
from avatarlab.fit.estimator.map_estimate import MapEstimate
from avatarlab.fit.estimator.posterior import NAME, STAGE, Estimate, Posterior, mesh_estimate
from avatarlab.fit.estimator.project_to_tapes import (
    DOUBLE,
    STATURE_SLACK_M,
    Projection,
    project,
    standing,
    tape_std_m,
)
from avatarlab.fit.estimator.readings import Readings, read
from avatarlab.fit.estimator.shape import Stature, to_stature
from avatarlab.fit.estimator.visibility import hidden_measures
from avatarlab.learn import weights as disk
from avatarlab.measure import MEASURES
from avatarlab.measure.volume import weight_kg
from avatarlab.photo.observation import CAPTURES

log = logging.getLogger(__name__)

PRIOR_SHARE = 0.05
"""Share of the population's covariance blended into the fit's: a Laplace covariance is too sure of itself."""
VOLUME_SHARE = 0.03
"""Share of the weight by which volume x density misses it, where no posterior knows better."""


@dataclass(frozen=True, eq=False)
class PosteriorUpdate:
    """What is known in the end: readings, estimate, and the body that measures it (betas, covariance, tapes missed)."""

    readings: Readings
    estimate: Estimate
    body: Projection


def readings_of(found: MapEstimate) -> Readings:
    """What a search read: of the least trusted of its photos, from its mesh, its certainty and the first guess."""
    body, betas = found.search.body, found.state.betas
    seen = [aim.observation for aim in found.targets]
    std, prior = (_std(found.taped.slope, covariance) for covariance in (found.covariance, found.before))
    why, unread = hidden_measures(seen, std, prior)
    views = {"side" if one.view == "side" else "front" for one in seen}
    guess = found.guess.tapes_m if found.guess and found.guess.tapes_m else {}
    misfit = {one.view: round(float(off), 5) for one, off in zip(seen, found.search.misfit_m, strict=True)}
    return Readings(
        capture=CAPTURES[max(CAPTURES.index(one.capture) for one in seen)],
        inputs="_".join(sorted(views)),
        value=read(body, betas),
        sd=std,
        guess={name: round(float(x), 5) for name, x in guess.items()},
        misfit=misfit,
        hidden=found.clothed | why,
        unread=unread,
    )


def _std(slope: Tensor, covariance: Tensor) -> dict[str, float]:
    """Standard deviation (m) of the 16 tapes with slopes (16, S)."""
    return {name: round(x, 6) for name, x in zip(MEASURES, tape_std_m(slope, covariance).tolist(), strict=True)}


def load_posterior(body: Body, weights: str) -> Posterior | None:
    """The posterior for a body, or None where the body is another or nothing was learned yet; damage is an InputError."""
    if not disk.find(NAME, STAGE, weights).is_file():
        log.info("posterior: nothing learned yet; the fit's own spread is given")
        return None
    posterior = Posterior.load(weights)
    return posterior if disk.usable_on(NAME, posterior.card, body.bases, "the fit's own spread is given") else None


def update_posterior(found: MapEstimate, subject: Subject, posterior: Posterior | None) -> PosteriorUpdate:
    """Estimate the tapes and move the body on to them; without a posterior, the mesh and its Laplace spread speak."""
    readings = readings_of(found)
    if posterior is None or not posterior.knows(readings):
        return _by_mesh(found, readings, subject)
    estimate = posterior(readings, subject)
    covariance = torch.from_numpy(estimate.covariance)
    loose = found.covariance + PRIOR_SHARE * found.before
    return PosteriorUpdate(
        readings, estimate, project(found.search.body, found.state.betas, loose, estimate.value_m, covariance)
    )


def _by_mesh(found: MapEstimate, readings: Readings, subject: Subject) -> PosteriorUpdate:
    """The fit as it is; a known weight moves the volume, as far as the fit is unsure of it."""
    body, betas, covariance = found.search.body, found.state.betas, found.covariance
    if subject.weight_kg is not None:
        betas, covariance = condition_on_weight(body, betas, covariance, subject)
        readings = replace(readings, value=read(body, betas))
    estimate = mesh_estimate(readings, subject.stature_m)
    return PosteriorUpdate(readings, estimate, Projection(betas, covariance, dict.fromkeys(MEASURES, 0.0)))


def condition_on_weight(body: Body, betas: Tensor, covariance: Tensor, subject: Subject) -> tuple[Tensor, Tensor]:
    """betas (S,) and covariance (S, S) once the volume is that of the subject's weight, to VOLUME_SHARE; stature exact."""
    known = standing(body, len(betas))
    moving = betas.detach().clone().requires_grad_()
    kg = weight_kg(body, known.vertices(moving)[0])
    slope = torch.autograd.grad(kg, moving)[0].double()
    gain = covariance @ slope / (slope @ covariance @ slope + (VOLUME_SHARE * subject.weight_kg) ** 2)
    moved = betas + (gain * (subject.weight_kg - float(kg.detach()))).float()
    moved = to_stature(
        moved,
        Stature(body),
        subject.stature_m,
        covariance + STATURE_SLACK_M**2 * torch.eye(len(betas), dtype=DOUBLE),
    )
    return moved, covariance - torch.outer(gain, slope @ covariance)
