"""The people of the benchmark and every method's answer about them, for one track and one set of inputs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlab.core.errors import InputError
from avatarlab.fit.estimator.posterior import SEXES, TAPES, Estimate, Posterior
from avatarlab.fit.estimator.posterior import mesh_estimate as uncalibrated
from avatarlab.fit.evaluate.linear import Moments, moments, predicted, reference
from avatarlab.fit.evaluate.predictions import Answers, gaussian, plain
from avatarlab.fit.train.records import FitRecord
from avatarlab.synthetic import Participant
from avatarlab.synthetic.participant import DIMENSIONS

BREADTHS, DEPTHS = DIMENSIONS[:4], DIMENSIONS[4:]
MESHES = "bodies of the training people"
LEAST_LEARNERS = 30
"""Fewer people of one sex cannot carry a regression on nine columns."""


@dataclass(frozen=True)
class Inputs:
    """One set of inputs: which views the search saw, and whether the weight is known."""

    views: str
    weighed: bool

    @property
    def known(self) -> tuple[str, ...]:
        """What is known without a photo: columns of the baseline."""
        return ("stature", "weight") if self.weighed else ("stature",)

    @property
    def outline(self) -> tuple[str, ...]:
        """What perfect outlines would add: columns of the floor."""
        return self.known + BREADTHS + (DEPTHS if self.views == "front_side" else ())


INPUTS = {
    "front": Inputs("front", False),
    "front_side": Inputs("front_side", False),
    "front_weight": Inputs("front", True),
    "front_side_weight": Inputs("front_side", True),
}


@dataclass(frozen=True, eq=False)
class Panel:
    """N people: ids and sexes (N,), truth (N, 15) m in order of TAPES, columns of their real rows and of their meshes.

    ``columns`` and ``mesh``: name -> (N,), metres, weight in kg; the mesh has the row's stature and weight.
    """

    ids: tuple[str, ...]
    sexes: np.ndarray
    truth: np.ndarray
    columns: Mapping[str, np.ndarray]
    mesh: Mapping[str, np.ndarray]

    def of(self, sex: str) -> "Panel":
        """Only one sex's people."""
        rows = np.flatnonzero(self.sexes == sex)
        columns, mesh = ({n: c[rows] for n, c in table.items()} for table in (self.columns, self.mesh))
        return Panel(tuple(self.ids[k] for k in rows), self.sexes[rows], self.truth[rows], columns, mesh)


def panel(people: Iterable[Participant]) -> Panel:
    """The panel of some participants, in their order; InputError where there is nobody."""
    parts = [(one.id, one.sex, one.row, one.truth_m, one.mesh_dimensions_m) for one in people]
    if not parts:
        raise InputError("people: nobody is left for the benchmark; run stage 11_people with test people.")
    ids, sexes, rows, truths, meshes = zip(*parts, strict=True)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    given = {name: columns[name] for name in ("stature", "weight")}
    mesh = {name: np.array([one[name] for one in meshes]) for name in DIMENSIONS if all(name in m for m in meshes)}
    truth = np.array([[one[name] for name in TAPES] for one in truths])
    return Panel(ids, np.array(sexes), truth, columns, mesh | given)


def references(folder: str | Path, tested: Panel) -> dict[str, Moments]:
    """Sex -> moments of everybody in the tables of ``folder`` but the tested; see ``linear.reference``."""
    found = {}
    for sex in SEXES:
        group = tested.of(sex)
        rows = [{name: group.columns[name][k] for name in group.columns} for k in range(len(group.ids))]
        found[sex] = reference(sex, folder, rows)
    return found


def mesh_references(learners: Panel) -> dict[str, Moments]:
    """Sex -> moments of the learners' true tapes with what is exact on their meshes: the second floor's regression.

    Empty where a sex has fewer than LEAST_LEARNERS, or the meshes' dimensions were not kept.
    """
    groups = {sex: learners.of(sex) for sex in SEXES}
    few = min(len(group.ids) for group in groups.values()) < LEAST_LEARNERS
    if few or any(name not in learners.mesh for name in DIMENSIONS):
        return {}
    tapes = {sex: dict(zip(TAPES, group.truth.T, strict=True)) for sex, group in groups.items()}
    return {sex: moments({**group.mesh, **tapes[sex]}, MESHES) for sex, group in groups.items()}


def regressed(known: Mapping[str, Moments], people: Panel, names: Sequence[str], on_mesh: bool = False) -> Answers:
    """Every person's tapes from the named columns of their row (or mesh), by their own sex's regression."""
    value, sd = np.empty(people.truth.shape), np.empty(people.truth.shape)
    for sex in np.unique(people.sexes):
        rows, group = people.sexes == sex, people.of(sex)
        table = group.mesh if on_mesh else group.columns
        value[rows], sd[rows] = predicted(known[sex], {name: table[name] for name in names})
    return gaussian(value, sd)


def estimated(people: Panel, estimates: Mapping[str, Estimate], otherwise: Answers) -> Answers:
    """Estimates by id as answers; who has none (no body fitted) gets that row of ``otherwise``."""
    parts = [
        _answer(estimates[one]) if one in estimates else otherwise.taken(slice(k, k + 1))
        for k, one in enumerate(people.ids)
    ]
    return Answers(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("value", "low", "high", "withheld")))


def _answer(estimate: Estimate) -> Answers:
    low, high = (np.array([[estimate.interval_m[name][side] for name in TAPES]]) for side in (0, 1))
    value = np.array([[estimate.value_m[name] for name in TAPES]])
    return Answers(value, low, high, np.array([[name in estimate.withheld for name in TAPES]]))


def judged(records: Sequence[FitRecord], posterior: Posterior | None, inputs: Inputs) -> dict[str, Estimate]:
    """Id -> the posterior's estimate from each search of these views, with the weight where it is an input.

    Without a posterior that knows such photos: what the mesh measures with the fit's own spread.
    """
    found = {}
    for one in (record for record in records if record.inputs == inputs.views):
        if posterior is None or not posterior.knows(one.readings):
            found[one.id] = uncalibrated(one.readings, one.stature_m)
        else:
            found[one.id] = posterior(one.readings, one.told(inputs.weighed))
    return found


def measured(people: Panel, records: Sequence[FitRecord], inputs: Inputs, otherwise: Answers) -> Answers:
    """The plain geometric fit: tapes read off the mesh, no posterior, no intervals."""
    values = {record.id: record.readings.value for record in records if record.inputs == inputs.views}
    rows = [
        [values[one][name] for name in TAPES] if one in values else otherwise.value[k]
        for k, one in enumerate(people.ids)
    ]
    return plain(np.array(rows))
