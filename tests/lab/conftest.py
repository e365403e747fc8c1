"""Toy projects in temporary folders."""

from pathlib import Path

import pytest
from toy import Toy, toy_project


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """A toy project of this test's own."""
    return toy_project(tmp_path / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Toy:
    """A toy project whose one stage has run; tests only look at it."""
    toy = toy_project(tmp_path_factory.mktemp("finished") / "project")
    done = toy.run()
    assert done.returncode == 0, done.stderr
    return toy
