"""``Uncertainty``: how far each measure of a person may be trusted, as plain data that travels in the person's file."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from avatarlab.core.errors import InputError


@dataclass(frozen=True)
class MeasureUncertainty:
    """One measure: its interval (low, high) and standard deviation in cm, what it rests on, why it is withheld.

    ``rests_on`` in plain words, say ("front outline", "stature given", "population"); ``withheld``: why the photos
    cannot know the measure, None where they can. A fact that is given exactly has an interval of no width.
    """

    interval_cm: tuple[float, float]
    sd_cm: float
    rests_on: tuple[str, ...] = ()
    withheld: str | None = None

    def __post_init__(self):
        ends = _numbers("interval_cm", self.interval_cm)
        (sd_cm,) = _numbers("sd_cm", (self.sd_cm,))
        if len(ends) != 2 or ends[0] > ends[1] or sd_cm < 0:
            raise InputError(
                f"uncertainty: got the interval {ends} and the standard deviation {sd_cm} in cm, expected low <= high "
                "and at least 0."
            )
        for name, value in (("interval_cm", ends), ("sd_cm", sd_cm), ("rests_on", _words(self.rests_on))):
            object.__setattr__(self, name, value)
        if self.withheld is not None and not _is_word(self.withheld):
            raise InputError(f"uncertainty: got withheld {self.withheld!r}, expected a reason in words or None.")


@dataclass(frozen=True)
class Uncertainty:
    """Measure -> how far to trust it, under one ``definition``; intervals hold a share ``coverage`` of people.

    ``calibrated``: that was checked on people whose tapes are known. Measure names are those of ``avatarlab.measure``,
    which refuses others when it measures.
    """

    measures: Mapping[str, MeasureUncertainty]
    definition: str = "ansur"
    coverage: float = 0.9
    calibrated: bool = False

    def __post_init__(self):
        (coverage,) = _numbers("coverage", (self.coverage,))
        if not 0 < coverage < 1:
            raise InputError(f"uncertainty: got coverage {coverage}, expected a share between 0 and 1.")
        if not _is_word(self.definition) or not isinstance(self.calibrated, bool):
            raise InputError(
                f"uncertainty: got definition {self.definition!r} and calibrated {self.calibrated!r}, expected a name "
                "and true or false."
            )
        if not all(isinstance(one, MeasureUncertainty) for one in self.measures.values()):
            raise InputError("uncertainty: measures holds something else than MeasureUncertainty.")
        object.__setattr__(self, "measures", dict(self.measures))

    def as_json(self) -> dict:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, table) -> "Uncertainty":
        """Take back what ``as_json`` gave; anything else raises InputError."""
        table = _table(cls, table)
        if not isinstance(table["measures"], Mapping):
            raise InputError("uncertainty: measures is no table of measures.")
        entries = table["measures"].items()
        measures = {name: MeasureUncertainty(**_table(MeasureUncertainty, one)) for name, one in entries}
        return cls(**{**table, "measures": measures})


def _table(kind, table) -> Mapping:
    """``table`` if it has just the fields of the dataclass ``kind``."""
    expected = sorted(one.name for one in fields(kind))
    if not isinstance(table, Mapping) or sorted(table) != expected:
        raise InputError(f"uncertainty: got {str(table)[:80]}, expected just {', '.join(expected)}.")
    return table


def _numbers(name: str, values) -> tuple[float, ...]:
    """Finite plain numbers as floats."""
    values = tuple(values) if isinstance(values, tuple | list) else (values,)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"uncertainty: got {name} {value!r}, expected a finite number.")
    return tuple(float(value) for value in values)


def _words(values) -> tuple[str, ...]:
    if not isinstance(values, tuple | list) or not all(map(_is_word, values)):
        raise InputError(f"uncertainty: got rests_on {values!r}, expected a list of words.")
    return tuple(values)


def _is_word(value) -> bool:
    return isinstance(value, str) and bool(value.strip())
