"""Packages from npm at the exact versions of a package.json, installed once per checkout under .run/."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from avatarlab import ROOT


def installed(description: Path, name: str) -> Path:
    """node_modules under .run/``name`` with what ``description`` (package.json) wants; skips where node or npm is missing."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    home = ROOT / ".run" / name
    home.mkdir(parents=True, exist_ok=True)
    expected = {
        package: version.rpartition("@")[2]  # npm:name@version under another name
        for package, version in json.loads(description.read_text())["devDependencies"].items()
    }
    with open(home / ".lock", "w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(_version(home / "node_modules" / package) != version for package, version in expected.items()):
            _install(description, home)
    return home / "node_modules"


def _install(description: Path, home: Path) -> None:
    shutil.copy(description, home / "package.json")
    words = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(words, cwd=home, capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        pytest.skip(f"npm install failed: {done.stderr.strip()[-200:]}")


def _version(package: Path) -> str | None:
    description = package / "package.json"
    return json.loads(description.read_text())["version"] if description.exists() else None
