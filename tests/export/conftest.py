"""The made body, the open body where it is built, and other people's programs from npm where node is there."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from node_packages import installed
from tube import Tube

from avatarlab.body import Block, Person
from avatarlab.export import reduce_body

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def tube() -> Tube:
    return Tube()


@pytest.fixture(scope="session")
def woman(open_body) -> Person:
    """The mean woman of the population; her stature is measured, not asked for."""
    mean = open_body.shape_prior("female")[0].numpy()
    block = Block(mean, np.ones_like(mean), "body", open_body.bases["body"])
    draft = Person({"body": block}, stature_m=1.6)
    height = np.ptp(open_body(betas=draft.betas()).vertices[: open_body.skin_count, 1].numpy())
    return Person({"body": block}, stature_m=height, sex="female")


@pytest.fixture(scope="session")
def open_lod(open_body):
    return reduce_body(open_body)


@pytest.fixture(scope="session")
def npm() -> Path:
    """Folder of node_modules with the exact versions of tests/export/package.json, installed once per checkout."""
    return installed(HERE / "package.json", "npm")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium (environment variable CHROMIUM, or chromium on PATH)")
    return path
