"""Every notebook: canonical bytes, the anatomy of style.md, parameters that agree with params.yaml."""

import ast
import re
from pathlib import Path

from toy import make_notebook

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.core.files import read_yaml
from avatarlab.lab import notebook, params

NOTEBOOKS = notebook.all_notebooks()
STAGES = list(notebook.stages().values())
MANY = 45  # cells of one notebook
FORMULA = re.compile(r"\$[^$\n]+\$|\\\(|\\\[")
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


def anatomy(path: Path) -> list[str]:
    """Return what in the form of a notebook is wrong."""
    cells = notebook.read(path)["cells"]
    prose = [notebook.source(c) for c in cells if c["cell_type"] == "markdown"]
    opens = cells[0]["cell_type"] == "markdown" and notebook.source(cells[0]).startswith("# ")
    return [
        *(f"{d} belongs into the library" for code in code_cells(path) for d in big_definitions(code)),
        *([] if opens else ["the first cell is no prose with a title"]),
        *(
            f"formula that reports cannot show, write it in Unicode: {t[:60]!r}"
            for t in prose
            if FORMULA.search(t)
        ),
    ]


def stage_faults(path: Path) -> list[str]:
    """Return what in the parameters and sizes of a stage's notebook is wrong."""
    nb, stage = notebook.read(path), path.stem[3:]
    cell = next(notebook.source(c) for c in nb["cells"] if "parameters" in notebook.tags(c))
    expected = notebook.parameters(nb, path.name)
    rest = [code for code in code_cells(path) if code != cell]
    try:
        params.check(params.section(read_yaml(ROOT / "params.yaml"), stage, expected), expected, stage)
        disagree = []
    except InputError as error:
        disagree = [str(error)]
    scratch = expected["out"].startswith(".run/scratch/")
    return [
        *disagree,
        *([] if scratch else ["out: Run All in JupyterLab must not touch the pipeline's results"]),
        *(f"{name} is never used" for name in expected if name not in loaded("\n".join(rest))),
        *(f"{name} has no comment" for name in set(expected) - set(notebook.comments(nb)) - {"out"}),
        *([f"{len(nb['cells'])} cells"] if len(nb["cells"]) > MANY else []),
        *(f"cell of {steps(code)} lines: {code[:60]!r}" for code in rest if steps(code) > LONG),
    ]


def loaded(code: str) -> set[str]:
    """Return the names that ``code`` reads."""
    return {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def test_files_are_canonical():
    assert notebook.untidy(NOTEBOOKS) == [], "python -m avatarlab.lab.notebook tidy"


def test_no_class_no_long_function_no_formula_and_prose_first():
    faults = [f"{name(path)}: {fault}" for path in NOTEBOOKS for fault in anatomy(path)]
    assert not faults, "\n".join(["", *faults])


def test_parameters_agree_with_params_yaml_are_used_and_commented_and_cells_are_short():
    faults = [f"{name(path)}: {fault}" for path in STAGES for fault in stage_faults(path)]
    assert not faults, "\n".join(["", *faults])


def test_every_base_parameter_is_some_notebooks():
    named = {n for path in STAGES for n in notebook.parameters(notebook.read(path))}
    assert set(read_yaml(ROOT / "params.yaml")["base"]) <= named


def test_every_section_of_params_yaml_has_its_notebook():
    sections = set(read_yaml(ROOT / "params.yaml")) - {"base"}
    assert sections <= {p.stem[3:] for p in STAGES} or not STAGES


def test_smoke_overlay_changes_only_what_exists():
    given = read_yaml(ROOT / "params.yaml")
    overlay = read_yaml(ROOT / "tests/smoke.yaml")
    assert [f"{s}.{n}" for s, part in overlay.items() for n in part if n not in given.get(s, {})] == []


def test_index_links_every_notebook():
    index = notebook.source(notebook.read(ROOT / "notebooks/00_index.ipynb")["cells"][0])
    assert [name(path) for path in NOTEBOOKS if f"]({name(path)})" not in index] == ["00_index.ipynb"]


def test_guards_fire(tmp_path):
    bad = tmp_path / "10_body.ipynb"
    cells = [
        "Body",
        'seed = 7\nodd = 1  # never used\nout = "data/body"',
        "class A: pass",
        "x = seed\n" * (LONG + 1),
    ]
    bad.write_text(notebook.text(make_notebook(*cells, *["x = out"] * MANY)))
    nb = notebook.read(bad)
    nb["cells"].append({"cell_type": "markdown", "id": "x", "metadata": {}, "source": "the square $x^2$"})
    bad.write_text(notebook.text(nb))
    assert [fault.split()[0] for fault in anatomy(bad)] == ["A", "the", "formula"]
    words = ["params.yaml", "out:", "odd is never", "seed has no", "50 cells", f"cell of {LONG + 1}"]
    assert [fault.startswith(word) for fault, word in zip(stage_faults(bad), words, strict=True)] == [True] * 6
    assert big_definitions("class A: pass") == ["A"]
    assert big_definitions("def f():\n" + "    x = 1\n" * 6) == ["f"]
    assert big_definitions("def f():\n" + "    x = 1\n" * 5) == []
