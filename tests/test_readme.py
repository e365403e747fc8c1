"""README and docs are true: their commands and snippets run, files and links exist, figures are those of the metrics."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.lab import benchmarks

SCORES = json.loads((ROOT / "reports/metrics/41_benchmark.json").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"```(\w*)\n(.*?)```", README, re.S)
BLOCKS = [text for language, text in FENCED if language in ("", "sh")]
COMMANDS = [
    line.strip() for block in BLOCKS for line in block.splitlines() if re.match(r"\s*(make|dvc|python -m) ", line)
]


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LIMIT = 1000  # words of the README


def test_readme_is_a_page_and_not_a_book():
    assert len(README.split()) < LIMIT


def test_the_three_commands_are_there():
    assert {"make demo", "make repro", "make test"} <= {command.partition("#")[0].strip() for command in COMMANDS}


@pytest.mark.parametrize("command", sorted({c.split()[1] for c in COMMANDS if c.startswith("make")}))
def test_make_knows_the_target(command):
    done = subprocess.run(["make", "--dry-run", command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command", sorted({c.split()[2] for c in COMMANDS if c.startswith("python -m avatarlab")})
)
def test_modules_that_are_called_exist(command):
    path = ROOT / "lib" / command.replace(".", "/")
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


@pytest.mark.slow
@pytest.mark.parametrize("snippet", [text for language, text in FENCED if language == "python"])
def test_python_runs_as_printed(snippet, tmp_path):
    done = subprocess.run([sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "avatar.glb").stat().st_size > 100_000


def broken(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere in the project."""
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)|src=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
    local = {a or b for a, b in targets if not (a or b).startswith(("http", "mailto"))}
    made = ("reports/", "data/", "models/body")  # there after `make repro`
    return [t for t in local if not t.startswith(made) and not (page.parent / t).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page):
    assert broken(page) == []


def test_a_broken_link_is_seen(tmp_path):
    (tmp_path / "a.md").write_text("[x](b.md) [y](a.md#z) [w](https://x.y) [r](reports/a.html)")
    assert broken(tmp_path / "a.md") == ["b.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_library_that_are_named_exist(page):
    rooms = "|".join(path.name for path in (ROOT / "lib/avatarlab").iterdir() if path.is_dir())
    named = re.findall(rf"`((?:{rooms})/[\w/]+\.\w+)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / "lib/avatarlab" / name).exists()] == []


def test_benchmarks_are_those_of_the_metrics():
    committed = (ROOT / benchmarks.PAGE).read_text(encoding="utf-8")
    assert committed == benchmarks.page(), "python -m avatarlab.lab.benchmarks"


def test_a_figure_that_no_stage_has_is_an_error_that_names_it():
    figures = benchmarks.Figures(ROOT)
    assert figures.value("41_benchmark", "a_front_side_mae15_mm", 1) == f"{SCORES['a_front_side_mae15_mm']:.1f}"
    assert figures.splits("causal", "mpjpe_cm").count(" / ") == 2 and figures.splits("nobody", "mpjpe_cm") == "–"
    with pytest.raises(InputError, match="no figure a_front_side_mae51_mm.*a_front_side_mae15_mm"):
        figures.value("41_benchmark", "a_front_side_mae51_mm")
    with pytest.raises(InputError, match="no target triangels.*triangles"):
        figures.target("50_export", "triangels")


def test_a_changed_metric_changes_the_page(tmp_path):
    shutil.copytree(ROOT / "reports/metrics", tmp_path / "reports/metrics")
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks/targets.yaml", tmp_path / "notebooks")
    assert benchmarks.page(tmp_path) == benchmarks.page()
    changed = SCORES | {"b_front_side_chest_mae_mm": 20.96}
    (tmp_path / "reports/metrics/41_benchmark.json").write_text(json.dumps(changed))
    row = next(line for line in benchmarks.page(tmp_path).splitlines() if line.startswith("| everyday masks"))
    assert "21.0 /" in row
