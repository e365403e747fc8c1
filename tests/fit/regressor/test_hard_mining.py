"""Hard people are harder, and as tall."""

import numpy as np
import torch

from avatarlab.fit.regressor.data import rows
from avatarlab.fit.regressor.evaluate import predict, shown
from avatarlab.fit.regressor.hard_mining import LIMIT, harden


def test_hard_people_are_measured_worse(sampler, network, people):
    shapes = rows(people.shapes, torch.arange(3))
    found = harden(network, sampler, shapes, np.random.default_rng(2))
    off = []
    for one in (shapes, found):
        batch = sampler.batch_of(one, np.random.default_rng(2))
        pred = predict(network, shown(batch, "front_side"))
        off.append(float((network.tapes_m(pred.mean) - batch.shapes.tapes_m).square().sum()))
    assert off[1] > off[0]
    assert (found.stature_m - shapes.stature_m).abs().max() < 0.03
    assert found.betas.abs().max() <= max(LIMIT, float(shapes.betas.abs().max()))
