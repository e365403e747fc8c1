"""The ground plan: imports go down the floors, `__init__` only hands names on, some packages stay in their rooms."""

import ast
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

import pytest

from avatarlab import ROOT

PACKAGE = ROOT / "lib" / "avatarlab"
FLOORS = {
    "show": 1,
    **dict.fromkeys(("learn", "evaluate", "body", "render"), 2),
    **dict.fromkeys(("photo", "measure", "motion"), 3),
    "synthetic": 4,
    **dict.fromkeys(("fit", "person", "splats", "talk"), 5),
    "export": 6,
    "service": 7,
    "lab": 8,
}
"""Room -> floor; ``core`` is the ground. A room may import from lower floors only. ``lab`` runs notebooks: it stands
on top, so that nothing imports it."""
CONFINED = {
    "anny": "body/open/",
    "smplx": None,
    "torchvision": "fit/external/nlf.py",
    "chumpy": None,
    "mediapipe": "photo/detectors_mediapipe.py",
    "pickle": "body/inert_pickle.py",
}
"""Package -> the only place of lib/ that may import it (None: no place; smplx is an optional backend, see below)."""
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))


def names(code: str) -> list[str]:
    """Return every module that ``code`` imports, names imported from ours appended (they may be modules)."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the floor they go to"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def faults(place: str, code: str) -> list[str]:
    """Return what module ``place`` (relative to the package) may not import."""
    room = place.split("/")[0].removesuffix(".py")
    wrong = []
    for name in names(code):
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        below = target == room or FLOORS.get(target, 0) < FLOORS.get(room, 0.5)
        if top == "avatarlab" and not below:
            wrong.append(f"{place} imports {name}, which is not below its floor")
        if top in CONFINED and not (CONFINED[top] and place.startswith(CONFINED[top])):
            wrong.append(f"{place} imports {top}, which has no place there")
    return wrong


def test_imports_go_down():
    places = {path.relative_to(PACKAGE).as_posix(): path for path in MODULES}
    wrong = [fault for place, path in places.items() for fault in faults(place, path.read_text(encoding="utf-8"))]
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("show/view.py", "from avatarlab.body import Body"),
        ("body/model.py", "from avatarlab.render import shade"),
        ("photo/see.py", "from avatarlab.measure import tapes"),
        ("measure/girth.py", "import avatarlab.fit"),
        ("core/errors.py", "from avatarlab.body import Body"),
        ("fit/fit.py", "import anny"),
        ("photo/person_detection.py", "from mediapipe.python import solutions"),
        ("body/model.py", "def f():\n    import smplx"),
        ("body/model.py", "from avatarlab import lab"),
    ],
)
def test_the_check_fires(place, code):
    assert len(faults(place, code)) == 1


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("photo/see.py", "from avatarlab.render.camera import Camera"),
        (
            "fit/fit.py",
            "from avatarlab.body import Body\nfrom avatarlab import ROOT\nfrom avatarlab.fit import results",
        ),
        ("body/open/build.py", "import anny"),
    ],
)
def test_the_check_lets_good_imports_pass(place, code):
    assert faults(place, code) == []


def hands_on(code: str) -> bool:
    """Return True if ``code`` is a docstring, imports and ``__all__`` only."""
    for node in ast.parse(code).body:
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        listing = isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]
        if not (text or listing or isinstance(node, ast.Import | ast.ImportFrom)):
            return False
    return True


def test_package_inits_only_hand_names_on():
    inits = [p for p in MODULES if p.name == "__init__.py" and p.parent != PACKAGE]
    assert [p for p in inits if not hands_on(p.read_text(encoding="utf-8"))] == []
    assert not hands_on("def f(): pass") and hands_on('"""x"""\nfrom a import b\n__all__ = ["b"]')


def test_modules_are_short_enough_to_read():
    long = {p.name: n for p in MODULES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 330}
    assert long == {}


def functions(path: Path) -> list[tuple[str, int]]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [(f"{path.stem}.{n.name}", n.end_lineno - n.lineno + 1) for n in nodes if isinstance(n, kinds)]


def test_functions_are_small():
    sizes = [pair for path in MODULES for pair in functions(path)]
    lines = sorted(size for _, size in sizes)
    assert lines[len(lines) // 2] <= 12
    assert [name for name, size in sizes if size > 60] == []


def test_no_room_for_odds_and_ends():
    words = {"util", "utils", "helper", "helpers", "misc", "manager", "common"}
    assert [p for p in MODULES if words & {p.stem, p.parent.name}] == []


def test_every_module_says_what_it_is():
    silent = [
        p for p in MODULES if p.stat().st_size and not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_architecture_shows_every_room_on_its_floor():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = {path.name for path in (ROOT / "lib/avatarlab").iterdir() if (path / "__init__.py").exists()}
    floors = {room: int(floor) for floor, room in re.findall(r"^\| (\d) \| `(\w+)` \|", text, re.M)}
    assert floors == {room: FLOORS.get(room, 0) for room in rooms}
    drawn = ET.parse(ROOT / "docs/architecture.svg").getroot().iter("{http://www.w3.org/2000/svg}text")
    heights = {
        word.text: float(word.get("y")) for word in drawn if word.get("class") == "room" and word.text in rooms
    }
    assert set(heights) == rooms
    below = [room for room in sorted(rooms, key=lambda room: heights[room]) if room != "lab"]  # it stands beside
    assert [floors[room] for room in below] == sorted((floors[room] for room in below), reverse=True)


def library() -> dict[str, str]:
    """Return the code of every module of ours by its dotted name."""
    dotted = {".".join(("avatarlab", *p.relative_to(PACKAGE).with_suffix("").parts)): p for p in MODULES}
    return {name.removesuffix(".__init__"): path.read_text(encoding="utf-8") for name, path in dotted.items()}


def circles(modules: dict[str, str]) -> list[str]:
    """Return the modules on import circles or between two of them; imports inside functions count too."""
    ahead = {name: set() for name in modules}
    for name, code in modules.items():
        for target in names(code):
            ahead[name].add(target if target in modules else target.rpartition(".")[0])
    loose = True
    while loose:  # take away what imports nothing of what is left, or is imported by nothing of it
        used = set().union(*(targets - {name} for name, targets in ahead.items()))
        loose = [name for name in ahead if name not in used or not ahead[name] & set(ahead) - {name}]
        ahead = {name: targets for name, targets in ahead.items() if name not in loose}
    return sorted(ahead)


def test_no_modules_import_each_other():
    assert circles(library()) == []
    one, two, three = (
        "from avatarlab.x import two",
        "def f():\n    from avatarlab.x.three import g",
        "import avatarlab.x.one",
    )
    assert circles({"avatarlab.x.one": one, "avatarlab.x.two": two, "avatarlab.x.three": "import math"}) == []
    looped = {"avatarlab.x.one": one, "avatarlab.x.two": two, "avatarlab.x.three": three}
    assert circles(looped | {"avatarlab.x.four": one}) == sorted(looped)


def shared_classes(modules: dict[str, str]) -> dict[str, list[str]]:
    """Return the names of top-level classes that more than one module defines, and where."""
    places = defaultdict(list)
    for name, code in modules.items():
        for node in ast.parse(code).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    return {name: where for name, where in places.items() if len(where) > 1}


def test_a_class_name_means_one_thing():
    assert shared_classes(library()) == {}
    assert shared_classes({"a": "class Job: pass", "b": "class Job: pass", "c": "class Other: pass"}) == {
        "Job": ["a", "b"]
    }


def test_only_notebooks_and_commands_use_the_lab():
    assert faults("motion/clip.py", "from avatarlab.lab import notebook")
    users = [
        n
        for n, code in library().items()
        if not n.startswith("avatarlab.lab") and any(".lab." in f"{i}." for i in names(code))
    ]
    assert users == []
