"""The network's shapes, and that it does not look where nothing is."""

import torch

from avatarlab.fit.regressor.evaluate import shown
from avatarlab.fit.regressor.model import NUMBERS, Regressor, as_numbers, as_view


def test_it_says_what_was_promised(network, people):
    with torch.no_grad():
        pred = network(shown(people, "front"))
    assert pred.mean.shape == pred.log_variance.shape == (8, NUMBERS)
    assert pred.views.turn.shape == (8, 2, 3, 3) and pred.views.pose.shape == (8, 2, 63)


def test_what_a_missing_view_holds_does_not_matter(network, people):
    seen = shown(people, "front")
    filled = seen._replace(image=seen.image.clone(), points=seen.points.clone())
    filled.image[:, 1], filled.points[:, 1] = 1.0, 9.0
    with torch.no_grad():
        one, other = network(seen), network(filled)
    assert torch.equal(one.mean, other.mean) and torch.equal(one.views.pose[:, 0], other.views.pose[:, 0])


def test_a_second_view_matters(network, people):
    with torch.no_grad():
        assert not torch.equal(network(shown(people, "front")).mean, network(shown(people, "front_side")).mean)


def test_numbers_and_tapes_are_inverses(network, people):
    numbers = network.numbers(people.shapes.betas, people.shapes.tapes_m)
    assert torch.allclose(network.tapes_m(numbers), people.shapes.tapes_m, atol=1e-5)


def test_views_and_their_numbers_are_inverses(people):
    back = as_view(as_numbers(people.views))
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(back, people.views, strict=True))


def test_it_is_small():
    assert 1e6 < sum(x.numel() for x in Regressor(16).state_dict().values()) < 3e6
