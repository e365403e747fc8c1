"""What a stage depends on: its notebook and every module of ours that the notebook imports, directly or not.

python -m avatarlab.lab.deps            names the stages of dvc.yaml whose list is wrong, exit status 1
python -m avatarlab.lab.deps --write    puts the lists right; inputs from other stages and comments stay
"""

import argparse
import ast
import logging
import sys
from fnmatch import fnmatch
from pathlib import Path

from ruamel.yaml import YAML

from avatarlab import ROOT
from avatarlab.files import whole
from avatarlab.lab import notebook

log = logging.getLogger(__name__)

PACKAGE = "avatarlab"


def imported(code: str, module: str = "", root: Path = ROOT) -> set[str]:
    """Return the dotted names of our modules that ``code`` imports; ``module`` is its own name, for relative imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*module.split(".")[: -node.level], *filter(None, [node.module])])
                if node.level
                else node.module
            )
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == PACKAGE and _file(name, root)}


def _file(module: str, root: Path) -> Path | None:
    """Return the file of a module of ours, or None (then the name is a function or class)."""
    path = root / "lib" / Path(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def modules(code: str, root: Path = ROOT) -> set[Path]:
    """Return the files of all modules of ours that running ``code`` loads, packages' ``__init__`` included."""
    todo, seen = imported(code, root=root), set()
    while todo:
        name = todo.pop()
        file = _file(name, root)
        if file is None or file in seen:
            continue
        seen.add(file)
        parent = name.rpartition(".")[0]
        own = f"{name}.__init__" if file.name == "__init__.py" else name
        todo |= imported(file.read_text(encoding="utf-8"), own, root) | ({parent} if parent else set())
    return seen


def tables(files: set[Path]) -> set[Path]:
    """Return the package's data files and data folders that one of ``files``, in the same folder, names in a string."""
    found = set()
    for file in files:
        names = _named(file.read_text(encoding="utf-8"))
        beside = [p for p in file.parent.iterdir() if p.suffix != ".py" and not (p / "__init__.py").exists()]
        for path in (p for p in beside if p.name != "__pycache__" and any(fnmatch(p.name, n) for n in names)):
            found |= {p for p in path.rglob("*") if p.is_file()} if path.is_dir() else {path}
    return found


def _named(code: str) -> set[str]:
    """Return the path parts in the strings of ``code``; what an f-string fills in becomes ``*``."""
    texts = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            texts.append("".join(v.value if isinstance(v, ast.Constant) else "*" for v in node.values))
    return {part for text in texts for part in text.split("/") if part.strip("*. ")}


def of_notebook(path: Path, root: Path = ROOT) -> list[str]:
    """Return a stage's notebook and library files, relative to the project, sorted."""
    nb = notebook.read(path)
    code = "\n".join(notebook.source(cell) for cell in nb["cells"] if cell["cell_type"] == "code")
    files = modules(code, root)
    return [p.relative_to(root).as_posix() for p in [path, *sorted(files | tables(files))]]


def wanted(stage: str, listed: list[str], root: Path = ROOT) -> list[str]:
    """Return the right ``deps`` of ``stage``: computed ones, then those ``listed`` that are inputs.

    A stage whose notebook does not exist yet keeps what is listed.
    """
    found = sorted((root / "notebooks").glob(f"[0-9][0-9]_{stage}.ipynb"))
    if not found:
        return listed
    return [*of_notebook(found[0], root), *(dep for dep in listed if not is_code(dep))]


def is_code(dep: str) -> bool:
    """Return True for deps that follow from the imports: notebooks and the library."""
    return dep.startswith("lib/") or dep.startswith("notebooks/") and dep.endswith(".ipynb")


def wrong(stages: dict, root: Path = ROOT) -> dict[str, list[str]]:
    """Return stage -> right list for those stages of dvc.yaml whose list differs."""
    right = {name: wanted(name, list(stage.get("deps", [])), root) for name, stage in stages.items()}
    return {name: deps for name, deps in right.items() if deps != list(stages[name].get("deps", []))}


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m avatarlab.lab.deps")
    parser.add_argument("--write", action="store_true", help="correct dvc.yaml")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    yaml = YAML()
    yaml.width = 115
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load((root / "dvc.yaml").read_text(encoding="utf-8"))
    right = wrong(content["stages"], root)
    for name, deps in right.items():
        log.info("%s: deps differ from what its notebook imports", name)
        content["stages"][name]["deps"] = deps
    if given.write and right:
        with whole(root / "dvc.yaml") as part, open(part, "w", encoding="utf-8") as file:
            yaml.dump(content, file)
    return int(bool(right) and not given.write)


if __name__ == "__main__":
    sys.exit(main())
