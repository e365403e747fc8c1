"""A body file of licensed layout, made once per session, and the bodies loaded from it and from the open file."""

import made
import numpy as np
import pytest

from avatarlab.body import Body
from avatarlab.body.model import OPEN_BODY


@pytest.fixture(scope="session")
def made_arrays():
    return made.arrays()


@pytest.fixture(scope="session")
def made_path(made_arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("licensed") / "smplx_made.npz"
    np.savez(path, **made_arrays)
    return path


@pytest.fixture(scope="session")
def made_body(made_path):
    return Body.load(made_path)


@pytest.fixture(scope="session", params=["made", "open"])
def body_and_path(request):
    """Each body with its file."""
    path = request.getfixturevalue("made_path") if request.param == "made" else OPEN_BODY
    return request.getfixturevalue(f"{request.param}_body"), path
