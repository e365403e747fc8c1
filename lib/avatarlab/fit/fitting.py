"""``fit``: one or two observations and a stature in, a Person and a quality report out."""

import logging
import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps

import torch
from torch import Tensor

from avatarlab.body import Block, Body, MeasureUncertainty, Person, Uncertainty, poses
from avatarlab.core.errors import InputError, number
from avatarlab.core.parallel import one_thread
from avatarlab.core.subject import ON_FAILURE, Subject
from avatarlab.fit.estimator import shape
from avatarlab.fit.estimator.map_estimate import REACHES_M, MapEstimate, search
from avatarlab.fit.estimator.posterior import PLAIN_FACTOR
from avatarlab.fit.estimator.posterior_update import PosteriorUpdate, load_posterior, update_posterior
from avatarlab.fit.estimator.project_to_tapes import tape_std_m, tapes_of
from avatarlab.fit.estimator.quality import Quality, assess
from avatarlab.fit.estimator.readings import Readings
from avatarlab.fit.estimator.visibility import hidden_in
from avatarlab.fit.regressor.predict import Guess
from avatarlab.measure import MEASURES
from avatarlab.measure.result import EXACT_CM, STATURE_GIVEN
from avatarlab.photo import Observation
from avatarlab.photo.tone import Tone, tone
from avatarlab.render import Camera

POPULATION, WEIGHT = "population", "weight given"
AVERAGE = "no body fits the photos; this would be the population's average"


def of_fit(found: MapEstimate, end: PosteriorUpdate, quality: Quality, weight_kg: float | None) -> Uncertainty:
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
    table = tapes_of(body, betas)
    cm, sd_cm = 100 * table.value, 100 * tape_std_m(table.slope, covariance)
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


log = logging.getLogger(__name__)

PLACEHOLDER = "This is a placeholder: the population's average body of this stature, not the person in the photo."


class FitError(InputError):
    """No usable fit; ``quality`` says why."""

    def __init__(self, sentence: str, quality: Quality | None = None):
        super().__init__(sentence)
        self.quality = quality


@dataclass(frozen=True)
class Progress:
    """A step of the fit: how many of how many, in which stage, the loss (sum of squares), an estimate of seconds left."""

    done: int
    total: int
    stage: str
    loss: float
    seconds_left: float


@dataclass(frozen=True, eq=False)
class FitResult:
    """The person, the report, one camera per photo at the photo's own resolution (world: the body's frame), and what
    the search read before the posterior."""

    person: Person
    quality: Quality
    cameras: tuple[Camera, ...] = ()
    poses: tuple[Tensor, ...] = ()
    readings: Readings | None = None


def _told_singly(fit: Callable[..., FitResult]) -> Callable[..., FitResult]:
    """Let ``fit`` take stature_m, weight_kg and sex instead of a Subject, as it did before, with a warning."""

    @wraps(fit)
    def warned(observations, *args, **given):
        legacy = {name: given.pop(name) for name in ("stature_m", "weight_kg", "sex") if name in given}
        if legacy:
            message = "fit: stature_m, weight_kg and sex are deprecated; pass subject=Subject(...)."
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            given["subject"] = Subject(**legacy)
        return fit(observations, *args, **given)

    return warned


@_told_singly
def fit(
    observations: Observation | Sequence[Observation],
    subject: Subject,
    body: Body,
    seed: int = 7,
    on_failure: str = "fail",
    progress: Callable[[Progress], None] | None = None,
    steps: int = len(REACHES_M),
    guess: Guess | str | None = None,
    weights: str = "pretrained",
) -> FitResult:
    """Fit the body to one observation, or to two of the same person (front and side), with a known stature.

    The subject's stature is held to 0.1 mm; the weight is optional and touches the posterior, not the search; the sex
    chooses the prior, unknown that of both together; clothes count as the observations say. ``seed`` draws the shape's
    starts; same input, same result, bit by bit (one thread). ``weights``: pretrained or trained, of network and posterior.
    ``on_failure``: "fail" raises FitError, "placeholder" returns the population's mean of that stature, marked.
    ``steps`` of outline fitting (at least 1); fewer are faster and coarser. ``guess``: a Guess to start from,
    "starts" for several starts, "network" for the network's, None for the network's where it is the better start and its
    weights are there (``guess.given``), else several starts.
    """
    observations = _checked(observations, subject, on_failure, steps)
    posterior = load_posterior(body, weights)
    quality, reasons = None, [note.sentence for one in observations for note in one.findings if note.fatal]
    if not reasons:
        with one_thread():
            found = search(observations, subject, body, seed, guess, _heard(progress), steps, weights)
            result = _result(found, update_posterior(found, subject, posterior), subject)
        if result.quality.usable:
            return result
        quality, reasons = result.quality, result.quality.reasons
    sentence = " ".join(reasons)
    if on_failure == "fail":
        names = ", ".join(observation.name for observation in observations)
        raise FitError(f"{names}: no body fits. {sentence}", quality)
    return replaced(body, subject, sentence, quality)


