"""The canonical form of notebook files and their parameters cell.

On disk a notebook holds sources and tags only: no outputs, no counts, ids by position. DVC hashes the file as it
lies there, so looking at a notebook, or running it in JupyterLab, must not change a byte.

    python -m avatarlab.lab.notebook tidy  [files]     rewrite (default: all of notebooks/)
    python -m avatarlab.lab.notebook check [files]     name those that are not canonical, exit status 1
"""

import argparse
import ast
import json
import logging
import sys
from pathlib import Path

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.core.files import whole

log = logging.getLogger(__name__)

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read(path: str | Path) -> dict:
    """Return the notebook as plain nbformat 4 JSON; InputError if it is missing or something else."""
    try:
        nb = json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such notebook.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a notebook, its JSON cannot be read ({error}).") from None
    if not isinstance(nb, dict) or nb.get("nbformat") != 4 or not isinstance(nb.get("cells"), list):
        raise InputError(f"{path}: not a notebook of nbformat 4; save it anew in JupyterLab.")
    return nb


def source(cell: dict) -> str:
    """Return a cell's source as one string (on disk it is a list of lines)."""
    return "".join(cell.get("source", ""))


def tags(cell: dict) -> list[str]:
    """Return a cell's tags, in order."""
    return list(cell.get("metadata", {}).get("tags", []))


def canonical(nb: dict) -> dict:
    """Return ``nb`` reduced to what a person wrote: sources, tags and attachments, with ids by position."""
    cells = [_canonical_cell(cell, number) for number, cell in enumerate(nb["cells"])]
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def _canonical_cell(cell: dict, number: int) -> dict:
    kept = {
        "cell_type": cell["cell_type"],
        "id": f"cell-{number:02d}",
        "metadata": {"tags": tags(cell)} if tags(cell) else {},
        "source": source(cell).splitlines(keepends=True),
    }
    if cell["cell_type"] == "code":
        kept |= {"execution_count": None, "outputs": []}
    elif cell.get("attachments"):
        kept["attachments"] = cell["attachments"]
    return kept


def text(nb: dict) -> str:
    """Return the canonical file content, byte for byte what JupyterLab writes for it."""
    return json.dumps(canonical(nb), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def save_hook(model: dict, **_) -> None:
    """Jupyter's pre-save hook: what reaches the disk is canonical, the outputs stay in the browser."""
    if model["type"] == "notebook" and model["content"].get("nbformat") == 4:
        model["content"] = canonical(model["content"])


def parameters(nb: dict, name: str = "notebook") -> dict:
    """Return the values of the cell tagged ``parameters``; InputError unless it is one cell of literals."""
    cells = [cell for cell in nb["cells"] if "parameters" in tags(cell)]
    if len(cells) != 1:
        raise InputError(
            f"{name}: expected one cell tagged 'parameters', got {len(cells)}; set the tag in JupyterLab."
        )
    try:
        statements = ast.parse(source(cells[0])).body
    except SyntaxError as error:
        raise InputError(
            f"{name}: the parameters cell is not Python ({error.msg}, line {error.lineno})."
        ) from None
    return dict(_literal(statement, name) for statement in statements)


def _literal(statement: ast.stmt, name: str) -> tuple[str, object]:
    try:
        (target,) = statement.targets
        return target.id, ast.literal_eval(statement.value)
    except (AttributeError, ValueError):
        code = ast.unparse(statement)
        raise InputError(f"{name}: the parameters cell may hold `name = literal` only, got `{code}`.") from None


def comments(nb: dict) -> dict[str, str]:
    """Return parameter name -> the comment at the end of its line (its unit and meaning)."""
    cell = next(cell for cell in nb["cells"] if "parameters" in tags(cell))
    lines = (line.partition("#") for line in source(cell).splitlines())
    return {code.partition("=")[0].strip(): note.strip() for code, mark, note in lines if mark and "=" in code}


def all_notebooks() -> list[Path]:
    """Return every notebook of the project, stages and explore/, sorted."""
    found = (ROOT / "notebooks").rglob("*.ipynb")
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def stages(root: Path = ROOT) -> dict[str, Path]:
    """Return stage -> its notebook, notebooks/NN_<stage>.ipynb, in the order of their numbers."""
    return {path.stem[3:]: path for path in sorted((root / "notebooks").glob("[1-9][0-9]_*.ipynb"))}


def untidy(paths: list[Path]) -> list[Path]:
    """Return those of ``paths`` whose bytes are not canonical."""
    return [path for path in paths if path.read_text(encoding="utf-8") != text(read(path))]


def tidy(paths: list[Path]) -> list[Path]:
    """Rewrite the notebooks that are not canonical; return them."""
    changed = untidy(paths)
    for path in changed:
        content = text(read(path))
        with whole(path) as part:
            part.write_text(content, encoding="utf-8")
    return changed


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m avatarlab.lab.notebook")
    parser.add_argument("action", choices=["tidy", "check"])
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        paths = given.files or all_notebooks()
        found = tidy(paths) if given.action == "tidy" else untidy(paths)
    except (InputError, OSError) as error:
        log.error("%s", error)
        return 1
    for path in found:
        log.info("%s: %s", path, "tidied" if given.action == "tidy" else "not canonical; run `tidy` on it")
    return int(given.action == "check" and bool(found))


if __name__ == "__main__":
    sys.exit(main())
