"""What to ask of Anny for a measured person: parameters' ranges, where a search starts, how tightly tapes are kept."""

import numpy as np
import torch

from avatarlab.body.open.source import PHENOTYPES, AnnySource

CENTRE = {
    "gender": 0.5,
    "age": 0.68,
    "muscle": 0.55,
    "weight": 0.8,
    "height": 0.34,
    "proportions": 0.75,
    "cupsize": 0.55,
}
SPREAD = {
    "gender": 1e-4,
    "age": 0.05,
    "muscle": 0.35,
    "weight": 0.5,
    "height": 0.3,
    "proportions": 0.3,
    "cupsize": 0.3,
}
LOW = {
    "gender": 0.0,
    "age": 0.5,
    "muscle": -0.2,
    "weight": 0.1,
    "height": 0.1,
    "proportions": -0.3,
    "cupsize": -0.3,
}
HIGH = {"gender": 1.0, "age": 0.9, "muscle": 1.3, "weight": 1.6, "height": 0.8, "proportions": 1.2, "cupsize": 1.2}
"""Phenotypes beyond 0 to 1 extrapolate: average muscle alone cannot exceed BMI 24 (Anny's own range ends at the
slim side of the surveyed people)."""

LOCAL_SPREAD, LOCAL_LIMIT = 0.4, 1.3
LONGER_ARMS = {"measure-upperarm-length-incr": (0.40, 0.75), "measure-lowerarm-length-incr": (0.35, 0.70)}
"""Anny's arms are short: where the search for (men, women) starts."""
JITTER = 0.35
"""How far people's centres are strewn, as a share of the spread: what no tape measures must vary in the space too."""

TAPE_TOLERANCE = 0.002
TOLERANCE = {"stature": 0.001, "shoulder_to_crotch": 0.006, "inside_leg": 0.004, "weight": 0.5}
"""How far a tape may be missed, in metres (weight in kg). Heights of bony points are looser: on this skin the acromion
and the crotch are not exactly where a measurer's finger finds them."""
LEAN = dict.fromkeys(("waistbreadth", "waistdepth", "hipbreadth", "buttockdepth"), 0.010)
"""Breadths and depths (ANSUR's columns), metres, that the search only leans on: for the same girths Anny's sections are
wider and flatter than people's, and tapes come first."""


def bounds(source: AnnySource) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return low, high and spread (P,) of the parameters."""
    local = len(source.parameters) - len(PHENOTYPES)
    tables = ((LOW, -LOCAL_LIMIT), (HIGH, LOCAL_LIMIT), (SPREAD, LOCAL_SPREAD))
    rows = ([*(table[name] for name in PHENOTYPES), *[rest] * local] for table, rest in tables)
    return tuple(torch.tensor(row, dtype=torch.float64) for row in rows)


def centres(source: AnnySource, sex: str, count: int, seed: int) -> torch.Tensor:
    """Return ``count`` strewn centres (count, P) for one sex."""
    low, high, std = bounds(source)
    middle = torch.zeros(len(source.parameters), dtype=torch.float64)
    middle[: len(PHENOTYPES)] = torch.tensor([CENTRE[name] for name in PHENOTYPES], dtype=torch.float64)
    female = sex == "female"
    middle[PHENOTYPES.index("gender")] = float(female)
    for name, starts in LONGER_ARMS.items():
        middle[source.parameters.index(name)] = starts[female]
    strewn = torch.from_numpy(np.random.default_rng([seed, female]).standard_normal((count, len(middle))))
    return (middle + JITTER * std * strewn).clamp(low, high)
