"""A producer in Node with the real BullMQ, as a shop's backend would be: installed on first use, driven from Python."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from avatarlab import ROOT

HERE = Path(__file__).parent


def node_modules() -> Path:
    """Folder of node_modules with the exact versions of package.json, installed once per checkout; else skip."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    home = ROOT / ".run" / "service-npm"
    wanted = json.loads((HERE / "package.json").read_text())["devDependencies"]
    if any(_version(home / "node_modules" / name) != version for name, version in wanted.items()):
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "package.json", home)
        words = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(words, cwd=home, capture_output=True, text=True, timeout=200, check=False)
        if done.returncode:
            pytest.skip(f"npm install failed: {done.stderr.strip()[-200:]}")
    return home / "node_modules"


def produce(npm: Path, redis_url: str, queue: str, jobs: list[dict], seconds: float = 30) -> list[dict]:
    """Add ``jobs`` ({id, data, options?}) from Node; return the queue's events until all have ended.

    An event is {event: added | progress | duplicated | completed | failed, id, at (ms), data}; 0 seconds: only add.
    """
    asked = {"url": redis_url, "queue": queue, "jobs": jobs, "seconds": seconds}
    done = subprocess.run(
        ["node", str(HERE / "producer.cjs")],
        input=json.dumps(asked),
        env=os.environ | {"NODE_PATH": str(npm)},
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def _version(package: Path) -> str | None:
    description = package / "package.json"
    return json.loads(description.read_text())["version"] if description.exists() else None
