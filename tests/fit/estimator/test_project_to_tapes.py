"""The nudge: linear standing bodies, slopes by differences, random wishes met, stature exact, covariance of the wish."""

import pytest
import torch

from avatarlab.body import poses
from avatarlab.fit.estimator import shape
from avatarlab.fit.estimator.project_to_tapes import DOUBLE, conditional_covariance, project, standing, tapes_of
from avatarlab.measure import MEASURES, tapes
from avatarlab.synthetic.rendered import sample


@pytest.fixture(scope="module")
def prior(body):
    return shape.prior(body, "female")


@pytest.fixture(scope="module")
def betas(body):
    return sample(body, "female", 4)


def test_a_standing_body_is_linear_in_its_components(body, betas):
    with torch.no_grad():
        whole = body(betas=betas, pose=poses.standing()).vertices
    assert (standing(body, len(betas)).vertices(betas)[0] - whole).abs().max() < 1e-5
    assert standing(body, len(betas)) is standing(body, len(betas))


def test_slopes_are_differences(body, betas):
    here, step = tapes_of(body, betas), 1e-2
    for k in (0, 3, 11):
        there, back = (tapes_of(body, betas + sign * step * torch.eye(len(betas))[k]) for sign in (1, -1))
        change = (there.value - back.value) / (2 * step)
        assert (change - here.slope[:, k]).abs().max() < 2e-4


@pytest.mark.parametrize("seed", range(4))
def test_random_wishes_are_met(body, prior, betas, seed):
    """What a posterior may ask: every tape off by half of what the population varies by at one stature."""
    here = tapes_of(body, betas)
    spread = here.slope @ prior.covariance @ here.slope.T
    chance = torch.Generator().manual_seed(seed)
    off = torch.linalg.cholesky(spread + 1e-10 * torch.eye(16, dtype=DOUBLE)) @ torch.randn(
        16, generator=chance, dtype=DOUBLE
    )
    target = dict(zip(MEASURES, (here.value + 0.5 * off).tolist(), strict=True))
    end = project(body, betas, prior.covariance, target)
    with torch.no_grad():
        found = tapes(body, body(betas=end.betas, pose=poses.standing()).vertices)
    assert abs(float(found["stature"]) - target["stature"]) < 1e-5
    for name in MEASURES:
        assert float(found[name]) == pytest.approx(target[name], abs=1e-3), name
        assert float(found[name]) - target[name] == pytest.approx(end.off_m[name], abs=2e-5)


def test_a_contradiction_is_shared_out_and_reported(body, prior, betas):
    """Nobody has that calf above that ankle: the stature holds, the rest says by how much it falls short."""
    target = dict(zip(MEASURES, tapes_of(body, betas).value.tolist(), strict=True))
    target |= {"calf": target["calf"] + 0.30, "ankle": target["ankle"] - 0.10}
    end = project(body, betas, prior.covariance, target)
    assert abs(end.off_m["stature"]) < 1e-5 and bool(torch.isfinite(end.betas).all())
    assert end.off_m["calf"] == pytest.approx(float(tapes_of(body, end.betas).value[9]) - target["calf"], abs=1e-5)


def test_nothing_to_do_changes_nothing(body, prior, betas):
    target = dict(zip(MEASURES, tapes_of(body, betas).value.tolist(), strict=True))
    assert (project(body, betas, prior.covariance, target).betas - betas).abs().max() < 1e-3


def test_moves_as_little_as_it_can(body, prior, betas):
    here = tapes_of(body, betas)
    target = dict(zip(MEASURES, here.value.tolist(), strict=True))
    target["waist"] += 0.02
    end = project(body, betas, prior.covariance, target)
    step = (end.betas - betas).double()
    length = float(step @ prior.precision @ step)
    free = torch.linalg.svd(tapes_of(body, end.betas).slope).Vh[16:].T  # directions that change no tape
    for k in range(4):
        other = step + 0.3 * free[:, k]
        assert float(other @ prior.precision @ other) > 0.98 * length


def test_covariance_becomes_that_of_the_tapes(body, prior, betas):
    slope = tapes_of(body, betas).slope
    target = 0.2 * slope @ prior.covariance @ slope.T
    target[-1] = target[:, -1] = 0  # the stature is known
    after = conditional_covariance(prior.covariance, slope, target)
    assert torch.allclose((slope @ after @ slope.T).diagonal().sqrt(), target.diagonal().sqrt(), atol=3e-5)
    assert torch.linalg.eigvalsh(after)[0] > -1e-9
    known = conditional_covariance(prior.covariance, slope, None)
    assert (slope @ known @ slope.T).diagonal().clamp_min(0).sqrt().max() < 3e-5
    assert float(known.diagonal().sum()) < float(after.diagonal().sum()) < float(prior.covariance.diagonal().sum())
