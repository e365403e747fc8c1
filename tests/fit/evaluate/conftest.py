"""Made-up people and records, all numbers known in closed form."""

from types import SimpleNamespace

import numpy as np
import pytest

from avatarlab.fit.estimator.posterior import TAPES
from avatarlab.fit.estimator.readings import Readings
from avatarlab.fit.evaluate.panel import BREADTHS, DEPTHS, panel
from avatarlab.fit.train.records import FitRecord
from avatarlab.measure import MEASURES, population
from avatarlab.measure.definitions import FLEXED_M


def _person(number: int, sex: str, row: dict[str, float]) -> SimpleNamespace:
    truth = {name: row[name] - FLEXED_M[sex].get(name, 0.0) for name in MEASURES}
    mesh = {name: row[name] + 0.01 for name in BREADTHS + DEPTHS}
    return SimpleNamespace(
        id=f"{sex}{number}", split="test", sex=sex, stature_m=row["stature"], weight_kg=row["weight"], truth_m=truth,
        row=row, mesh_m=truth, mesh_dimensions_m=mesh,
    )  # fmt: skip


@pytest.fixture(scope="session")
def people() -> list[SimpleNamespace]:
    """Thirty men and forty women drawn from the committed statistics."""
    drawn = []
    for sex, count in (("male", 30), ("female", 40)):
        columns = population.sample(sex, count, seed=1)
        drawn += [_person(k, sex, {name: float(c[k]) for name, c in columns.items()}) for k in range(count)]
    return drawn


@pytest.fixture(scope="session")
def tested(people):
    """Their panel."""
    return panel(people)


@pytest.fixture(scope="session")
def records(people) -> list[FitRecord]:
    """A search of each person from both views whose mesh measures every tape 1 cm too large."""
    found = []
    for one in people:
        value = {name: x + 0.01 for name, x in one.truth_m.items()}
        readings = Readings("studio", "front_side", value, dict.fromkeys(MEASURES, 0.01))
        found.append(
            FitRecord(one.id, "test", one.sex, "a", "front_side", one.stature_m, one.weight_kg, readings, one.truth_m,
                   one.row, one.mesh_m)
        )  # fmt: skip
    return found


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tapes() -> tuple[str, ...]:
    return TAPES
