"""What a fitted person's measures rest on and how far they may be trusted, as it travels in the person's file."""

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor

from avatarlab.body import Body, MeasureUncertainty, Uncertainty
from avatarlab.fit.estimator.map_estimate import Found
from avatarlab.fit.estimator.posterior import PLAIN_FACTOR
from avatarlab.fit.estimator.posterior_update import Concluded
from avatarlab.fit.estimator.project_to_tapes import spreads_m, taped
from avatarlab.fit.estimator.quality import Quality
from avatarlab.fit.estimator.visibility import hidden_in
from avatarlab.measure import MEASURES
from avatarlab.measure.result import EXACT_CM, STATURE_GIVEN
from avatarlab.photo import Observation

POPULATION, WEIGHT = "population", "weight given"
AVERAGE = "no body fits the photos; this would be the population's average"


def of_fit(found: Found, end: Concluded, quality: Quality, weight_kg: float | None) -> Uncertainty:
    """The report's intervals and reasons, and what each measure rests on."""
    observations = [aim.observation for aim in found.targets]
    evidence = rests_on(observations, quality.unseen, found.clothed, weight_kg is not None)
    value = {name: 100 * (m + end.body.off_m[name]) for name, m in end.estimate.value_m.items()}
    return Uncertainty(
        {
            name: MeasureUncertainty(
                _holding(quality.interval_cm[name], value[name]), quality.tape_sd_cm[name], evidence[name],
                quality.withheld.get(name),
            )
            for name in MEASURES
        },
        calibrated=quality.calibrated,
    )  # fmt: skip


def _holding(ends: tuple[float, float], value_cm: float) -> tuple[float, float]:
    """The interval, reaching to the body's own tape where the body could not be nudged into it."""
    low, high = ends
    if low - EXACT_CM / 2 <= value_cm <= high + EXACT_CM / 2:
        return low, high
    return min(low, round(value_cm, 2)), max(high, round(value_cm, 2))


def of_average(body: Body, betas: Tensor, covariance: Tensor, stature_m: float) -> Uncertainty:
    """Of a population's mean with betas (S,) and covariance (S, S), given stature: nothing else of it is the person's."""
    table = taped(body, betas)
    cm, sd_cm = 100 * table.value, 100 * spreads_m(table.slope, covariance)
    measures = {
        name: MeasureUncertainty(
            (round(x - PLAIN_FACTOR * sd, 2), round(x + PLAIN_FACTOR * sd, 2)), round(sd, 3),
            (STATURE_GIVEN, POPULATION), AVERAGE,
        )
        for name, x, sd in zip(MEASURES, cm.tolist(), sd_cm.tolist(), strict=True)
    }  # fmt: skip
    exact = round(100 * stature_m, 2)
    return Uncertainty(measures | {"stature": MeasureUncertainty((exact, exact), 0.0, (STATURE_GIVEN,))})


def rests_on(
    observations: Sequence[Observation], unseen: Collection[str], clothed: Mapping[str, str], weighed: bool
) -> dict[str, tuple[str, ...]]:
    """Measure -> its evidence: the outlines that show it, then the facts that were given, last the population.

    What no photo shows, or so little of that it stays as unsure as before, rests on no outline; its estimate follows from
    the rest of the body and the population. ``clothed``: what loose clothes cover, whose outline is the clothes'.
    """
    given = (STATURE_GIVEN, WEIGHT) if weighed else (STATURE_GIVEN,)
    return {
        name: (STATURE_GIVEN,) if name == "stature" else (*_outlines(name, observations, unseen, clothed), *given, POPULATION)
        for name in MEASURES
    }  # fmt: skip


def _outlines(name: str, observations, unseen, clothed) -> tuple[str, ...]:
    views = dict.fromkeys(
        "side" if one.view == "side" else "front" for one in observations if name not in hidden_in(one)
    )
    over = " over clothes" if name in clothed else ""
    return () if name in unseen else tuple(f"{view} outline{over}" for view in views)
