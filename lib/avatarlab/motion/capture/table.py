"""A plain CSV of tracked devices with times, which any OpenXR logger can write.

Columns, by name, in any order: ``time_s``, and for each device ``head``, ``left``, ``right``: ``head_x head_y head_z`` (m)
and ``head_qx head_qy head_qz head_qw``; if wanted ``head_tracked`` and so on, 1 or 0 (or true, false). Axes as OpenXR
has them in its stage space: right-handed, y up, x right, looking along -z; controllers by their grip or aim pose, the
calibration finds out which. One header line; commas; other columns are left alone. Where a device is not tracked its
numbers may be empty, NaN or zero.
"""

import csv
import math
from pathlib import Path

import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.core.files import whole
from avatarlab.motion.capture import axes
from avatarlab.motion.capture.axes import DEVICES
from avatarlab.motion.capture.recording import RawRecording

POSE = ("x", "y", "z", "qx", "qy", "qz", "qw")
NEEDED = ("time_s", *(f"{d}_{p}" for d in DEVICES for p in POSE))
FLAGS = tuple(f"{d}_tracked" for d in DEVICES)
_YES_NO = {"1": True, "true": True, "0": False, "false": False, "1.0": True, "0.0": False}


def read_table(path: str | Path) -> RawRecording:
    """A CSV as above -> RawRecording in our axes; anything else raises InputError that names column or line."""
    rows = _rows(path)
    times = _times(path, rows)
    tracked = torch.tensor([[_flag(path, n, row, flag) for flag in FLAGS] for n, row in rows])
    poses = [[_pose(path, n, row, d, bool(tracked[k, i])) for i, d in enumerate(DEVICES)]
             for k, (n, row) in enumerate(rows)]  # fmt: skip
    said = torch.tensor(poses, dtype=torch.float64)
    quaternions = axes.unit(said[..., 3:], lambda n, d: f"{path}, line {rows[n][0]}, {DEVICES[d]}")
    rotations, positions = axes.into("openxr", said[..., :3], quaternions)
    return RawRecording(times, positions, rotations, tracked, str(path))


def write_table(path: str | Path, raw: RawRecording) -> None:
    """Write a recording as a CSV that ``read_table`` reads."""
    positions, quaternions = axes.back("openxr", raw.rotations, raw.positions)
    with whole(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*NEEDED, *FLAGS))
        for n in range(len(raw)):
            pose = torch.cat([positions[n], quaternions[n]], -1).flatten().tolist()
            flags = [int(x) for x in raw.tracked[n]]
            writer.writerow([f"{float(raw.times[n]):.6f}", *(f"{x:.7f}" for x in pose), *flags])


def _rows(path: str | Path) -> list[tuple[int, dict[str, str]]]:
    """The table's rows as dictionaries, with their line numbers."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = names
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a readable CSV file ({error}).") from None
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise InputError(
            f"{path}: lacks the columns {', '.join(missing[:4])}{', ...' * (len(missing) > 4)}; {_WANTED}"
        )
    return rows


_WANTED = "wanted are time_s and, for head, left and right, _x _y _z _qx _qy _qz _qw."


def _number(path, line: int, row: dict, column: str) -> float:
    try:
        return float(row[column])
    except (TypeError, ValueError):
        raise InputError(f"{path}, line {line}: {column} is {row[column]!r}, expected a number.") from None


def _times(path, rows) -> Tensor:
    times = [_number(path, n, row, "time_s") for n, row in rows]
    for (n, _), time in zip(rows, times, strict=True):
        if not math.isfinite(time):
            raise InputError(f"{path}, line {n}: time_s is {time}, expected seconds.")
    return torch.tensor(times, dtype=torch.float64)


def _flag(path, line: int, row: dict, column: str) -> bool:
    text = row.get(column)
    if text is None:
        return True
    if text.strip().lower() not in _YES_NO:
        raise InputError(f"{path}, line {line}: {column} is {text!r}, expected 1 or 0.")
    return _YES_NO[text.strip().lower()]


def _pose(path, line: int, row: dict, device: str, tracked: bool) -> list[float]:
    """Place and quaternion of a device in a row; the origin, not turned, where it is not tracked."""
    if not tracked:
        return [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    pose = [_number(path, line, row, f"{device}_{part}") for part in POSE]
    if not all(math.isfinite(x) for x in pose):
        raise InputError(
            f"{path}, line {line}, {device}: got NaN or an infinite number; say {device}_tracked = 0 where it is lost."
        )
    return pose
