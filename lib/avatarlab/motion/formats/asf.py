"""ASF skeletons and AMC motion (Acclaim), as CMU and HDM05 hand them out.

A bone's motion M about the axes C of its `axis` line turns it by C M C^T on top of its parent, so the product down the
chain is the rotation from the rest pose in world axes. Angles are degrees or radians as `:units` and `:DEGREES` say;
a length is in inches times the unit `length` (0.45 at CMU). Source: the Acclaim format's description; motion.md 5.1.
"""

from dataclasses import dataclass
from os import PathLike

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.motion.formats.euler import euler
from avatarlab.motion.formats.recording import Recording
from avatarlab.motion.formats.text import numbers, text_of

INCH_M = 0.0254
RATE_HZ = 120.0
"""Of all takes of CMU and HDM05; the file does not say."""
_PLACES, _TURNS = ("TX", "TY", "TZ"), ("RX", "RY", "RZ")
_SET = ("position", "orientation")


@dataclass(frozen=True)
class Bone:
    """``arm`` (3,) m from begin to end at rest; ``axes`` (3, 3) of its motion; ``turns``: letters of its angles."""

    arm: np.ndarray
    axes: np.ndarray
    turns: str


@dataclass(frozen=True)
class AsfSkeleton:
    """What an ASF file says: bones by name, the root first, parents by name, metres a unit, the root's channels."""

    bones: dict[str, Bone]
    parents: dict[str, str]
    metres: float
    root_order: tuple[str, ...]
    root_place: np.ndarray

    def width(self, bone: str) -> int:
        """How many numbers an AMC line of a bone has."""
        return len(self.root_order) if bone == "root" else len(self.bones[bone].turns)


def read(asf: str | PathLike, amc: str | PathLike, rate: float = RATE_HZ) -> Recording:
    """A take: paths or texts of skeleton and motion; malformed ones raise InputError with the line."""
    return motion(skeleton(asf), amc, rate)


def skeleton(source: str | PathLike) -> AsfSkeleton:
    """The skeleton of an ASF file."""
    text, name = text_of(source)
    sections = _sections(text, name)
    units = {line[0]: line[1:] for _, line in sections["units"] if line}
    unit = numbers(units.get("length", ["1"]), f"{name}: unit of length", 1)[0]
    if unit <= 0:
        raise InputError(f"{name}: unit of length: got {unit:g}, expected a number above 0.")
    metres, degrees = INCH_M / unit, _degrees(units.get("angle", ["deg"])[0], name)
    bones = {}
    order, place, bones["root"] = _root(sections["root"], name, metres, degrees)
    bones |= _bones(sections["bonedata"], name, metres, degrees)
    parents = _hierarchy(sections["hierarchy"], name, bones)
    return AsfSkeleton({bone: bones[bone] for bone in parents}, parents, metres, order, place)


def _sections(text: str, name: str) -> dict[str, list[tuple[int, list[str]]]]:
    """Keyword -> (line number, words) of its lines, comments left out."""
    sections: dict[str, list] = {}
    keyword = ""
    for line_number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            keyword, words = words[0][1:].lower(), words[1:]
        sections.setdefault(keyword, []).append((line_number, words))
    for expected in ("units", "root", "bonedata", "hierarchy"):
        if expected not in sections:
            raise InputError(f"{name}: has no section :{expected}; an ASF skeleton was expected.")
    return sections


def _degrees(word: str, where: str) -> bool:
    if word[:3].lower() not in ("deg", "rad"):
        raise InputError(f"{where}: unit of angles: got {word!r}, expected deg or rad.")
    return word[:3].lower() == "deg"


def _turn(letters: str, angles, degrees: bool) -> np.ndarray:
    """Angles (T, n) about the fixed axes x, y, z, the first of ``letters`` applied first -> rotations (T, 3, 3)."""
    angles = np.atleast_2d(np.radians(angles) if degrees else angles)
    return euler(letters[::-1], angles[:, ::-1])


def _letters(word: str, where: str) -> str:
    if sorted(word.lower()) != ["x", "y", "z"]:
        raise InputError(f"{where}: order of axes: got {word!r}, expected one like XYZ.")
    return word.lower()


def _root(lines, name: str, metres: float, degrees: bool) -> tuple[tuple[str, ...], np.ndarray, Bone]:
    """Order of the root's numbers in AMC, its place (3,) m, and the root as a bone of no length."""
    said = {words[0].lower(): (f"{name}:{n}", words[1:]) for n, words in lines if words}
    where, words = said.get("order", (name, [*_PLACES, *_TURNS]))
    order = tuple(word.upper() for word in words)
    if sorted(order) != sorted((*_PLACES, *_TURNS)):
        raise InputError(
            f"{where}: order of the root: got {' '.join(words)!r}, expected TX TY TZ RX RY RZ, any order."
        )
    where, words = said.get("axis", (name, ["XYZ"]))
    letters = _letters("".join(words), where)
    place, turn = (numbers(words, where, 3) for where, words in (said.get(k, (name, ["0"] * 3)) for k in _SET))
    return order, place * metres, Bone(np.zeros(3), _turn(letters, turn, degrees)[0], letters)


