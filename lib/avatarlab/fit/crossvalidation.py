"""What each part of the posterior is worth: errors on people left out, of mesh, network, population and all joined."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from avatarlab.fit.learning import READ, grouped, optics_of
from avatarlab.fit.posterior import SEXES, TAPES, Posterior, before, people
from avatarlab.fit.records import Record

FOLDS = 5
READINGS = {"tapes": TAPES, "tapes_volume": (*TAPES, "weight"), "everything": READ}
"""Which readings of the mesh a posterior is given; the network's tapes come on top where there are any."""


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


def compared(records: Sequence[Record]) -> list[Score]:
    """Scores of every method on the train people, each person by what the others taught (by folds, both sexes in each)."""
    found = []
    for (_, capture, inputs), some in grouped([one for one in records if one.split == "train"]).items():
        truth = np.array([[one.truth_m[name] for name in TAPES] for one in some])
        for method, weighed, values in _answers(some):
            off = 1000 * np.abs(values - truth).mean(0)
            three = (round(float(off[TAPES.index(name)]), 2) for name in ("chest", "waist", "hip"))
            found.append(Score(capture, inputs, method, weighed, len(some), round(float(off.mean()), 2), *three))
    return found


def _answers(some: Sequence[Record]):
    """Yield (method, weight known, values (n, 15) m) of one group of people."""
    for weighed in (False, True):
        yield "population", weighed, np.array([_population(one, weighed) for one in some])
    yield "mesh", False, np.array([[one.readings.value[name] for name in TAPES] for one in some])
    if all(one.readings.guess for one in some):
        yield "network", False, np.array([[one.readings.guess[name] for name in TAPES] for one in some])
    for method, names in READINGS.items():
        models = left_out(some, names)
        for weighed in (False, True):
            yield method, weighed, np.array([_posterior(models[one.id], one, weighed) for one in some])


def _population(one: Record, weighed: bool) -> list[float]:
    """What stature (and weight) alone say of the 15 tapes, m."""
    _, mean, _ = before(one.stature_m, one.weight_kg if weighed else None, one.sex)
    return [mean[people(one.sex)[0].index(name)] for name in TAPES]


def _posterior(model: Posterior, one: Record, weighed: bool) -> list[float]:
    answer = model(one.readings, one.stature_m, one.weight_kg if weighed else None, one.sex)
    return [answer.value_m[name] for name in TAPES]


def left_out(some: Sequence[Record], names: Sequence[str]) -> dict[str, Posterior]:
    """By id a posterior that was learned without that person, of one group of records."""
    kind = some[0].readings.capture, some[0].readings.inputs
    fold = {one.id: k % FOLDS for sex in SEXES for k, one in enumerate(o for o in some if o.sex == sex)}
    models = []
    for number in range(FOLDS):
        optics = optics_of([one for one in some if fold[one.id] != number], names)
        models.append(Posterior({(sex, *kind): one for sex, one in optics.items()}, {}))
    return {one.id: models[fold[one.id]] for one in some}


def card_of(
    records: Sequence[Record], source: str, parameters: Mapping, table: Sequence[Score], commit: str
) -> dict:
    """The card of a posterior: whom it was learned from, how, and how far off it is on people left out."""
    counts = Counter((one.split, one.readings.capture, one.readings.inputs) for one in records)
    return {
        "data": {"rows": source, "people": {" ".join(key): count for key, count in sorted(counts.items())}},
        "parameters": dict(parameters),
        "commit": commit,
        "metrics": {"cross_validation": [asdict(one) for one in table]},
        "licence": "Apache-2.0; learned from ANSUR II (US Government work, public release) and CC0 bodies",
    }
