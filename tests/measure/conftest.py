"""A mannequin whose tapes are known in closed form, and the open body where it is built."""

import pytest
import torch
from mannequin import mannequin

from avatarlab.body import Body, poses
from avatarlab.body.model import OPEN_BODY


@pytest.fixture(scope="session")
def doll():
    return mannequin()


@pytest.fixture(scope="session")
def open_body():
    if not OPEN_BODY.is_file():
        pytest.skip("models/body/smplx_open.npz is not built (stage 10_body)")
    return Body.load(OPEN_BODY)


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
