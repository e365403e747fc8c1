"""A mannequin whose tapes are known in closed form."""

import pytest
import torch
from mannequin import mannequin

from avatarlab.body import poses


@pytest.fixture(scope="session")
def doll():
    return mannequin()


@pytest.fixture(scope="session")
def people(open_body):
    """Standing vertices (6, V, 3) of six drawn people, three of each sex."""
    torch.manual_seed(7)
    draws = [
        torch.distributions.MultivariateNormal(*open_body.shape_prior(sex), validate_args=False).sample((3,))
        for sex in ("male", "female")
    ]
    with torch.no_grad():
        return open_body(betas=torch.cat(draws), pose=poses.standing()).vertices
