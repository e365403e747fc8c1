"""BVH files: a skeleton with any channels in any order, and its frames. Angles are degrees.

A joint's channels apply in the order in which they are listed, from the left: Zrotation Xrotation Yrotation is
Rz Rx Ry. Place channels stand for the OFFSET, as MotionBuilder and Blender have it. The rest pose is the one with all
angles zero. Source: the description of Biovision's format by M. Meredith and S. Maddock (2001).
"""

from dataclasses import dataclass, field
from os import PathLike

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.motion.formats.euler import euler
from avatarlab.motion.formats.recording import Recording
from avatarlab.motion.formats.text import numbers, text_of

CENTIMETRES = 0.01
DAZ = {"hip", "abdomen", "chest", "lCollar", "lShldr", "lForeArm", "lThigh", "lShin"}
"""Joints by which a file of the Daz-friendly conversion of CMU (B. Hahne, 2010) is known."""
_CHANNELS = {f"{axis}{kind}".lower(): (kind, axis) for axis in "XYZ" for kind in ("position", "rotation")}


@dataclass
class Joint:
    """One joint of the file: parent's number, OFFSET (3,) in file units, channels (kind, axis) in order."""

    name: str
    parent: int
    offset: np.ndarray | None = None
    channels: list[tuple[str, str]] = field(default_factory=list)


def read(source: str | PathLike, scale: float = CENTIMETRES, up: str = "y") -> Recording:
    """A take from a path or text; ``scale`` is metres a unit (BVH has none of its own; centimetres are usual).

    Malformed and cut files, a frame time of 0 and NaN raise InputError with the line.
    """
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"scale: got {scale}, expected metres a unit above 0 (0.01 for centimetres).")
    text, name = text_of(source)
    lines = text.splitlines()
    joints, after = _hierarchy(lines, name)
    values, seconds = _motion(lines, after, sum(len(joint.channels) for joint in joints), name)
    form = "daz" if {joint.name for joint in joints} >= DAZ else "bvh"
    return _recording(joints, values, scale, 1 / seconds, up, form)


def _hierarchy(lines: list[str], name: str) -> tuple[list[Joint], int]:
    """Joints, End Sites as `<parent>_end`, and the number of lines up to MOTION."""
    joints: list[Joint] = []
    stack: list[int] = []
    opened = -1
    for n, line in enumerate(lines, 1):
        words = line.split()
        key = words[0].upper() if words else ""
        where = f"{name}:{n}"
        if key in ("ROOT", "JOINT", "END"):
            opened = len(joints)
            joints.append(_joint(key, " ".join(words[1:]), joints, stack, where))
        elif key == "{":
            stack.append(opened)
        elif key == "}" and stack:
            stack.pop()
        elif key == "OFFSET" and stack:
            joints[stack[-1]].offset = numbers(words[1:], f"{where}: OFFSET", 3)
        elif key == "CHANNELS" and stack:
            joints[stack[-1]].channels = _channels(words[1:], where)
        elif key == "MOTION":
            _whole(joints, stack, where)
            return joints, n
        elif key not in ("HIERARCHY", ""):
            raise InputError(f"{where}: got {line.strip()[:40]!r} in the hierarchy; is this a BVH file?")
    raise InputError(f"{name}: has no section MOTION; is it a BVH file, or cut?")


def _joint(key: str, label: str, joints: list[Joint], stack: list[int], where: str) -> Joint:
    if (key == "ROOT") != (not stack) or (key == "ROOT" and joints):
        raise InputError(f"{where}: got {key} {label}, expected one ROOT with everything else inside its braces.")
    parent = stack[-1] if stack else -1
    label = f"{joints[parent].name}_end" if key == "END" else label
    if not label or label in (joint.name for joint in joints):
        raise InputError(f"{where}: a joint's name: got {label!r}, expected one that is new.")
    return Joint(label, parent)


