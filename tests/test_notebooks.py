"""Every notebook: canonical bytes, the anatomy of style.md, parameters that agree with params.yaml."""

import ast
import re
from pathlib import Path

import pytest

from avatarlab import ROOT
from avatarlab.lab import notebook, params

NOTEBOOKS = notebook.all_notebooks()
STAGES = [p for p in NOTEBOOKS if re.match(r"[1-9]\d_", p.name)]
MANY = 45  # cells of one notebook
LONG = 14  # lines of one code cell, imports and parameters apart


def name(path: Path) -> str:
    return path.relative_to(ROOT / "notebooks").as_posix()


def code_cells(path: Path) -> list[str]:
    return [notebook.source(c) for c in notebook.read(path)["cells"] if c["cell_type"] == "code"]


def big_definitions(code: str) -> list[str]:
    """Return classes, and functions of more than six lines."""
    found = []
    for node in ast.walk(ast.parse(code)):
        small = isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno < 6
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not small:
            found.append(node.name)
    return found


def steps(code: str) -> int:
    """Return the lines of a cell that are neither imports nor blank."""
    return len([line for line in code.splitlines() if line.strip() and not re.match("import |from ", line)])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_file_is_canonical(path):
    assert notebook.untidy([path]) == [], "python -m avatarlab.lab.notebook tidy"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_holds_no_class_no_long_function_and_opens_with_prose(path):
    assert [d for code in code_cells(path) for d in big_definitions(code)] == []
    first = notebook.read(path)["cells"][0]
    assert first["cell_type"] == "markdown" and notebook.source(first).startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_markdown_holds_no_formula_that_reports_cannot_show(path):
    prose = [notebook.source(c) for c in notebook.read(path)["cells"] if c["cell_type"] == "markdown"]
    assert [text for text in prose if re.search(r"\$[^$\n]+\$|\\\(|\\\[", text)] == [], "write formulas in Unicode"


@pytest.mark.parametrize("path", STAGES, ids=name)
def test_parameters_agree_with_params_yaml(path):
    stage = path.stem[3:]
    wanted = notebook.parameters(notebook.read(path), path.name)
    params.check(params.section(params.read_yaml(ROOT / "params.yaml"), stage), wanted, stage)
    assert wanted["out"].startswith(".run/scratch/"), "Run All in JupyterLab must not touch the pipeline's results"


@pytest.mark.parametrize("path", STAGES, ids=name)
def test_is_short_and_every_parameter_has_its_comment(path):
    nb = notebook.read(path)
    assert len(nb["cells"]) <= MANY
    parameters = next(notebook.source(cell) for cell in nb["cells"] if "parameters" in notebook.tags(cell))
    assert [code for code in code_cells(path) if steps(code) > LONG and code != parameters] == []
    assert set(notebook.parameters(nb)) - set(notebook.comments(nb)) <= {"out"}


def test_every_section_of_params_yaml_has_its_notebook():
    sections = set(params.read_yaml(ROOT / "params.yaml")) - {"base"}
    assert sections <= {p.stem[3:] for p in STAGES} or not STAGES


def test_smoke_overlay_changes_only_what_exists():
    given = params.read_yaml(ROOT / "params.yaml")
    overlay = params.read_yaml(ROOT / "tests/smoke.yaml")
    assert [f"{s}.{n}" for s, part in overlay.items() for n in part if n not in given.get(s, {})] == []


def test_guards_fire():
    assert big_definitions("class A: pass") == ["A"]
    assert big_definitions("def f():\n" + "    x = 1\n" * 6) == ["f"]
    assert big_definitions("def f():\n" + "    x = 1\n" * 5) == []
