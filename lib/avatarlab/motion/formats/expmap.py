"""CMU motion as exponential maps in text, 117 numbers a row: the set that motion-prediction papers pass on.

Three numbers of the root's place and 38 rotations, all on the skeleton of CMU subject 02 (cmu02.csv: its joints in the
order of the columns, from 02.asf). A rotation r turns the bone in world axes from rest, and is stored transposed: it is
R(-r). The first row is a T-pose and no motion. Source: motion.md 5.1, checked against the bones' axes of 02.asf.
"""

import csv
from functools import cache
from importlib import resources
from os import PathLike

import numpy as np
from scipy.spatial.transform import Rotation

from avatarlab.core.errors import InputError
from avatarlab.motion.formats.recording import Recording
from avatarlab.motion.formats.text import numbers, text_of

JOINTS = 38
COLUMNS = 3 + 3 * JOINTS
RATE_HZ = 120.0
METRES = 0.0254 / 0.45
"""Of one unit of place: inches over 0.45, as in CMU's ASF files."""


def read(source: str | PathLike, rate: float = RATE_HZ, t_pose: bool = False) -> Recording:
    """A take from a path or text at ``rate`` Hz (the file does not say), without its first row unless ``t_pose``.

    Rows of another width, words and NaN raise InputError with the line.
    """
    text, name = text_of(source)
    rows = _rows(text, name)[0 if t_pose else 1 :]
    if not len(rows):
        raise InputError(f"{name}: has no frames after its T-pose; {COLUMNS} numbers a row were expected.")
    names, parents, offsets = skeleton()
    local = Rotation.from_rotvec(-rows[:, 3:].reshape(-1, 3)).as_matrix().reshape(len(rows), JOINTS, 3, 3)
    world = local.copy()
    for joint in range(1, JOINTS):
        world[:, joint] = world[:, parents[joint]] @ local[:, joint]
    return Recording(names, parents, offsets, world, METRES * rows[:, :3], rate, "y", "expmap")


@cache
def skeleton() -> tuple[tuple[str, ...], tuple[int, ...], np.ndarray]:
    """Names and parents (38,) and offsets (38, 3) m of the joints of CMU subject 02, in the order of the columns."""
    with (resources.files(__package__) / "cmu02.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    names = tuple(row["joint"] for row in table)
    parents = tuple(names.index(row["parent"]) if row["parent"] else -1 for row in table)
    return names, parents, np.array([[float(row[key]) for key in ("x_m", "y_m", "z_m")] for row in table])


def _rows(text: str, name: str) -> np.ndarray:
    """All rows (T, 117) at once; if that fails, line by line to name the line."""
    lines = text.splitlines()
    if not text.strip():
        raise InputError(f"{name}: has no frames; {COLUMNS} numbers a row were expected.")
    try:
        table = np.loadtxt(lines, delimiter=",", ndmin=2, comments=None)
        if table.shape[1:] == (COLUMNS,) and np.isfinite(table).all():
            return table
    except ValueError:
        pass
    for n, line in enumerate(lines, 1):
        if line.strip():
            numbers(line.split(","), f"{name}:{n}", COLUMNS)
    raise InputError(f"{name}: cannot be read as rows of {COLUMNS} numbers.")
