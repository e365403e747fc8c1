"""dvc.yaml says what is true, and the whole pipeline runs from a fresh copy, twice to the same bytes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from toy import CELLS, toy_project

from avatarlab import ROOT
from avatarlab.lab import deps, notebook, params

STAGES = params.read_yaml(ROOT / "dvc.yaml")["stages"]
WRITTEN = {name: found[0] for name in STAGES if (found := list((ROOT / "notebooks").glob(f"[1-9]?_{name}.ipynb")))}
TOY = """stages:
  toy:
    cmd: env PYTHONPATH=lib python -m avatarlab.lab.run toy data/toy
    deps:
      - notebooks/10_toy.ipynb
    params: [base, toy]
    outs:
      - data/toy:
          persist: true
      - reports/10_toy.html:
          persist: true
      - reports/metrics/10_toy.json:
          cache: false
          persist: true
"""


def paths(entries: list) -> set[str]:
    return {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}


@pytest.mark.parametrize("stage", STAGES)
def test_one_name_serves_in_five_places(stage):
    outs = paths(STAGES[stage]["outs"])
    outs = {out for out in outs if not out.startswith("reports/")}
    assert outs in ({f"data/{stage}"}, {f"models/{stage}"})
    number = re.search(rf"(\d\d)_{stage}\.ipynb", " ".join(STAGES[stage]["deps"]))[1]
    rest = paths(STAGES[stage]["outs"]) - outs
    assert rest == {f"reports/{number}_{stage}.html", f"reports/metrics/{number}_{stage}.json"}
    assert STAGES[stage]["cmd"] == f"${{run}} {stage} {outs.pop()}"
    assert STAGES[stage]["params"] == ["base", stage] and STAGES[stage]["desc"]


def test_stages_of_the_pipeline_are_the_numbered_notebooks():
    numbered = {p.stem[3:] for p in notebook.all_notebooks() if re.match(r"[1-9]\d_", p.name)}
    assert numbered <= set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_inputs_are_results_of_other_stages_or_files_of_the_project(stage):
    made = {out for name, other in STAGES.items() if name != stage for out in paths(other["outs"])}
    inputs = [dep for dep in STAGES[stage]["deps"] if not deps.is_code(dep)]
    assert [dep for dep in inputs if dep not in made and not (ROOT / dep).exists()] == []


@pytest.mark.parametrize("stage", WRITTEN)
def test_deps_are_the_notebook_and_what_it_imports(stage):
    assert deps.wrong({stage: STAGES[stage]}) == {}, "python -m avatarlab.lab.deps --write"


@pytest.mark.parametrize("stage", WRITTEN)
def test_results_of_other_stages_that_a_notebook_names_are_deps(stage):
    code = "\n".join(notebook.source(cell) for cell in notebook.read(WRITTEN[stage])["cells"])
    made = {out for name, other in STAGES.items() if name != stage for out in paths(other["outs"])}
    named = {out for out in made if re.search(rf"""["']{re.escape(out)}[/"']""", code)}
    if stage != "body" and re.search(r"\bBody\.load\(", code):
        named |= {"models/body"}
    assert named <= set(STAGES[stage]["deps"])


def call(root: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "PATH": path,
        "OMP_NUM_THREADS": "2",
    }
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=900)
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def repository(root: Path) -> None:
    call(root, "git", "init", "-q")
    call(root, "git", "add", ".")
    call(root, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "Start")


@pytest.fixture
def toy(tmp_path):
    """A toy project under git and DVC, with the settings of ours."""
    toy = toy_project(tmp_path / "project")
    shutil.copytree(ROOT / ".dvc", toy.root / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, toy.root)
    (toy.root / "dvc.yaml").write_text(TOY)
    repository(toy.root)
    return toy


def test_repro_twice_gives_the_same_lock_and_nothing_to_do_is_quick(toy):
    call(toy.root, "dvc", "repro")
    lock = (toy.root / "dvc.lock").read_bytes()
    begin = os.times()
    assert "up to date" in call(toy.root, "dvc", "repro").stdout
    spent = os.times()
    assert spent.children_user + spent.children_system - begin.children_user - begin.children_system < 5
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


@pytest.mark.parametrize("stage", STAGES)
def test_dvc_deletes_no_result_before_a_run(stage):
    assert all(next(iter(out.values())).get("persist") for out in STAGES[stage]["outs"])


def test_ctrl_c_in_repro_leaves_nothing_half_written(toy):
    wait = '(out / "half.txt").write_text("half")\nimport time\n\ntime.sleep(60)'
    toy.write(*CELLS[:3], wait, *CELLS[3:])
    command = [str(Path(sys.executable).parent / "dvc"), "repro"]
    process = subprocess.Popen(command, cwd=toy.root, env=toy.environment(), start_new_session=True)
    deadline = time.monotonic() + 60
    while not (toy.root / ".run/toy/out/half.txt").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # the terminal's Ctrl-C reaches the whole group
    assert process.wait(30) != 0
    assert toy.results() == {}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> Path:
    """A copy of this checkout as git would carry it, with the smoke overlay on its parameters."""
    missing = sorted(set(STAGES) - set(WRITTEN))
    if missing:
        pytest.skip(f"notebooks not written yet: {', '.join(missing)}")
    root = tmp_path_factory.mktemp("smoke") / "project"
    listed = call(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, listed.split("\0")):
        kept = name == "reports/metrics/bench.json" or not name.startswith("reports/")
        if (ROOT / name).is_file() and name != "dvc.lock" and kept:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    overlay(root / "params.yaml", ROOT / "tests/smoke.yaml")
    repository(root)
    return root


def overlay(path: Path, changes: Path) -> None:
    """Lay the sections of ``changes`` over those of ``path``."""
    yaml = YAML()
    content = yaml.load(path.read_text())
    for section, part in params.read_yaml(changes).items():
        content[section].update(part)
    with open(path, "w") as file:
        yaml.dump(content, file)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_whole_pipeline_runs_twice_to_the_same_bytes(smoke):
    call(smoke, "dvc", "repro")
    lock = (smoke / "dvc.lock").read_bytes()
    assert {path.stem for path in (smoke / "reports").glob("*.html")} == {path.stem for path in WRITTEN.values()}
    call(smoke, "dvc", "repro", "-f")
    assert (smoke / "dvc.lock").read_bytes() == lock


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("stage", STAGES)
def test_reports_open_offline_with_the_canvas_they_promise(smoke, offline, stage):
    report = smoke / "reports" / f"{WRITTEN[stage].stem}.html"
    if not report.exists():
        pytest.skip("the pipeline did not get that far")
    page, complaints = offline(report)
    for number in range(page.locator("iframe.view").count()):
        page.frame_locator("iframe.view").nth(number).locator("canvas").first.wait_for(timeout=60_000)
    promised = "view.show(" in "".join(notebook.source(c) for c in notebook.read(WRITTEN[stage])["cells"])
    assert page.locator("iframe.view").count() > 0 or not promised
    assert complaints == []
