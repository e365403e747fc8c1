"""The 16 body measures under named definitions, on a body in the standing pose."""

from avatarlab.measure.definitions import DEFINITIONS, MEASURES
from avatarlab.measure.loops import sections
from avatarlab.measure.result import Measure, Measurements, compare, measure
from avatarlab.measure.tape import dimensions, tapes

__all__ = [
    "DEFINITIONS",
    "MEASURES",
    "Measure",
    "Measurements",
    "compare",
    "dimensions",
    "measure",
    "sections",
    "tapes",
]
