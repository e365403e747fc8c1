"""dvc.yaml says what is true, an edit reruns what it touches, and the whole pipeline repeats to the same bytes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from toy import CELLS, Toy, toy_project

from avatarlab import ROOT
from avatarlab.core.files import read_yaml
from avatarlab.lab import fingerprint, notebook

PIPELINE = read_yaml(ROOT / "dvc.yaml")["stages"]
FIRST = "fingerprints"
STAGES = {name: stage for name, stage in PIPELINE.items() if name != FIRST}
WRITTEN = notebook.stages()
TOY = """stages:
  fingerprints:
    cmd: env PYTHONPATH=lib python -m avatarlab.lab.fingerprint
    always_changed: true
    outs:
      - data/fingerprints: { cache: false, persist: true }
  toy:
    cmd: env PYTHONPATH=lib python -m avatarlab.lab.run toy data/toy
    deps:
      - data/fingerprints/toy.json
      - notebooks/10_toy.ipynb
    params: [base.seed, toy]
    outs:
      - data/toy: { persist: true }
      - reports/10_toy.html: { persist: true }
      - reports/metrics/10_toy.json: { cache: false, persist: true }
"""
HOURS = 3600
"""Seconds that the whole pipeline may take on a slow, busy machine; it takes four minutes on two quiet cores."""


def paths(entries: list) -> set[str]:
    return {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}


def outs(stage: str) -> set[str]:
    return paths(PIPELINE[stage]["outs"])


def report(faults: list[str]) -> str:
    return "\n".join(["", *faults])


def misnamed(stage: str) -> list[str]:
    """Return what of a stage's entry does not follow from its name and its notebook's."""
    entry, stem = STAGES[stage], WRITTEN[stage].stem
    place = outs(stage) - {f"reports/{stem}.html", f"reports/metrics/{stem}.json"}
    base = read_yaml(ROOT / "params.yaml")["base"]
    names = notebook.parameters(notebook.read(WRITTEN[stage]))
    expected = {
        "outs": len(outs(stage)) == 3 and place in ({f"data/{stage}"}, {f"models/{stage}"}),
        "cmd": entry["cmd"] == f"${{run}} {stage} {' '.join(place)}",
        "deps": entry["deps"][:2] == [f"{fingerprint.FOLDER}/{stage}.json", f"notebooks/{stem}.ipynb"],
        "params": entry["params"] == [*(f"base.{name}" for name in base if name in names), stage],
        "desc": bool(entry.get("desc")),
        "persist": all(next(iter(out.values())).get("persist") for out in entry["outs"]),
    }
    return [f"{stage}: {key} is {entry.get(key, entry['outs'])}" for key, right in expected.items() if not right]


def test_stages_are_the_numbered_notebooks_after_one_that_always_runs():
    assert list(PIPELINE)[0] == FIRST and PIPELINE[FIRST]["always_changed"]
    assert outs(FIRST) == {fingerprint.FOLDER} and PIPELINE[FIRST]["outs"][0][fingerprint.FOLDER]["persist"]
    assert set(STAGES) == set(WRITTEN)


def test_one_name_serves_in_all_places_and_base_parameters_are_those_of_the_notebook():
    faults = [fault for stage in STAGES for fault in misnamed(stage)]
    assert not faults, report(faults)


def strangers(stage: str) -> list[str]:
    """Return inputs of a stage that no stage makes and that are not in the project, and library code listed by hand."""
    made = {out for name in PIPELINE if name != stage for out in outs(name)}
    inputs = [dep for dep in STAGES[stage]["deps"] if not dep.startswith(f"{fingerprint.FOLDER}/")]
    absent = [dep for dep in inputs if dep not in made and not (ROOT / dep).exists()]
    return [f"{stage}: {dep}" for dep in [*absent, *(dep for dep in inputs if dep.startswith("lib/"))]]


def test_inputs_are_results_of_other_stages_or_files_of_the_project():
    faults = [fault for stage in STAGES for fault in strangers(stage)]
    assert not faults, report(faults)


def unlisted(stage: str) -> list[str]:
    """Return results of other stages that the notebook names, or that ``body_file`` may name, and deps does not."""
    code = "\n".join(notebook.source(cell) for cell in notebook.read(WRITTEN[stage])["cells"])
    made = {out for name in STAGES if name != stage for out in outs(name)}
    named = {out for out in made if re.search(rf"""["']{re.escape(out)}[/"']""", code)}
    if "body_file" in notebook.parameters(notebook.read(WRITTEN[stage])):
        named |= {"models/body"}
    return [f"{stage}: {out}" for out in sorted(named - set(STAGES[stage]["deps"]))]


def test_results_of_other_stages_that_a_notebook_names_are_deps():
    faults = [fault for stage in STAGES for fault in unlisted(stage)]
    assert not faults, report(faults)


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": path, "OMP_NUM_THREADS": "2", "PYTHONUNBUFFERED": "1"}  # a stage is named as it begins
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | settings


def call(root: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess:
    options = {"cwd": root, "env": environment(), "capture_output": True, "text": True}
    done = subprocess.run(command, **options, timeout=HOURS)
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def rerun(root: Path) -> set[str]:
    """Say ``dvc repro`` and nothing else; return the stages that it ran, apart from the first."""
    said = call(root, "dvc", "repro").stdout
    ran = set(re.findall(r"^Running stage '(\w+)'", said, re.MULTILINE))
    skipped = set(re.findall(r"^Stage '(\w+)' didn't change, skipping", said, re.MULTILINE))
    assert FIRST in ran and not ran & skipped
    return ran - {FIRST}


def repository(root: Path) -> None:
    call(root, "git", "init", "-q")
    call(root, "git", "add", ".")
    call(root, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "Start")


@pytest.fixture
def toy(tmp_path) -> Toy:
    """A toy project under git and DVC, with the settings of ours."""
    toy = toy_project(tmp_path / "project")
    shutil.copytree(ROOT / ".dvc", toy.root / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, toy.root)
    (toy.root / "dvc.yaml").write_text(TOY)
    repository(toy.root)
    return toy


def test_repro_twice_gives_the_same_lock_and_with_nothing_to_do_runs_nothing(toy):
    assert rerun(toy.root) == {"toy"}
    lock = (toy.root / "dvc.lock").read_bytes()
    assert rerun(toy.root) == set()
    call(toy.root, "dvc", "repro", "-f")
    assert (toy.root / "dvc.lock").read_bytes() == lock
    dirty = call(toy.root, "git", "status", "--porcelain").stdout.splitlines()
    assert sorted(line[3:] for line in dirty) == ["dvc.lock", "reports/"]


def test_after_a_failure_the_last_good_results_are_still_there(toy):
    call(toy.root, "dvc", "repro")
    good = toy.results()
    toy.write(*CELLS[:4], "assert False, 'claim not met'")
    failed = call(toy.root, "dvc", "repro", check=False)
    assert failed.returncode != 0
    assert "10_toy.ipynb, cell 5: AssertionError: claim not met" in failed.stderr
    results = toy.results()
    assert results.pop(".run/toy/failed.html")
    assert results == good


def test_ctrl_c_in_repro_leaves_nothing_half_written(toy):
    wait = '(out / "half.txt").write_text("half")\nimport time\n\ntime.sleep(600)'
    toy.write(*CELLS[:3], wait, *CELLS[3:])
    command = [str(Path(sys.executable).parent / "dvc"), "repro"]
    process = subprocess.Popen(command, cwd=toy.root, env=toy.environment(), start_new_session=True)
    while not (toy.root / ".run/toy/out/half.txt").exists():
        assert process.poll() is None
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # the terminal's Ctrl-C reaches the whole group
    assert process.wait(120) != 0
    assert not [name for name in toy.results() if "toy" in name and fingerprint.FOLDER not in name]


def copy_of_the_checkout(root: Path) -> None:
    """Copy this checkout as git would carry it, without lock and results."""
    listed = call(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, listed.split("\0")):
        kept = name == "reports/metrics/bench.json" or not name.startswith("reports/")
        if (ROOT / name).is_file() and name != "dvc.lock" and kept:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)


def overlay(path: Path, changes: dict) -> None:
    """Lay the sections of ``changes`` over those of ``path``."""
    yaml = YAML()
    content = yaml.load(path.read_text())
    for section, part in changes.items():
        content[section].update(part)
    with open(path, "w") as file:
        yaml.dump(content, file)


STAND_IN = """import pathlib, sys

stage, place = sys.argv[1:]
(notebook,) = pathlib.Path("notebooks").glob(f"[1-9][0-9]_{stage}.ipynb")
for name in (f"{place}/result.txt", f"reports/{notebook.stem}.html", f"reports/metrics/{notebook.stem}.json"):
    path = pathlib.Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(stage)
"""


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> Path:
    """A copy of this checkout whose stages have run, all but the first by writing their names and no more."""
    root = tmp_path_factory.mktemp("quick") / "project"
    copy_of_the_checkout(root)
    (root / "stand_in.py").write_text(STAND_IN)
    (root / "photos").mkdir()
    (root / "photos/me.jpg").write_bytes(b"first")
    me = {"name": "me", "front": "photos/me.jpg", "stature_cm": 178.0}
    overlay(root / "params.yaml", {"fit_photo": {"subjects": [me]}})
    pipeline = (root / "dvc.yaml").read_text()
    (root / "dvc.yaml").write_text(re.sub(r"run: env .*", "run: python stand_in.py", pipeline))
    repository(root)
    assert rerun(root) == set(STAGES)
    return root


SAGE = {"train_codebooks", "train_diffusion", "train_decoder", "train_refiner", "score_motion", "animate_body"}
WEIGHTS = {
    "train_codebooks",
    "train_refiner",
    "train_posterior",
    "fit_photo",
    "benchmark",
    "score_motion",
    "animate_body",
}
EDITS = [
    (
        ("lib/avatarlab/show/figures.py", "lib/avatarlab/motion/plots.py"),
        set(),
    ),  # what only draws trains nothing
    (("lib/avatarlab/synthetic/making.py",), {"people"}),
    (("lib/avatarlab/motion/sage/denoiser.py",), SAGE),
    (("lib/avatarlab/measure/oracle.py",), {"measure"}),
    (("photos/me.jpg",), {"fit_photo"}),
]
"""What is edited one after the other, and the stages that run then."""


@pytest.mark.slow
@pytest.mark.timeout(HOURS)
def test_an_edit_reruns_exactly_the_stages_that_use_it_and_taken_back_leaves_the_lock(quick):
    lock = (quick / "dvc.lock").read_bytes()
    assert rerun(quick) == set()
    for names, stages in EDITS:
        for name in names:
            (quick / name).write_bytes((quick / name).read_bytes() + b"\n# edited\n")
        assert rerun(quick) == stages, names
    call(quick, "git", "checkout", "-q", ".")
    assert rerun(quick) == set.union(*(stages for _, stages in EDITS))
    assert (quick / "dvc.lock").read_bytes() == lock
    overlay(quick / "params.yaml", {"base": {"weights": "trained"}})
    assert rerun(quick) == WEIGHTS


def streamed(root: Path, tell: Callable[[str], None], *command: str) -> None:
    """Run a command of DVC; tell the name and the seconds of each stage as it ends."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    process = subprocess.Popen(command, cwd=root, env=environment(), **options)
    lines, stage, begun = [], "", time.monotonic()
    try:
        for line in process.stdout:
            lines.append(line)
            if begins := re.match(r"Running stage '(\w+)'", line):
                tell(f"{stage}: {time.monotonic() - begun:.0f} s" if stage else " ".join(command))
                stage, begun = begins[1], time.monotonic()
        tell(f"{stage}: {time.monotonic() - begun:.0f} s")
        assert process.wait() == 0, "".join(lines[-60:])
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


@pytest.fixture
def tell(capfd) -> Callable[[str], None]:
    """A function: write a line to the terminal though pytest keeps the rest."""

    def told(text: str) -> None:
        with capfd.disabled():
            sys.stderr.write(f"  smoke pipeline: {text}\n")

    return told


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> Path:
    """A copy of this checkout with the smoke overlay on its parameters."""
    root = tmp_path_factory.mktemp("smoke") / "project"
    copy_of_the_checkout(root)
    overlay(root / "params.yaml", read_yaml(ROOT / "tests/smoke.yaml"))
    repository(root)
    return root


REPEATED = ("train_regressor", "fit_photo", "animate_body")
"""A training, a fit and a film: what may differ from run to run."""


@pytest.mark.slow
@pytest.mark.timeout(HOURS)
def test_whole_pipeline_runs_and_repeats_to_the_same_bytes(smoke, tell):
    streamed(smoke, tell, "dvc", "repro")
    lock = (smoke / "dvc.lock").read_bytes()
    assert {path.stem for path in (smoke / "reports").glob("*.html")} == {path.stem for path in WRITTEN.values()}
    assert rerun(smoke) == set()
    streamed(smoke, tell, "dvc", "repro", "-f", "-s", *REPEATED)
    assert (smoke / "dvc.lock").read_bytes() == lock


def unkept(page, stage: str) -> str:
    """Return what a report promised and does not show."""
    views = page.locator("iframe.view").count()
    for number in range(views):
        page.frame_locator("iframe.view").nth(number).locator("canvas").first.wait_for(timeout=300_000)
    promised = "view.show(" in "".join(notebook.source(c) for c in notebook.read(WRITTEN[stage])["cells"])
    return f"{stage}: no 3D view" if promised and not views else ""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(HOURS)
def test_reports_open_offline_with_the_canvas_they_promise(smoke, offline):
    reports = {stage: smoke / "reports" / f"{path.stem}.html" for stage, path in WRITTEN.items()}
    there = {stage: path for stage, path in reports.items() if path.exists()}
    if not there:
        pytest.skip("the pipeline has not run")
    faults = []
    for stage, path in there.items():
        page, complaints = offline(path)
        faults += [*filter(None, [unkept(page, stage)]), *(f"{stage}: {said}" for said in complaints)]
        page.close()
    assert not faults, report(faults)
