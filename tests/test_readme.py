"""The README's commands are real: they are targets of the Makefile, and its files and links exist."""

import re
import subprocess
import sys

import pytest

from avatarlab import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"```(\w*)\n(.*?)```", README, re.S)
BLOCKS = [text for language, text in FENCED if language in ("", "sh")]
COMMANDS = [
    line.strip() for block in BLOCKS for line in block.splitlines() if re.match(r"\s*(make|dvc|python -m) ", line)
]


def test_the_two_commands_are_there():
    assert {"make repro", "make test"} <= {command.partition("#")[0].strip() for command in COMMANDS}


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


def test_links_and_pictures_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)|src=\"([^\"]+)\"", README)
    local = {a or b for a, b in targets if not (a or b).startswith(("http", "mailto"))}
    made = ("reports/", "data/", "models/body")  # there after `make repro`
    assert [t for t in local if not t.startswith(made) and not (ROOT / t).exists()] == []
