"""Records: what the search reads off people whose tapes are known, one JSON line each, made in parallel, resumable."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from avatarlab.core.errors import InputError
from avatarlab.core.subject import Subject
from avatarlab.fit.estimator.readings import Readings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitRecord:
    """One search: who (id, split, sex), what was shown (track, inputs), what is known and what was read.

    truth_m: tapes of the real row, m, biceps and forearm relaxed. row: the population's columns, m, ``weight`` kg.
    mesh_m: tapes of the person's own mesh. usable: ``fit`` would accept the search.
    """

    id: str
    split: str
    sex: str
    track: str
    inputs: str
    stature_m: float
    weight_kg: float
    readings: Readings
    truth_m: dict[str, float]
    row: dict[str, float]
    mesh_m: dict[str, float]
    usable: bool = True

    def told(self, weighed: bool) -> Subject:
        """What is told of the person: stature and sex, and the weight where it is ``weighed``."""
        return Subject(self.stature_m, self.weight_kg if weighed else None, self.sex)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes a record the only one of its kind."""
        return self.split, self.id, self.track, self.inputs


def write_record(record: FitRecord) -> str:
    """The record as one line of JSON."""
    return json.dumps(asdict(record), sort_keys=True, allow_nan=False)


def load(path: str | Path) -> list[FitRecord]:
    """Read the records of a file; a last line that was cut short is left out, any other damage raises InputError."""
    path = Path(path)
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    if lines.pop():
        log.warning("%s: the last line is cut short and left out", path)
    return [_record(line, f"{path}: line {k + 1}") for k, line in enumerate(lines)]


def _record(line: str, where: str) -> FitRecord:
    try:
        table = json.loads(line)
        return FitRecord(**{**table, "readings": Readings.from_json(table["readings"])})
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where}: not a record ({error}); remove the file and fit again.") from None
