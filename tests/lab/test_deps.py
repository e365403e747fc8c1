"""What a stage depends on is read from the imports."""

import re
from pathlib import Path

import pytest
from toy import make_notebook

from avatarlab import ROOT
from avatarlab.core.errors import InputError
from avatarlab.lab import deps, notebook

FILES = {
    "__init__.py": "",
    "core/__init__.py": "",
    "core/errors.py": "",
    "body/__init__.py": "from avatarlab.body.model import Body",
    "body/model.py": "from avatarlab.core import errors\nfrom . import poses\nBody = 1",
    "body/poses.py": "def f():\n    from .late import g",
    "body/late.py": "TABLES = 'ansur'\nx = 1\nNAMES = f'names_{x}.json'",
    "body/other.py": "from avatarlab import DATA\nX = DATA / 'mocap' / 'deep'",
    "body/ansur/male.csv": "1",
    "body/ansur/female.csv": "2",
    "body/names_1.json": "{}",
    "body/unused.csv": "3",
    "body/ansur_notes/a.txt": "4",
    "body/ansurs/__init__.py": "",
    "fit/__init__.py": "",
    "fit/search.py": "import avatarlab.body.other as other\nimport numpy",
    "fit/overlays.py": "from avatarlab.fit import ink\nfrom avatarlab.show import figures",
    "fit/ink.py": "",
    "lab/__init__.py": "",
    "show/__init__.py": "",
    "show/figures.py": "import matplotlib",
}
BODY = [
    "__init__.py",
    "body/__init__.py",
    "body/ansur/female.csv",
    "body/ansur/male.csv",
    "body/late.py",
    "body/model.py",
    "body/names_1.json",
    "body/poses.py",
    "core/__init__.py",
    "core/errors.py",
]


@pytest.fixture
def project(tmp_path) -> Path:
    for name, code in FILES.items():
        path = tmp_path / "lib/avatarlab" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def used(project: Path, code: str, stage: str = "body") -> tuple[list[str], list[str]]:
    """Return (files of the package, folders of DATA) that a notebook of ``code`` uses."""
    path = project / f"notebooks/10_{stage}.ipynb"
    path.write_text(notebook.text(make_notebook("# Body", 'out = "x"', code)))
    files, shared = deps.CodeLibrary(project).of_notebook(path)
    return [file.relative_to(project / "lib/avatarlab").as_posix() for file in files], shared


def test_imports_are_followed_and_tables_they_name_are_found(project):
    assert used(project, "from avatarlab.body import Body") == (BODY, [])


def test_plain_import_of_a_module_brings_its_packages_and_the_shared_data_it_names(project):
    files, shared = used(project, 'import avatarlab.fit.search\n\nx = DATA / "photos"')
    assert {"__init__.py", "fit/search.py", "body/other.py", "body/__init__.py", "body/model.py"} <= set(files)
    assert shared == ["mocap", "photos"]


def test_what_only_draws_is_left_out_with_what_it_alone_imports(project):
    code = "from avatarlab.fit import overlays, search\nfrom avatarlab.lab import run\nfrom avatarlab.show import figures"
    files, _ = used(project, code)
    assert {"fit/search.py", "lab/__init__.py"} <= set(files)
    assert not {"fit/overlays.py", "fit/ink.py", "show/figures.py"} & set(files)


def test_what_a_stage_writes_as_pictures_counts(project):
    files, _ = used(project, "from avatarlab.fit import overlays", stage="fit_photo")
    assert {"fit/overlays.py", "fit/ink.py"} <= set(files) and "show/figures.py" not in files


def test_whole_rooms_may_be_declared_and_their_neighbours_are_not(monkeypatch):
    monkeypatch.setattr(deps, "DRAWING", ("avatarlab.show", "*.overlays"))
    assert all(map(deps.only_draws, ("avatarlab.show", "avatarlab.show.page.script", "avatarlab.fit.overlays")))
    assert not any(map(deps.only_draws, ("avatarlab.shower", "avatarlab.fit.overlay", "avatarlab.overlays.box")))


@pytest.mark.parametrize("where", ["lib/avatarlab/body/late.py", "10_body.ipynb"])
def test_what_is_not_python_is_named(project, where):
    if where.startswith("lib"):
        (project / where).write_text("x = 1\ndef f(:\n")
    code = "from avatarlab.body import Body" if where.startswith("lib") else "x = 1\n%matplotlib inline"
    with pytest.raises(InputError, match=rf"^{re.escape(where)}: not Python \(.*line [23]\)"):
        used(project, code)


def test_declared_drawing_modules_exist_and_no_package_hides_results_behind_them():
    package = ROOT / "lib"
    modules = {
        ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
        for path in (package / "avatarlab").rglob("*.py")
    }
    drawing = {module for module in modules if deps.only_draws(module)}
    stale = [name for name in deps.DRAWING if not any(deps.fnmatch(module, name) for module in modules)]
    assert stale == []
    assert {name for names in deps.RESULTS.values() for name in names} <= drawing
    library = deps.CodeLibrary()
    writers = {
        m for m in drawing if re.search(r"\b(write_json|write_npz|write_csv|save)\(", library.file(m).read_text())
    }
    assert writers == set(), "a module that writes results does not only draw"


WRITES = re.compile(r"imwrite\(|\bImage\b.*\.save\(|savefig\(|out\b.*\.(png|jpe?g|svg|webp|gif)\b")


def drawn_into_results(stage: str, path: Path) -> set[tuple[str, str]]:
    """Return (stage, drawing module) where code that writes picture files imports a module that only draws."""
    library = deps.CodeLibrary()
    cells = [notebook.source(c) for c in notebook.read(path)["cells"] if c["cell_type"] == "code"]
    start = deps.parse("\n".join(cells), path.name)
    texts = {module: library.file(module).read_text() for module in library.modules(start)}
    writers = [library.source(module) for module, text in texts.items() if WRITES.search(text)]
    writers += [start] if WRITES.search("\n".join(cells)) else []
    imports = {name for writer in writers for name in writer.imports if library.file(name)}
    return {(stage, name) for name in imports if deps.only_draws(name)}


def test_stages_that_write_pictures_say_which_module_draws_them():
    found = {pair for stage, path in notebook.stages().items() for pair in drawn_into_results(stage, path)}
    assert found == {(stage, name) for stage, names in deps.RESULTS.items() for name in names}