def _bones(lines, name: str, metres: float, degrees: bool) -> dict[str, Bone]:
    """All blocks begin ... end of :bonedata, by name."""
    bones: dict[str, Bone] = {}
    block: dict[str, tuple[str, list[str]]] = {}
    for n, words in lines:
        key = words[0].lower() if words else ""
        if key == "begin":
            block = {"begin": (f"{name}:{n}", [])}
        elif key == "end":
            label = block.get("name", ("", [""]))[1][0]
            if not label or label in bones or label == "root":
                raise InputError(f"{name}:{n}: a bone's name: got {label!r}, expected one that is new.")
            bones[label] = _bone(block, metres, degrees)
            block = {}
        elif key:
            block[key] = f"{name}:{n}", words[1:]
    if block:
        raise InputError(
            f"{block['begin'][0] if 'begin' in block else name}: a bone without its end; is the file cut?"
        )
    return bones


def _bone(block: dict[str, tuple[str, list[str]]], metres: float, degrees: bool) -> Bone:
    start = block.get("begin", ("asf", []))[0]
    for key in ("direction", "length", "axis"):
        if key not in block:
            raise InputError(f"{start}: a bone without {key}.")
    direction = numbers(block["direction"][1], block["direction"][0], 3)
    length = numbers(block["length"][1], block["length"][0], 1)[0]
    where, words = block["axis"]
    axes = _turn(_letters("".join(words[3:]) or "XYZ", where), numbers(words[:3], where, 3), degrees)[0]
    where, words = block.get("dof", (start, []))
    turns = [word.lower() for word in words]
    if any(turn not in ("rx", "ry", "rz") for turn in turns) or len(set(turns)) < len(turns):
        raise InputError(f"{where}: dof: got {' '.join(words)!r}, expected some of rx ry rz, each once.")
    return Bone(direction * length * metres, axes, "".join(turn[1] for turn in turns))


def _hierarchy(lines, name: str, bones: dict[str, Bone]) -> dict[str, str]:
    """Parent of each bone, parents first; the root's is ''."""
    children: dict[str, list[str]] = {}
    for n, words in lines:
        if not words or words[0].lower() in ("begin", "end"):
            continue
        for word in words:
            if word not in bones:
                raise InputError(f"{name}:{n}: bone {word!r} is not in :bonedata.")
        children.setdefault(words[0], []).extend(words[1:])
    parents, waiting = {"root": ""}, ["root"]
    while waiting:
        parent = waiting.pop()
        for child in reversed(children.get(parent, [])):
            waiting.append(child)
        for child in children.get(parent, []):
            if child in parents:
                raise InputError(f"{name}: bone {child!r} has two parents in :hierarchy.")
            parents[child] = parent
    if missing := sorted(set(bones) - set(parents)):
        raise InputError(f"{name}: bone {missing[0]!r} hangs on nothing in :hierarchy.")
    return parents


def motion(skeleton: AsfSkeleton, amc: str | PathLike, rate: float = RATE_HZ) -> Recording:
    """The motion of an AMC file on its skeleton; the file does not say its rate (Hz)."""
    text, name = text_of(amc)
    degrees, first, lines = _head(text, name)
    values = _values(skeleton, lines, name, first)
    root = values["root"]
    where = [skeleton.root_order.index(channel) for channel in _PLACES]
    place = root[:, where] * skeleton.metres + skeleton.root_place
    angles = {bone: numbers for bone, numbers in values.items() if bone != "root"}
    turns = skeleton.bones["root"].turns.upper()
    angles["root"] = root[:, [skeleton.root_order.index(f"R{letter}") for letter in turns]]
    return _recording(skeleton, angles, degrees, place, rate)


def _head(text: str, name: str) -> tuple[bool, int, list[str]]:
    """(degrees?, lines before the first frame, lines from it on)."""
    lines, degrees = text.splitlines(), True
    for n, line in enumerate(lines):
        word = line.strip().lower()
        if word.startswith((":deg", ":rad")):
            degrees = word.startswith(":deg")
        elif word and not word.startswith(("#", ":")):
            return degrees, n, lines[n:]
    raise InputError(f"{name}: has no frames; an AMC file was expected.")


