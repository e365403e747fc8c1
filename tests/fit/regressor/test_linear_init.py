"""The line from which the network sets out."""

import torch

from avatarlab.fit.regressor.evaluate import shown
from avatarlab.fit.regressor.linear_init import solved
from avatarlab.fit.regressor.model import SHAPES, pattern


def test_a_true_line_is_found():
    chance = torch.Generator().manual_seed(0)
    rows = torch.cat(
        [torch.ones(400, 1), torch.randn(400, 5, generator=chance) * torch.tensor([1, 10, 0.1, 3, 1])], 1
    )
    line = torch.randn(6, 2, generator=chance)
    assert torch.allclose(solved(rows, rows @ line, 1e-6), line, atol=1e-3)


def test_the_constant_is_not_pulled_to_zero():
    rows = torch.cat([torch.ones(50, 1), torch.randn(50, 3, generator=torch.Generator().manual_seed(0))], 1)
    found = solved(rows, torch.full((50, 1), 7.0), 1e4)
    assert torch.allclose(rows @ found, torch.full((50, 1), 7.0), atol=1e-3)


def test_each_pattern_of_views_has_its_line():
    assert pattern(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])).tolist() == [0, 1, 2]


def test_the_network_sets_out_from_the_line(network, people):
    true = network.numbers(people.shapes.betas, people.shapes.tapes_m)
    with torch.no_grad():
        off = (network(shown(people, "front_side", weight=True)).mean - true)[:, SHAPES:]
    spread = true[:, SHAPES:].std(0)
    assert (off.abs().mean(0) < spread)[[2, 3, 4]].all(), "chest, waist and hip are no nearer than the mean"


def test_cameras_set_out_from_a_line_too(network, people):
    with torch.no_grad():
        pred = network(shown(people, "front_side"))
    turned = (pred.views.turn - people.views.turn).norm(dim=(-2, -1))
    assert turned.mean() < 0.5, "a level camera in front would be 2 off for side views"
