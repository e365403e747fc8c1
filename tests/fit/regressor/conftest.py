"""Eight made-up people of the open body and a network that has only its line, made once for all tests of the room."""

import numpy as np
import pytest
import torch

from avatarlab.fit.regressor.data import Sampler
from avatarlab.fit.regressor.extended_shapes import extend_shapes
from avatarlab.fit.regressor.linear_init import fit_linear_init
from avatarlab.fit.regressor.model import Regressor


@pytest.fixture(scope="session")
def sampler(open_body):
    return Sampler(extend_shapes(open_body))


@pytest.fixture(scope="session")
def people(sampler):
    """Eight people, the same each time."""
    return sampler.batch((5, 0), 8)


@pytest.fixture(scope="session")
def network(people):
    """A network before training: its line goes through the eight."""
    torch.manual_seed(0)
    found = Regressor(8)
    fit_linear_init(found, people, seed=1)
    return found.eval()


@pytest.fixture
def chance():
    return np.random.default_rng(0)
