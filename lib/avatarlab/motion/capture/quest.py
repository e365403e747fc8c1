"""The text that SAGE's Quest app writes: no times, a smoothed frame rate instead, Unity's axes, a last line cut off.

A line of it: ``FPS:72.0000;Headset-Position: (x, y, z);Headset-Rotation: (x, y, z, w);LeftController-Position: (...);
LeftController-Rotation: (...);RightController-Position: (...);RightController-Rotation: (...);`` with four decimals,
blank lines between blocks of 200. The app loses what is in its buffer when it ends, so files end anywhere. Source:
SAGE's real_demo (facts).
"""

import re
from pathlib import Path

import torch
from torch import Tensor

from avatarlab.core.errors import InputError
from avatarlab.core.files import whole
from avatarlab.motion.capture import axes
from avatarlab.motion.capture.recording import RawRecording

NAMES = ("Headset", "LeftController", "RightController")
BLOCK = 200
"""Lines between blank lines."""
FROZEN_S = 0.25
"""A controller that says the very same numbers for longer, while the headset does not, is lost: the app has no flag."""
SMOOTHING = 0.1
"""Share of the newest frame in the app's frame rate."""
_TUPLE = r"\(([^()]*)\)"
_LINE = re.compile(
    r"FPS:([^;]*);"
    + "".join(rf"\s*{n}-Position:\s*{_TUPLE};\s*{n}-Rotation:\s*{_TUPLE};" for n in NAMES)
    + r"\s*$"
)


def read_quest(path: str | Path) -> RawRecording:
    """A Quest text file -> RawRecording in our axes, its times from adding up 1 / FPS.

    The last line is dropped if it is cut. Any other broken line, a frame rate of 0, NaN and a zero quaternion raise
    InputError that names the line.
    """
    lines = _lines(path)
    said = [(n, _numbers(text)) for n, text in lines]
    if said and said[-1][1] is None:
        said.pop()
    for n, found in said:
        if found is None:
            raise InputError(
                f"{path}, line {n}: not a line of the Quest app (FPS:...;Headset-Position: (x, y, z);...)."
            )
    if len(said) < 2:
        raise InputError(
            f"{path}: got {len(said)} whole lines, expected at least 2; is it a recording of the Quest app?"
        )
    return _recording(path, [n for n, _ in said], [found for _, found in said])


def write_quest(path: str | Path, raw: RawRecording, cut: bool = True) -> None:
    """Write a recording as the Quest app would: rounded, smoothed, in blocks, the last line ``cut`` in its middle.

    The format has no flags: a lost controller repeats its last line's numbers.
    """
    positions, quaternions = axes.back("unity", raw.rotations, raw.positions)
    steps = raw.times.diff(prepend=raw.times[:1] - raw.times.diff()[:1])
    smooth, lines, last = float(steps[0]), [], None
    for n in range(len(raw)):
        smooth += SMOOTHING * (float(steps[n]) - smooth)
        last = [
            _pair(NAMES[d], positions[n, d], quaternions[n, d]) if last is None or raw.tracked[n, d] else last[d]
            for d in range(3)
        ]
        lines.append(f"FPS:{1 / smooth:.4f};" + "".join(last))
    text = "\n\n".join("\n".join(lines[k : k + BLOCK]) for k in range(0, len(lines), BLOCK))
    with whole(path) as part:
        part.write_text(text[: -len(lines[-1]) // 2] if cut else text + "\n", encoding="utf-8")


def _pair(name: str, place: Tensor, quaternion: Tensor) -> str:
    at, turn = (", ".join(f"{x:.4f}" for x in numbers.tolist()) for numbers in (place, quaternion))
    return f"{name}-Position: ({at});{name}-Rotation: ({turn});"


def _lines(path: str | Path) -> list[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers from 1."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable text file ({error}).") from None
    return [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def _numbers(line: str) -> list[float] | None:
    """The 22 numbers of a line (frame rate, then place and quaternion of each device); None if it is no whole line."""
    match = _LINE.match(line)
    if not match:
        return None
    groups = [group.split(",") for group in match.groups()]
    if [len(group) for group in groups] != [1, *(3, 4) * 3]:
        return None
    try:
        return [float(x) for group in groups for x in group]
    except ValueError:
        return None


def _recording(path, lines: list[int], rows: list[list[float]]) -> RawRecording:
    """Numbers (N, 22) and the lines they are from -> RawRecording."""

    def where(n: int, d: int = 0) -> str:
        return f"{path}, line {lines[n]}"

    def device(n: int, d: int) -> str:
        return f"{where(n)}, {NAMES[d]}"

    table = axes.numbers(rows, where)
    wrong = (table[:, 0] <= 0).nonzero()
    if len(wrong):
        n = int(wrong[0])
        raise InputError(
            f"{where(n)}: FPS is {float(table[n, 0]):g}, expected more than 0; without it no time is known."
        )
    steps = 1 / table[:, 0]
    said = table[:, 1:].unflatten(1, (3, 7))
    rotations, positions = axes.into("unity", said[..., :3], axes.unit(said[..., 3:], device))
    times = torch.cat([steps.new_zeros(1), steps[1:].cumsum(0)])
    return RawRecording(times, positions, rotations, ~_frozen(said, times), str(path))


def _frozen(said: Tensor, times: Tensor) -> Tensor:
    """Where (N, 3) a device repeats itself for longer than FROZEN_S while the headset moves; never the headset."""
    same = (said[1:] == said[:-1]).all(-1)
    frozen = torch.zeros(said.shape[:2], dtype=torch.bool)
    for d in (1, 2):
        start = 0
        for n in range(1, len(said) + 1):
            if n < len(said) and bool(same[n - 1, d]):
                continue
            lasted = float(times[n - 1] - times[start])
            if lasted > FROZEN_S and not bool(same[start : n - 1, 0].all()):
                frozen[start + 1 : n, d] = True
            start = n
    return frozen
