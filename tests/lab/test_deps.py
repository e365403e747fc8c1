"""What a stage depends on is read from the imports."""

from pathlib import Path

import pytest
from toy import make_notebook

from avatarlab.lab import deps
from avatarlab.lab.notebook import text

FILES = {
    "lib/avatarlab/__init__.py": "",
    "lib/avatarlab/errors.py": "",
    "lib/avatarlab/body/__init__.py": "from avatarlab.body.model import Body",
    "lib/avatarlab/body/model.py": "from avatarlab import errors\nfrom . import poses\nBody = 1",
    "lib/avatarlab/body/poses.py": "def f():\n    from .late import g",
    "lib/avatarlab/body/late.py": "TABLES = 'ansur'\nx = 1\nNAMES = f'names_{x}.json'",
    "lib/avatarlab/body/other.py": "",
    "lib/avatarlab/body/ansur/male.csv": "1",
    "lib/avatarlab/body/ansur/female.csv": "2",
    "lib/avatarlab/body/names_1.json": "{}",
    "lib/avatarlab/body/unused.csv": "3",
    "lib/avatarlab/body/ansur_notes/a.txt": "4",
    "lib/avatarlab/body/ansurs/__init__.py": "",
    "lib/avatarlab/fit.py": "import avatarlab.body.other as other\nimport numpy",
}
DVC = """# On top.
vars:
  - run: env PYTHONPATH=lib python -m avatarlab.lab.run

stages:
  body: # the first
    cmd: ${run} body models/body
    deps:
      - notebooks/10_body.ipynb
      - lib/avatarlab/gone.py
      - data/input # by hand
    outs:
      - models/body
"""
BODY = [
    "notebooks/10_body.ipynb",
    "lib/avatarlab/__init__.py",
    "lib/avatarlab/body/__init__.py",
    "lib/avatarlab/body/ansur/female.csv",
    "lib/avatarlab/body/ansur/male.csv",
    "lib/avatarlab/body/late.py",
    "lib/avatarlab/body/model.py",
    "lib/avatarlab/body/names_1.json",
    "lib/avatarlab/body/poses.py",
    "lib/avatarlab/errors.py",
]


@pytest.fixture
def project(tmp_path) -> Path:
    for name, code in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code)
    (tmp_path / "notebooks").mkdir()
    nb = make_notebook("# Body", 'out = "x"', "from avatarlab.body import Body")
    (tmp_path / "notebooks/10_body.ipynb").write_text(text(nb))
    (tmp_path / "dvc.yaml").write_text(DVC)
    return tmp_path


def test_imports_are_followed_and_tables_they_name_are_found(project):
    assert deps.of_notebook(project / "notebooks/10_body.ipynb", project) == BODY


def test_plain_import_of_a_module_brings_its_packages(project):
    names = {
        p.relative_to(project / "lib/avatarlab").as_posix() for p in deps.modules("import avatarlab.fit", project)
    }
    assert names >= {"__init__.py", "fit.py", "body/other.py", "body/__init__.py", "body/model.py"}


def test_wrong_lists_are_named_then_written_and_comments_stay(project, caplog):
    caplog.set_level("INFO")
    assert deps.main([], project) == 1
    assert "body: deps differ" in caplog.text
    assert (project / "dvc.yaml").read_text() == DVC
    assert deps.main(["--write"], project) == 0
    written = (project / "dvc.yaml").read_text()
    assert "# On top." in written and "# the first" in written and "gone.py" not in written
    assert [line.strip("- ") for line in written.splitlines() if line.startswith("      - ")] == [
        *BODY,
        "data/input",
        "models/body",
    ]
    assert deps.main([], project) == 0


def test_a_stage_without_its_notebook_stays_as_it_is(project):
    (project / "notebooks/10_body.ipynb").unlink()
    assert deps.main(["--write"], project) == 0
    assert (project / "dvc.yaml").read_text() == DVC
