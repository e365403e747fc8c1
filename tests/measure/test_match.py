"""Bodies of given tapes, found among dolls that can be scaled along x, y and z."""

import pytest
import torch

from avatarlab.measure import match, tapes
from avatarlab.measure.volume import weight_kg

NAMES = ("stature", "waist", "weight")
SIGMA = torch.tensor([1e-3, 1e-3, 0.2])


@pytest.fixture(scope="module")
def dolls(doll):
    """Standing dolls scaled by exp(theta): parameters of height, breadth and depth; z are the three factors
    less 1."""
    base = torch.as_tensor(doll.template).float()
    modes = torch.stack([base * torch.eye(3)[k] for k in (1, 0, 2)])
    scale = lambda theta: theta.exp() - 1  # noqa: E731
    slope = lambda theta: torch.diag_embed(theta.exp())  # noqa: E731
    limit = torch.full((3,), 0.4)
    return match.Bodies(base, modes, scale, slope, -limit, limit, torch.ones(3))


def measured(doll, dolls, theta):
    vertices = dolls.vertices(dolls.coordinates(theta))
    values = {**tapes(doll, vertices), "weight": weight_kg(doll, vertices)}
    return torch.stack([values[name] for name in NAMES], -1)


def test_bodies_of_reachable_tapes_are_found(doll, dolls):
    truth = torch.tensor([[0.05, -0.1, 0.15], [-0.1, 0.2, -0.05], [0.0, 0.0, 0.0]])
    targets = measured(doll, dolls, truth)
    theta, reached = match.match(doll, dolls, targets, NAMES, SIGMA, torch.zeros(3, 3), iterations=20)
    assert (reached - targets)[:, :2].abs().max() < 1e-3
    assert theta[:, 0] == pytest.approx(truth[:, 0], abs=2e-3)


def test_what_no_tape_measures_stays_at_its_centre(doll, dolls):
    centre = torch.tensor([[0.0, 0.1, -0.2]])
    target = torch.tensor([[1.1 * float(tapes(doll, dolls.base)["stature"])]])
    theta, _ = match.match(doll, dolls, target, ("stature",), SIGMA[:1], centre, iterations=10)
    assert theta[0, 1:] == pytest.approx(centre[0, 1:], abs=1e-4)
    assert theta[0, 0].exp() == pytest.approx(1.1, abs=2e-3)


def test_bounds_hold_where_tapes_ask_for_more(doll, dolls):
    target = torch.tensor([[5.0]])
    theta, reached = match.match(doll, dolls, target, ("stature",), SIGMA[:1], torch.zeros(1, 3), iterations=6)
    assert theta[0, 0] == pytest.approx(0.4) and reached[0, 0] < 5


def test_no_step_makes_a_body_worse(doll, dolls):
    targets = measured(doll, dolls, torch.tensor([[0.1, 0.3, 0.3]]))
    costs = []
    for steps in range(0, 8, 2):
        theta, reached = match.match(doll, dolls, targets, NAMES, SIGMA, torch.zeros(1, 3), iterations=steps)
        costs.append(float((((reached - targets) / SIGMA) ** 2).sum() + (theta**2).sum()))
    assert costs == sorted(costs, reverse=True) and costs[-1] < 0.01 * costs[0]


def test_batches_and_threads_do_not_change_the_answer(doll, dolls):
    targets = measured(doll, dolls, torch.tensor([[0.05, 0.1, 0.0], [0.1, 0.0, 0.1], [-0.1, 0.1, 0.1]]))
    options = {"names": NAMES, "sigma": SIGMA, "iterations": 5}
    seen = [d for d, *_ in match.match_all(doll, dolls, targets, torch.zeros(3, 3), batch=2, **options)]
    assert seen == [2, 3]
    runs = [list(match.match_all(doll, dolls, targets, torch.zeros(3, 3), batch=2, **options))[-1] for _ in "ab"]
    assert torch.equal(runs[0][1], runs[1][1])
