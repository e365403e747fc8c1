"""What each part of the posterior is worth: errors on people left out, of mesh, network, population and all joined."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from avatarlab.fit.estimator.posterior import TAPES, Posterior, before, people
from avatarlab.fit.train.learning import EVERYTHING, READ, grouped, left_out
from avatarlab.fit.train.records import FitRecord
from avatarlab.learn import weights

READINGS = {"tapes": TAPES, "tapes_volume": (*TAPES, "weight"), "posterior": READ, "posterior_network": EVERYTHING}
"""Which readings a posterior is given: tapes of the mesh, its volume, its breadths and depths (the published one), the
network's tapes."""


@dataclass(frozen=True)
class Score:
    """Mean absolute error (mm) of one method on N people seen in one way, over 15 measures and of three of them."""

    capture: str
    inputs: str
    method: str
    weight: bool
    people: int
    mae15_mm: float
    chest_mae_mm: float
    waist_mae_mm: float
    hip_mae_mm: float


def compared(records: Sequence[FitRecord]) -> list[Score]:
    """Scores of every method on the calibration people, each of whom answered by what all others taught."""
    found = []
    for (capture, inputs), some in grouped(records).items():
        asked = [one for one in some if one.split == "calibration"]
        truth = np.array([[one.truth_m[name] for name in TAPES] for one in asked])
        for method, weighed, values in _answers(some, asked) if asked else ():
            off = 1000 * np.abs(values - truth).mean(0)
            three = (round(float(off[TAPES.index(name)]), 2) for name in ("chest", "waist", "hip"))
            found.append(Score(capture, inputs, method, weighed, len(asked), round(float(off.mean()), 2), *three))
    return found


def _answers(some: Sequence[FitRecord], asked: Sequence[FitRecord]):
    """Yield (method, weight known, values (n, 15) m) of those ``asked`` of one group."""
    for weighed in (False, True):
        yield "population", weighed, np.array([_population(one, weighed) for one in asked])
    yield "mesh", False, np.array([[one.readings.value[name] for name in TAPES] for one in asked])
    if all(one.readings.guess for one in asked):
        yield "network", False, np.array([[one.readings.guess[name] for name in TAPES] for one in asked])
    for method, names in READINGS.items():
        models = left_out(some, names)
        for weighed in (False, True):
            yield method, weighed, np.array([_posterior(models[one.id], one, weighed) for one in asked])


def _population(one: FitRecord, weighed: bool) -> list[float]:
    """What stature (and weight) alone say of the 15 tapes, m."""
    _, mean, _ = before(one.told(weighed))
    return [mean[people(one.sex)[0].index(name)] for name in TAPES]


def _posterior(model: Posterior, one: FitRecord, weighed: bool) -> list[float]:
    answer = model(one.readings, one.told(weighed))
    return [answer.value_m[name] for name in TAPES]


def card_of(
    records: Sequence[FitRecord],
    source: str,
    parameters: Mapping,
    table: Sequence[Score],
    bases: Mapping,
    commit: str | None = None,
) -> dict:
    """The card of a posterior: whom it was learned from, how, and how far off it is on people left out; of ``bases``
    (``Body.bases``) it names the one that was searched."""
    counts = Counter((one.split, one.readings.capture, one.readings.inputs) for one in records)
    return weights.card(
        {"rows": source, "people": {" ".join(key): count for key, count in sorted(counts.items())}},
        parameters,
        {"cross_validation": [asdict(one) for one in table]},
        "Apache-2.0; learned from ANSUR II (US Government work, public release) and CC0 bodies",
        commit,
        bases={"body": bases["body"]},
    )
