"""Made-up records: people drawn from the population, read with known gains, offsets and noise; no picture, no mesh."""

import numpy as np

from avatarlab.fit.estimator.posterior import SEXES, TAPES, people
from avatarlab.fit.estimator.readings import Readings
from avatarlab.fit.train.crossvalidation import READ
from avatarlab.fit.train.records import FitRecord
from avatarlab.measure import population
from avatarlab.measure.definitions import FLEXED_M

OFFSET, SHRUNK = 0.3, 0.85
"""Readings lie 0.3 standard deviations too high and regress to the mean: y = 0.85 x + 0.3 + noise."""


def reading(row, sex, chance, noise=0.25, gain=SHRUNK, offset=OFFSET, **given) -> Readings:
    """What a search would read of ``row`` (SI, flexed), ``noise`` in population standard deviations."""
    names, centre, sd = people(sex)
    at = [names.index(name) for name in (*READ, "stature")]
    x = (np.array([row[names[k]] for k in at]) - population.population(sex).mean[at]) / sd[at]
    y = gain * x + offset + noise * chance.standard_normal(len(at))
    value = dict(zip((*READ, "stature"), (centre[at] + sd[at] * y).tolist(), strict=True)) | {
        "stature": row["stature"]
    }
    spread = {name: 0.25 * float(sd[names.index(name)]) for name in (*TAPES, "stature")}
    return Readings(**{"capture": "studio", "inputs": "front_side", "value": value, "sd": spread} | given)


def records(split: str, count: int, seed: int, **given) -> list[FitRecord]:
    """``count`` people of each sex."""
    chance, found = np.random.default_rng(seed), []
    for sex in SEXES:
        drawn = population.sample(sex, count, seed)
        for k in range(count):
            row = {name: float(values[k]) for name, values in drawn.items()}
            truth = {name: row[name] - FLEXED_M[sex].get(name, 0.0) for name in (*TAPES, "stature")}
            read = reading(row, sex, chance, **given)
            found.append(FitRecord(f"{split}_{sex}_{k:03d}", split, sex, "a", read.inputs, row["stature"], row["weight"],
                                read, truth, row, truth))  # fmt: skip
    return found
