"""A toy project to run the lab on: the lab's own code, one notebook, params.yaml; nothing of avatars."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from avatarlab import ROOT
from avatarlab.lab.notebook import text

TITLE = "# Toy\n\nCounts in, a mesh and `points` out."
PARAMETERS = """seed = 7  # random seed
points = 200  # number of points
size_m = 1.0  # edge of the cube (m)
label = "toy"  # title
out = ".run/scratch/toy"  # where results go"""
IMPORTS = """import json

import numpy as np

from avatarlab import ROOT
from avatarlab.show import figures, view

figures.style()
out = ROOT / out"""
SOLID = """t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
ring = np.stack([np.cos(t), 0 * t, np.sin(t)], 1)
vertices = size_m * np.concatenate([ring, ring + [0, 1.7, 0]])
k = np.arange(24)
faces = np.concatenate([np.stack([k, (k + 1) % 24, k + 24], 1), np.stack([(k + 1) % 24, (k + 1) % 24 + 24, k + 24], 1)])
print(f"{len(vertices)} vertices", object())"""
FIGURE = """import matplotlib.pyplot as plt

fig, ax = plt.subplots()
ax.plot(np.random.default_rng(seed).normal(size=points).cumsum())
ax.set(title="A walk", xlabel="step", ylabel="height (m)");"""
SHOW = "view.show(view.plot(view.mesh(vertices, faces), view.points(vertices, size_m=0.05)))"
WRITE = """out.mkdir(parents=True, exist_ok=True)
np.save(out / "vertices.npy", vertices)
(out / "metrics.json").write_text(json.dumps({"vertices": len(vertices), "height_m": 1.7 * size_m}));"""
CELLS = [TITLE, PARAMETERS, IMPORTS, SOLID, FIGURE, SHOW, WRITE]


def make_notebook(*sources: str) -> dict:
    """Return a notebook of these sources: the first is prose, the second the parameters cell, the rest is code."""
    cells = [{"cell_type": "markdown", "metadata": {}, "source": sources[0]}]
    for number, source in enumerate(sources[1:]):
        metadata = {"tags": ["parameters"]} if number == 0 else {}
        cells.append({"cell_type": "code", "metadata": metadata, "source": source, "outputs": []})
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@dataclass(frozen=True)
class Toy:
    """A toy project's root and what tests do with it."""

    root: Path

    def write(self, *sources: str, name: str = "notebooks/10_toy.ipynb") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(make_notebook(*sources)), encoding="utf-8")
        return path

    def params(self, content: str) -> None:
        (self.root / "params.yaml").write_text(content, encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", *arguments]

    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PYTHONPATH": str(self.root / "lib"), "PATH": path, "OMP_NUM_THREADS": "1"}

    def call(self, *command: str) -> subprocess.CompletedProcess:
        options = {"cwd": self.root, "env": self.environment(), "capture_output": True, "text": True}
        return subprocess.run(command, **options, timeout=280)

    def run(self, stage: str = "toy", out: str = "data/toy") -> subprocess.CompletedProcess:
        return self.call(*self.command("avatarlab.lab.run", stage, out))

    def results(self) -> dict[str, bytes]:
        """Return path -> bytes of every result and of whatever a run may have left behind."""
        found = [
            p for top in ("data", "reports", ".run") for p in sorted((self.root / top).rglob("*")) if p.is_file()
        ]
        names = {p.relative_to(self.root).as_posix(): p.read_bytes() for p in found}
        return {name: data for name, data in names.items() if "timings" not in name and not name.endswith(".lock")}


def toy_project(root: Path) -> Toy:
    """Lay out the toy project in ``root``."""
    package = root / "lib" / "avatarlab"
    package.mkdir(parents=True)
    for file in (ROOT / "lib" / "avatarlab").glob("*.py"):
        shutil.copy(file, package)
    for room in ("core", "show", "evaluate", "lab"):
        shutil.copytree(
            ROOT / "lib" / "avatarlab" / room, package / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    toy = Toy(root)
    toy.write(*CELLS)
    toy.params("base:\n  seed: 7\ntoy:\n  points: 200\n  size_m: 1\n  label: toy\n")
    return toy
