"""What code a notebook runs: every module of ours that it imports, directly or not, and the data files these name."""

import ast
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.lab import notebook

PACKAGE = "avatarlab"

DRAWING = (
    "avatarlab.show",
    "avatarlab.fit.overlays",
    "avatarlab.fit.regressor.overlay",
    "avatarlab.measure.draw",
    "avatarlab.photo.drawing",
    "*.plots",
)
"""Modules, packages and patterns of such that only draw: an edit changes how a report looks and no result, so it reruns
nothing, and what they alone import counts as little. A report drawn the new way: ``dvc repro -f -s <stage>``."""
RESULTS = {"fit_photo": ("avatarlab.fit.overlays",)}
"""Stage -> the drawing modules that count nevertheless, because it writes what they draw into its folder."""


@dataclass(frozen=True)
class CodeSource:
    """What a piece of code mentions: names it imports, path parts in its strings, folders of ``avatarlab.DATA``."""

    imports: frozenset[str]
    names: frozenset[str]
    shared: frozenset[str]


def parse(code: str, where: str, module: str = "") -> CodeSource:
    """Return what ``code`` mentions; ``where`` names it in an error, ``module`` is its own name, for relative imports."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError as error:
        raise InputError(f"{where}: not Python ({error.msg}, line {error.lineno}); correct it.") from None
    imports = {name for node in nodes for name in _imports(node, module)}
    names = {part for node in nodes for part in _text(node).split("/") if part.strip("*. ")}
    return CodeSource(frozenset(imports), frozenset(names), frozenset(filter(None, map(_shared, nodes))))


def _imports(node: ast.AST, module: str) -> list[str]:
    """Return the dotted names that one import statement may load (the last part may be a function or class)."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    package = module.split(".")[: -node.level] if node.level else []
    base = ".".join([*package, *filter(None, [node.module])])
    return [base, *(f"{base}.{alias.name}" for alias in node.names)]


def _text(node: ast.AST) -> str:
    """Return a string of the code; what an f-string fills in becomes ``*``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "*" for v in node.values)
    return ""


def _shared(node: ast.AST) -> str:
    """Return ``folder`` of an expression ``DATA / "folder"``, else nothing."""
    divided = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and isinstance(node.left, ast.Name)
    return _text(node.right) if divided and node.left.id == "DATA" else ""


def only_draws(module: str) -> bool:
    """Return True for modules that ``DRAWING`` declares, and for all modules of a declared package."""
    return any(fnmatch(module, name) or module.startswith(f"{name}.") for name in DRAWING)


class CodeLibrary:
    """The package's sources under ``root``, each looked at once."""

    def __init__(self, root: Path = ROOT):
        self.root = root
        self.file, self.source, self.tables = cache(self._file), cache(self._source), cache(self._tables)

    def _file(self, module: str) -> Path | None:
        """Return the file of a module of ours, or None (then the name is something else)."""
        path = self.root / "lib" / Path(*module.split("."))
        candidates = (path.with_suffix(".py"), path / "__init__.py") if module.split(".")[0] == PACKAGE else ()
        return next((file for file in candidates if file.is_file()), None)

    def _source(self, module: str) -> CodeSource:
        """Return what a module of ours mentions."""
        file = self.file(module)
        own = f"{module}.__init__" if file.name == "__init__.py" else module
        return parse(file.read_text(encoding="utf-8"), file.relative_to(self.root).as_posix(), own)

    def _tables(self, module: str) -> set[Path]:
        """Return the data files, and the files of data folders, beside ``module`` that one of its strings names."""
        names = self.source(module).names
        patterns = [name for name in names if "*" in name]
        beside = [p for p in self.file(module).parent.iterdir() if p.suffix != ".py" and p.name != "__pycache__"]
        found = set()
        for path in (p for p in beside if not (p / "__init__.py").exists()):
            if path.name in names or any(fnmatch(path.name, pattern) for pattern in patterns):
                found |= {p for p in path.rglob("*") if p.is_file()} if path.is_dir() else {path}
        return found

    def modules(self, start: CodeSource, drawn: Collection[str] = ()) -> set[str]:
        """Return the names of our modules that ``start`` loads, packages included, those that only draw left out.

        ``drawn`` are drawing modules that count nevertheless.
        """
        todo, seen = set(start.imports), set()
        while todo:
            module = todo.pop()
            if module in seen or not self.file(module) or (only_draws(module) and module not in drawn):
                continue
            seen.add(module)
            todo |= self.source(module).imports | {module.rpartition(".")[0]} - {""}
        return seen

    def of_notebook(self, path: Path) -> tuple[list[Path], list[str]]:
        """Return (files of the library, sorted; folders of DATA, sorted) that a stage's notebook uses."""
        cells = [cell for cell in notebook.read(path)["cells"] if cell["cell_type"] == "code"]
        start = parse("\n".join(map(notebook.source, cells)), path.name)
        modules = self.modules(start, RESULTS.get(path.stem[3:], ()))
        files = {self.file(module) for module in modules}.union(*map(self.tables, modules))
        return sorted(files), sorted(start.shared.union(*(self.source(module).shared for module in modules)))
