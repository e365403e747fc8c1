"""A recording of real devices from its file to poses: read, calibrate, stream."""

from pathlib import Path
from typing import NamedTuple

from avatarlab.core.errors import InputError
from avatarlab.motion.capture.calibration import Calibration, calibrated
from avatarlab.motion.capture.figure import Figure
from avatarlab.motion.capture.live import replayed
from avatarlab.motion.capture.quest import read_quest
from avatarlab.motion.capture.recording import RawRecording
from avatarlab.motion.capture.table import read_table
from avatarlab.motion.predictor import Motion, Predictor

READERS = {".txt": read_quest, ".csv": read_table}
"""Ending of a file -> who reads it: the Quest app's text, or a CSV with times."""


class Session(NamedTuple):
    """A recording, its calibration, the figure's motion at 60 Hz, and what each pose took in ms.

    The motion is the figure's in size: the user of the T-pose begins at the origin, looking along -y.
    ``calibration.back`` brings it into the room and to the user's size.
    """

    raw: RawRecording
    calibration: Calibration
    motion: Motion
    took_ms: list[float]


def read(path: str | Path) -> RawRecording:
    """A recording's file, by its ending; any other than READERS' raises InputError."""
    ending = Path(path).suffix.lower()
    if ending not in READERS:
        raise InputError(f"{path}: got a file ending in {ending or 'nothing'}, expected .txt (Quest app) or .csv.")
    return READERS[ending](path)


def live(raw: RawRecording, predictor: Predictor, calibration: Calibration) -> Session:
    """Push a recording, sample by sample, through a model's stream."""
    return Session(raw, calibration, *replayed(predictor, calibration, raw))


def held(
    path: str | Path, predictor: Predictor, figure: Figure, stature_m=None, floor_m=None, span=None
) -> Session:
    """A recording's file through calibration and a model; the facts as in ``calibrated``."""
    raw = read(path)
    return live(raw, predictor, calibrated(raw, figure, stature_m, floor_m, span))
