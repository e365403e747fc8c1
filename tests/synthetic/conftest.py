"""Six participants made once for all tests of the room."""

import pytest
from crowd import made

from avatarlab.body.open import raw


@pytest.fixture(scope="session")
def anny():
    return raw.raw()


@pytest.fixture(scope="session")
def crowd(open_body, anny):
    return made(open_body, anny)
