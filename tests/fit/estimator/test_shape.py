"""Stature and prior: exact projection, slopes against differences."""

import torch

from avatarlab.body import poses
from avatarlab.fit.estimator import shape
from avatarlab.measure import tapes


def test_stature_is_that_of_the_tape(body):
    stature = shape.Stature(body)
    betas = torch.linspace(-1, 1, 48)
    vertices = body(betas=betas, pose=poses.standing()).vertices
    assert abs(float(stature(betas)) - float(tapes(body, vertices)["stature"])) < 1e-5


def test_slope_is_the_difference(body):
    stature = shape.Stature(body)
    betas, step = torch.zeros(48), torch.linspace(0.1, -0.1, 48)
    value, slope = stature.slope(betas)
    assert abs(float(stature(betas + step)) - value - float(slope @ step.double())) < 2e-4


def test_projection_reaches_any_stature_exactly(body):
    prior, stature = shape.prior(body, "female"), shape.Stature(body)
    for expected in (1.45, 1.63, 1.90):
        betas = shape.to_stature(prior.mean.float(), stature, expected, prior.covariance)
        assert abs(float(stature(betas)) - expected) < 2e-5


def test_projection_moves_what_is_uncertain_and_ends_in_a_few_steps(body):
    """As little as the covariance allows: along it times the slope, which hardly changes on the way."""
    stature, uncertain, steps = shape.Stature(body), torch.linspace(0.1, 3.0, 48, dtype=torch.float64), []
    asked = stature.slope
    stature.slope = lambda betas: steps.append(asked(betas)) or steps[-1]
    betas = shape.to_stature(torch.zeros(48), stature, float(stature(torch.zeros(48))) + 0.1, uncertain.diag())
    assert torch.cosine_similarity(betas.double(), uncertain * steps[0][1], dim=0) > 0.995
    assert len(steps) <= 5, "no more than a linear problem and a little"


def test_known_stature_leaves_no_variance_along_it(body):
    prior = shape.prior(body, "male")
    _, slope = shape.Stature(body).slope(prior.mean.float())
    left = shape.condition_on_stature(prior.covariance, slope)
    assert abs(float(slope @ left @ slope)) < 1e-9 * float(slope @ prior.covariance @ slope)
    assert (left.diagonal() <= prior.covariance.diagonal() + 1e-12).all()


def test_distance_is_mahalanobis(body):
    prior = shape.prior(body, "male")
    values, vectors = torch.linalg.eigh(prior.covariance)
    two_sd = prior.mean + 2 * values[-1].sqrt() * vectors[:, -1]
    assert abs(prior.distance(two_sd) - 2) < 1e-3