def _values(skeleton: AsfSkeleton, lines: list[str], name: str, before: int) -> dict[str, np.ndarray]:
    """Numbers (T, n) of each bone. All frames list the same bones in the same order, so columns are read at once."""
    expected = _layout(skeleton, lines, name, before)
    words = " ".join(lines).split()
    stride = 1 + sum(1 + width for width in expected.values())
    frames, left = divmod(len(words), stride)
    try:
        at, values = 1, {}
        for bone, width in expected.items():
            if words[at::stride].count(bone) != frames or left:
                raise ValueError(bone)
            columns = [np.array(words[k::stride], dtype=float) for k in range(at + 1, at + 1 + width)]
            values[bone], at = np.stack(columns, 1), at + 1 + width
        numbered = np.array(words[::stride], dtype=int)
        if not all(np.isfinite(x).all() for x in values.values()) or (np.diff(numbered) != 1).any():
            raise ValueError(name)
    except ValueError:
        raise InputError(_fault(expected, lines, name, before)) from None
    return values


def _layout(skeleton: AsfSkeleton, lines: list[str], name: str, before: int) -> dict[str, int]:
    """Bones of the first frame, in order -> how many numbers each has; every bone that moves must be there."""
    if not lines[0].strip().isdigit():
        raise InputError(
            f"{name}:{before + 1}: got {lines[0].strip()[:40]!r}, expected the number of the first frame."
        )
    expected: dict[str, int] = {}
    for n, line in enumerate(lines[1:], before + 2):
        words = line.split()
        if len(words) == 1 and words[0].isdigit():
            break
        if words and (words[0] not in skeleton.bones or words[0] in expected):
            raise InputError(
                f"{name}:{n}: got bone {words[0]!r}, expected each bone of the skeleton once a frame."
            )
        if words:
            expected[words[0]] = skeleton.width(words[0])
    if missing := [b for b in skeleton.bones if b not in expected and skeleton.bones[b].turns]:
        raise InputError(f"{name}: bone {missing[0]!r} is not in the first frame; skeleton of another subject?")
    return expected


def _fault(expected: dict[str, int], lines: list[str], name: str, before: int) -> str:
    """The first line that is not as the first frame has them, and why: the slow walk that names it."""
    order, at, last = [("a frame's number", 0), *expected.items()], 0, None
    for n, line in enumerate(lines, before + 1):
        words = line.split()
        if not words:
            continue
        label, width = order[at]
        if at == 0:
            if len(words) > 1 or not words[0].isdigit() or (last is not None and int(words[0]) != last + 1):
                return f"{name}:{n}: got {line.strip()[:40]!r}, expected a frame's number, one more than the last."
            last = int(words[0])
        elif words[0] != label or not _finite(words[1:], width):
            return f"{name}:{n}: got {line.strip()[:40]!r}, expected {label!r} and {width} finite numbers."
        at = (at + 1) % len(order)
    return f"{name}: ends inside frame {last}; is the file cut?"


def _finite(words: list[str], width: int) -> bool:
    try:
        return len(words) == width and bool(np.isfinite([float(word) for word in words]).all())
    except ValueError:
        return False


def _recording(skeleton: AsfSkeleton, angles, degrees: bool, place: np.ndarray, rate: float) -> Recording:
    """Turns accumulated down the chain; joints are the bones' begins, then the ends of the leaves."""
    names, rank = list(skeleton.bones), {bone: k for k, bone in enumerate(skeleton.bones)}
    parents = [rank.get(skeleton.parents[bone], -1) for bone in names]
    leaves = [k for k in range(len(names)) if k not in parents]
    offsets = [skeleton.bones[names[p]].arm if p >= 0 else np.zeros(3) for p in parents]
    offsets += [skeleton.bones[names[k]].arm for k in leaves]
    turns = np.empty((len(place), len(names), 3, 3))
    for k, (bone, parent) in enumerate(zip(names, parents, strict=True)):
        turns[:, k] = _world(skeleton.bones[bone], angles.get(bone), degrees, turns[:, parent] if k else None)
    rotations = np.concatenate([turns, turns[:, leaves]], 1)
    joints = (*names, *(f"{names[k]}_end" for k in leaves))
    return Recording(joints, (*parents, *leaves), np.stack(offsets), rotations, place, rate, "y", "asf")


def _world(bone: Bone, angles, degrees: bool, above) -> np.ndarray:
    """Rotation from rest (T, 3, 3) or (3, 3): the parent's ``above``, then C M C^T."""
    if not bone.turns:
        return np.eye(3) if above is None else above
    turn = bone.axes @ _turn(bone.turns, angles, degrees) @ bone.axes.T
    return turn if above is None else above @ turn