def _channels(words: list[str], where: str) -> list[tuple[str, str]]:
    named = [_CHANNELS.get(word.lower()) for word in words[1:]]
    positions, rotations = (
        [axis for kind, axis in filter(None, named) if kind == k] for k in ("position", "rotation")
    )
    fits = words[:1] == [str(len(named))] and None not in named and len(rotations) <= 3
    if (
        not fits
        or len(set(positions)) < len(positions)
        or any(a == b for a, b in zip(rotations, rotations[1:], strict=False))
    ):
        raise InputError(
            f"{where}: CHANNELS: got {' '.join(words)!r}, expected their number, then e.g. Zrotation."
        )
    return named


def _whole(joints: list[Joint], stack: list[int], where: str) -> None:
    if stack or not joints:
        raise InputError(f"{where}: MOTION comes before the hierarchy is closed.")
    for joint in joints:
        if joint.offset is None:
            raise InputError(f"{where}: joint {joint.name!r} has no OFFSET.")


def _motion(lines: list[str], after: int, width: int, name: str) -> tuple[np.ndarray, float]:
    """Numbers (T, width) of all frames, and seconds a frame."""
    said = [(n, line) for n, line in enumerate(lines[after : after + 8], after + 1) if line.strip()][:2]
    if len(said) < 2 or [line.split(":")[0].strip().lower() for _, line in said] != ["frames", "frame time"]:
        raise InputError(f"{name}:{after + 1}: expected `Frames: <n>` and `Frame Time: <s>` after MOTION.")
    (_, first), (last, second) = said
    frames = numbers(first.split(":")[1].split(), f"{name}:{said[0][0]}: Frames", 1)[0]
    seconds = numbers(second.split(":")[1].split(), f"{name}:{last}: Frame Time", 1)[0]
    if seconds <= 0:
        raise InputError(
            f"{name}:{last}: Frame Time: got {seconds:g}, expected seconds above 0 (1/120 = 0.008333)."
        )
    rows = [line for line in lines[last:] if line.strip()]
    if frames < 1 or len(rows) != frames:
        raise InputError(f"{name}: has {len(rows)} frames where its header says {frames:g}; is the file cut?")
    try:
        words = " ".join(rows).split()
        values = np.array(words, dtype=float).reshape(len(rows), width)
        if np.isfinite(values).all():
            return values, float(seconds)
    except ValueError:
        pass
    for n, line in enumerate(lines[last:], last + 1):
        if line.strip():
            numbers(line.split(), f"{name}:{n}", width)
    raise InputError(f"{name}: its frames cannot be read.")


def _recording(joints: list[Joint], values, scale: float, rate: float, up: str, form: str) -> Recording:
    frames, at = len(values), 0
    offsets = scale * np.stack([joint.offset for joint in joints])
    shifts = np.repeat(offsets[None], frames, 0)
    world = np.empty((frames, len(joints), 3, 3))
    for k, joint in enumerate(joints):
        columns = dict(enumerate(joint.channels, at))
        at += len(columns)
        for column, (kind, axis) in columns.items():
            if kind == "position":
                shifts[:, k, "XYZ".index(axis)] = scale * values[:, column]
        local = _turns(columns, values)
        world[:, k] = world[:, joint.parent] @ local if k else local
    moves = any(kind == "position" for joint in joints[1:] for kind, _ in joint.channels)
    names, parents = tuple(joint.name for joint in joints), tuple(joint.parent for joint in joints)
    offsets[0] = 0
    return Recording(
        names, parents, offsets, world, shifts[:, 0].copy(), rate, up, form, shifts if moves else None
    )


def _turns(columns: dict[int, tuple[str, str]], values) -> np.ndarray:
    """The product of a joint's rotation channels (T, 3, 3), or the identity (3, 3)."""
    rotations = [(column, axis) for column, (kind, axis) in columns.items() if kind == "rotation"]
    if not rotations:
        return np.eye(3)
    return euler(
        "".join(axis for _, axis in rotations), np.radians(values[:, [column for column, _ in rotations]])
    )
