"""The made body, the open body where it is built, and other people's programs from npm where node is there."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tube import Tube

from avatarlab import ROOT
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
    block = Block(mean, np.zeros_like(mean))
    draft = Person({"body": block}, stature_m=1.6)
    height = np.ptp(open_body(betas=draft.betas()).vertices[: open_body.skin_count, 1].numpy())
    return Person({"body": block}, stature_m=height, sex="female", body_sha256=open_body.sha256)


@pytest.fixture(scope="session")
def open_lod(open_body):
    return reduce_body(open_body)


@pytest.fixture(scope="session")
def npm() -> Path:
    """Folder of node_modules with the exact versions of tests/export/package.json, installed once per checkout."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    home = ROOT / ".run" / "npm"
    home.mkdir(parents=True, exist_ok=True)
    wanted = json.loads((HERE / "package.json").read_text())["devDependencies"]
    if any(_version(home / "node_modules" / name) != version for name, version in wanted.items()):
        shutil.copy(HERE / "package.json", home)
        words = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(words, cwd=home, capture_output=True, text=True, timeout=200, check=False)
        if done.returncode:
            pytest.skip(f"npm install failed: {done.stderr.strip()[-200:]}")
    return home / "node_modules"


@pytest.fixture(scope="session")
def chromium() -> str:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium (environment variable CHROMIUM, or chromium on PATH)")
    return path


def _version(package: Path) -> str | None:
    description = package / "package.json"
    return json.loads(description.read_text())["version"] if description.exists() else None