def replaced(body: Body, subject: Subject, reason: str, quality: Quality | None = None) -> FitResult:
    """A placeholder and the report that says so, with ``reason`` and what the failed fit (None: none begun) knew."""
    log.warning("no body fits, a placeholder is given out: %s", reason)
    person = placeholder(body, subject)
    known = person.uncertainty.measures
    report = Quality(
        quality.views if quality else (), 0.0, 0.0, {name: one.sd_cm for name, one in known.items()},
        tuple(name for name in known if name != "stature"),
        (PLACEHOLDER, *(quality.warnings if quality else ())), quality.reasons if quality else (reason,), False, True,
        withheld={name: one.withheld for name, one in known.items() if one.withheld},
    )  # fmt: skip
    return FitResult(person, report)


def placeholder(body: Body, subject: Subject) -> Person:
    """The population's mean body of the subject's stature and sex, marked as placeholder; all its tapes but stature
    withheld."""
    prior, stature = shape.prior(body, subject.sex), shape.Stature(body)
    betas = shape.to_stature(prior.mean.float(), stature, subject.stature_m, prior.covariance)
    covariance = shape.condition_on_stature(prior.covariance, stature.slope(betas)[1])
    return Person(
        {"body": _body_block(body, betas, covariance)}, subject.stature_m, placeholder=True, sex=subject.sex,
        state={"pose": poses.standing(), "transl": torch.zeros(3)},
        uncertainty=of_average(body, betas, covariance, subject.stature_m),
        provenance={"made_by": "avatarlab.fit.placeholder"},
    )  # fmt: skip


def _checked(observations, subject, on_failure, steps) -> tuple[Observation, ...]:
    found = (observations,) if isinstance(observations, Observation) else tuple(observations)
    if not 1 <= len(found) <= 2:
        raise InputError(f"observations: got {len(found)}, expected one (front) or two (front and side).")
    if on_failure not in ON_FAILURE:
        raise InputError(f"on_failure: got {on_failure!r}, expected one of {', '.join(ON_FAILURE)}.")
    number("steps", steps, 1, 100, "outline steps")
    if not isinstance(subject, Subject):
        raise InputError(f"subject: got {subject!r}, expected a Subject, such as Subject(stature_m=1.75).")
    return found


def _heard(progress: Callable[[Progress], None] | None) -> Callable[[int, int, str, float], None] | None:
    """Add the seconds left to what the search tells; time never enters the fit."""
    if progress is None:
        return None
    start = time.perf_counter()

    def tell(done: int, total: int, stage: str, loss: float) -> None:
        spent = time.perf_counter() - start
        progress(Progress(done, total, stage, loss, spent / done * (total - done)))

    return tell


def _tone(targets) -> Tone | None:
    """Return the skin tone of the first view whose face shows it."""
    samples = [aim.observation.skin for aim in targets if aim.observation.skin is not None]
    return tone(samples[0]) if samples else None


def _body_block(body: Body, betas: Tensor, covariance: Tensor) -> Block:
    return Block(betas, covariance, "body", body.bases["body"])


def _result(found: MapEstimate, end: PosteriorUpdate, subject: Subject) -> FitResult:
    """Pack the person; the pose and camera kept with it are the first photo's."""
    first, skin = found.cameras[0], _tone(found.targets)
    kept = {"pose": found.state.views[0].pose, "camera_viewmat": first.viewmat, "camera_k": first.K}
    blocks = {"body": _body_block(found.search.body, end.body.betas, end.body.covariance)}
    blocks |= {"skin": Block(skin.srgb, skin.srgb_covariance, "srgb")} if skin else {}
    quality = replace(assess(found, end), skin=skin)
    person = Person(
        blocks, subject.stature_m, kept | {"transl": torch.zeros(3)}, subject.sex, subject.weight_kg,
        uncertainty=of_fit(found, end, quality, subject.weight_kg), provenance={"made_by": "avatarlab.fit"},
    )  # fmt: skip
    return FitResult(person, quality, found.cameras, tuple(view.pose for view in found.state.views), end.readings)
