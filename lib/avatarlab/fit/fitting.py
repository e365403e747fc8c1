"""``fit``: one or two observations and a stature in, a Person and a quality report out."""

import logging
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps

import torch
from torch import Tensor

from avatarlab.body import Block, Body, Person, poses
from avatarlab.core.errors import InputError, number
from avatarlab.core.parallel import one_thread
from avatarlab.core.subject import ON_FAILURE, Subject
from avatarlab.fit.estimator import shape, uncertainty
from avatarlab.fit.estimator.map_estimate import REACHES_M, Found, search
from avatarlab.fit.estimator.posterior_update import Concluded, concluded, learned
from avatarlab.fit.estimator.quality import Quality, judged
from avatarlab.fit.estimator.readings import Readings
from avatarlab.fit.regressor.predict import Guess
from avatarlab.photo import Observation
from avatarlab.photo.tone import Tone, tone
from avatarlab.render import Camera

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
        told = {name: given.pop(name) for name in ("stature_m", "weight_kg", "sex") if name in given}
        if told:
            said = "fit: stature_m, weight_kg and sex are deprecated; pass subject=Subject(...)."
            warnings.warn(said, DeprecationWarning, stacklevel=2)
            given["subject"] = Subject(**told)
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
    posterior = learned(body, weights)
    quality, reasons = None, [note.sentence for one in observations for note in one.findings if note.fatal]
    if not reasons:
        with one_thread():
            found = search(observations, subject, body, seed, guess, _heard(progress), steps, weights)
            result = _result(found, concluded(found, subject, posterior), subject)
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
    covariance = shape.given_stature(prior.covariance, stature.slope(betas)[1])
    return Person(
        {"body": _body_block(body, betas, covariance)}, subject.stature_m, placeholder=True, sex=subject.sex,
        state={"pose": poses.standing(), "transl": torch.zeros(3)},
        uncertainty=uncertainty.of_average(body, betas, covariance, subject.stature_m),
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


def _result(found: Found, end: Concluded, subject: Subject) -> FitResult:
    """Pack the person; the pose and camera kept with it are the first photo's."""
    first, skin = found.cameras[0], _tone(found.targets)
    kept = {"pose": found.state.views[0].pose, "camera_viewmat": first.viewmat, "camera_k": first.K}
    blocks = {"body": _body_block(found.search.body, end.body.betas, end.body.covariance)}
    blocks |= {"skin": Block(skin.srgb, skin.srgb_covariance, "srgb")} if skin else {}
    quality = replace(judged(found, end), skin=skin)
    person = Person(
        blocks, subject.stature_m, kept | {"transl": torch.zeros(3)}, subject.sex, subject.weight_kg,
        uncertainty=uncertainty.of_fit(found, end, quality, subject.weight_kg), provenance={"made_by": "avatarlab.fit"},
    )  # fmt: skip
    return FitResult(person, quality, found.cameras, tuple(view.pose for view in found.state.views), end.readings)
