"""The fingerprints change with what a stage rests on, and with nothing else."""

import json
import shutil
from pathlib import Path

import pytest
from toy import CELLS, Toy

from avatarlab.core.errors import InputError
from avatarlab.lab import fingerprint

PARAMETERS = """seed = 7  # random seed
points = 200  # number of points
size_m = 1.0  # edge of the cube (m)
subjects = []  # people
out = ".run/scratch/toy"  # where results go"""
USER = """base: {{ seed: 7, body_file: models/licensed/body.npz }}
toy:
  points: 200
  size_m: 1
  subjects: [{{ name: me, front: {front}, note: "" }}]
"""


@pytest.fixture
def project(toy: Toy) -> Toy:
    """The toy project with a user's photo in its section and a second stage that takes a body of `base`."""
    (toy.root / "photos").mkdir()
    (toy.root / "photos/me.jpg").write_bytes(b"one")
    (toy.root / "models/licensed").mkdir(parents=True)
    (toy.root / "models/licensed/body.npz").write_bytes(b"body")
    toy.write(CELLS[0], PARAMETERS, *CELLS[2:])
    toy.write(
        "# B", 'body_file = "x"  # the body\nout = "y"', "import avatarlab.core.files", name="notebooks/20_b.ipynb"
    )
    toy.params(USER.format(front="photos/me.jpg") + "b: {}\n")
    return toy


def written(project: Toy) -> dict[str, dict]:
    """Return stage -> content of its file, after all were written."""
    fingerprint.write(project.root, project.root / "shared")
    return {p.stem: json.loads(p.read_text()) for p in (project.root / fingerprint.FOLDER).iterdir()}


def test_names_the_code_and_the_users_files_of_each_stage(project):
    files = written(project)
    assert set(files) == {"toy", "b"}
    assert set(files["b"]["code"]) == {
        f"lib/avatarlab/{n}.py" for n in ("__init__", "core/__init__", "core/files", "core/errors")
    }
    assert "lib/avatarlab/show/figures.py" not in files["toy"]["code"]
    assert list(files["toy"]["files"]) == ["photos/me.jpg"]
    assert list(files["b"]["files"]) == ["models/licensed/body.npz"]


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("photos/me.jpg", {"toy"}),
        ("models/licensed/body.npz", {"b"}),
        ("lib/avatarlab/core/files.py", {"b"}),
        ("lib/avatarlab/__init__.py", {"toy", "b"}),
        ("lib/avatarlab/show/figures.py", set()),
        ("lib/avatarlab/lab/run.py", set()),
        ("notebooks/20_b.ipynb", set()),  # a dependency of its own
    ],
)
def test_an_edit_changes_the_files_of_those_stages_that_use_it(project, path, changed):
    before = written(project)
    (project.root / path).write_bytes((project.root / path).read_bytes() + b"\n")
    after = written(project)
    assert {stage for stage in after if after[stage] != before[stage]} == changed


def test_same_bytes_and_untouched_files_when_nothing_changed(project):
    written(project)
    folder = project.root / fingerprint.FOLDER
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    written(project)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    shutil.rmtree(folder)
    shutil.rmtree(project.root / ".run")
    written(project)
    assert {path: path.read_bytes() for path in folder.iterdir()} == {p: data for p, (data, _) in before.items()}


def test_file_of_a_stage_that_is_gone_goes(project):
    written(project)
    (project.root / "notebooks/20_b.ipynb").unlink()
    assert set(written(project)) == {"toy"}


@pytest.mark.parametrize(
    ("front", "files"),
    [
        ("photos", ["photos/me.jpg"]),  # a folder
        ("photos/../photos/me.jpg", ["photos/me.jpg"]),
        ("photos/you.jpg", []),  # not there: the stage will say so
        ("skimage:astronaut", []),
        ('""', []),
        (".", []),  # not the whole project
        ("data/toy/made.png", []),  # a result
        ("data", ["data/mine.png"]),
        ("x" * 5000, []),
        ('"a\\0b"', []),
    ],
)
def test_only_files_that_are_there_and_no_results_count(project, front, files):
    for name in ("data/toy/made.png", "data/mine.png"):
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_bytes(b"made")
    project.params(USER.format(front=front) + "b: {}\n")
    assert list(written(project)["toy"]["files"]) == files


def test_absolute_paths_are_read_where_they_are(project, tmp_path):
    (tmp_path / "far.jpg").write_bytes(b"far")
    project.params(USER.format(front=tmp_path / "far.jpg") + "b: {}\n")
    assert list(written(project)["toy"]["files"]) == [(tmp_path / "far.jpg").as_posix()]


def test_shared_data_that_the_code_names_counts_once_it_is_there(project):
    cell = 'from avatarlab import DATA\n\nthere = DATA / "mocap"'
    project.write(CELLS[0], PARAMETERS, *CELLS[2:], cell)
    assert list(written(project)["toy"]["files"]) == ["photos/me.jpg"]
    (project.root / "shared/mocap/a").mkdir(parents=True)
    (project.root / "shared/mocap/a/take.bvh").write_bytes(b"take")
    (project.root / "shared/other.bvh").write_bytes(b"other")
    assert list(written(project)["toy"]["files"]) == ["DATA/mocap/a/take.bvh", "photos/me.jpg"]


def test_a_large_file_is_read_again_only_where_size_or_time_differ(tmp_path, monkeypatch):
    file = tmp_path / "take.bvh"
    file.write_bytes(b"one")
    first = fingerprint.Hashes(tmp_path / "hashes.json")
    digest = first.of(file)
    first.save()
    monkeypatch.setattr(fingerprint, "sha256", lambda path: "read")
    assert fingerprint.Hashes(tmp_path / "hashes.json").of(file) == digest
    file.write_bytes(b"three")
    assert fingerprint.Hashes(tmp_path / "hashes.json").of(file) == "read"
    (tmp_path / "hashes.json").write_text("{ cut")
    assert fingerprint.Hashes(tmp_path / "hashes.json").of(file) == "read"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone.jpg: cannot be read \(No such file"):
        fingerprint.Hashes(tmp_path / "hashes.json").of(tmp_path / "gone.jpg")


def test_faults_are_one_sentence_of_the_command(project):
    project.params("base: {}\n")
    done = project.call(*project.command("avatarlab.lab.fingerprint"))
    assert done.returncode == 1 and done.stderr == "params.yaml: section `toy` is missing.\n"
    project.write(CELLS[0], PARAMETERS, "import (")
    project.params(USER.format(front="photos/me.jpg") + "b: {}\n")
    done = project.call(*project.command("avatarlab.lab.fingerprint"))
    assert done.returncode == 1 and done.stderr.startswith("10_toy.ipynb: not Python (")


HEAVY = {"torch", "cv2", "scipy", "matplotlib", "papermill", "nbconvert", "mediapipe", "warp", "jsonschema"}


def test_the_command_loads_nothing_heavy(project):
    code = "import sys, avatarlab.lab.fingerprint; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = set(project.call(project.command("x")[0], "-c", code).stdout.split())
    assert "ruamel" in loaded and not loaded & HEAVY


def test_everything_named_is_under_its_project(project):
    assert all(Path(project.root, name).is_file() for f in written(project).values() for name in f["code"])
