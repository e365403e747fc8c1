"""pyproject.toml, environment.yml, constraints.txt and what is installed name the same packages and agree on versions."""

import importlib.metadata
import re
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

from avatarlab import ROOT

PYPI = {"pytorch": "torch", "redis-py": "redis"}
"""conda-forge's name -> PyPI's, where they differ."""
CONDA_ONLY = {"python", "pip", "pytorch3d"}
"""pytorch3d has no wheels; pip users do without, the code has its own renderer."""


def requirement(text: str) -> tuple[str, SpecifierSet]:
    """Return (name, bounds) of one PyPI or conda requirement; conda's single ``=1.2`` means ``==1.2.*``."""
    text = re.sub(r"(?<![<>=!~])=(?!=)([\d.]+?)(\.\*)?$", r"==\1.*", text.strip())
    found = Requirement(text)
    return canonicalize_name(PYPI.get(found.name, found.name)), found.specifier


def pyproject() -> dict[str, SpecifierSet]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    return dict(requirement(line) for line in [*project["dependencies"], *extras])


def environment() -> dict[str, SpecifierSet]:
    lines = YAML(typ="safe").load((ROOT / "environment.yml").read_text())["dependencies"]
    plain = [line for line in lines if isinstance(line, str)]
    by_pip = next(line["pip"] for line in lines if isinstance(line, dict))
    return dict(requirement(line) for line in [*plain, *by_pip])


def constraints() -> dict[str, SpecifierSet]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(requirement(line) for line in lines if line and not line.startswith("#"))


def pin(bounds: SpecifierSet) -> str:
    (one,) = bounds
    assert one.operator == "=="
    return one.version


def test_conda_names_what_pyproject_names_with_the_same_bounds():
    ours, conda = pyproject(), environment()
    assert set(conda) - CONDA_ONLY == set(ours)
    differing = {n: (str(b), str(conda[n])) for n, b in ours.items() if n != "torch" and conda[n] != b}
    assert differing == {}
    # pytorch3d is built against one pytorch: narrower than our bound, but within it
    assert str(conda["torch"]) == "==2.12.*" and "2.12.0" in ours["torch"]


def test_python_is_one_we_support():
    expected = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert ".".join(map(str, sys.version_info[:3])) in SpecifierSet(expected)
    assert "3.11.0" in environment()["python"] and "3.11.0" in SpecifierSet(expected)


def test_pins_lie_within_the_bounds_and_cover_them():
    pins = constraints()
    assert set(pyproject()) - set(pins) == set()
    outside = {n: (pin(pins[n]), str(b)) for n, b in pyproject().items() if pin(pins[n]) not in b}
    assert outside == {}


def test_what_is_installed_is_what_is_pinned():
    if "CONDA_PREFIX" in __import__("os").environ:
        pytest.skip("conda chooses its own versions within the bounds")
    differing = {}
    for name, bounds in constraints().items():
        installed = version(name)
        if installed is None and name in pyproject():
            differing[name] = "not installed"
        elif installed is not None and Version(installed).public != Version(pin(bounds)).public:
            differing[name] = f"{installed} instead of {pin(bounds)}"
    assert differing == {}, "pip install -c constraints.txt -e '.[cluster,lab,train,service,test]' puts this right"


def version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def test_never_torchvision_and_no_index_named():
    assert "torchvision" not in {*pyproject(), *environment(), *constraints()}
    for name in ("pyproject.toml", "constraints.txt", "environment.yml", "Makefile"):
        assert "://" not in (ROOT / name).read_text(), f"{name} names a host"


@pytest.mark.parametrize(
    ("text", "name", "bounds"),
    [
        ("pytorch=2.12.*", "torch", "==2.12.*"),
        ("python=3.11", "python", "==3.11.*"),
        ("a_B>=1,<2", "a-b", "<2,>=1"),
    ],
)
def test_conda_requirements_are_read_right(text, name, bounds):
    assert requirement(text) == (name, SpecifierSet(bounds))
