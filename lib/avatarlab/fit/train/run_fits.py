"""Searching many participants in parallel: one record per person, track and inputs, kept on disk as they come."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from avatarlab import ROOT
from avatarlab.body import Body
from avatarlab.body.model import find
from avatarlab.core.errors import InputError
from avatarlab.core.files import sha256, whole
from avatarlab.core.parallel import Outcome, outcomes
from avatarlab.core.subject import Subject
from avatarlab.fit.estimator.map_estimate import REACHES_M, MapEstimate, search
from avatarlab.fit.estimator.posterior_update import update_posterior
from avatarlab.fit.estimator.quality import assess
from avatarlab.fit.regressor.predict import weights_path
from avatarlab.fit.train.records import FitRecord, load, write_record
from avatarlab.synthetic import Participant, Participants, delivered

log = logging.getLogger(__name__)

INPUTS = ("front", "front_side")


class FitJob(NamedTuple):
    """One person (number in the file) in one track, and the inputs still to be searched."""

    number: int
    track: str
    inputs: tuple[str, ...]


class FitModels(NamedTuple):
    """What a process needs: the body, the participants, and how the search starts."""

    body: Body
    people: Participants
    guess: str | None
    steps: int
    weights: str


def gather(
    people: str | Path,
    records: str | Path,
    splits: Sequence[str] = ("train", "calibration"),
    tracks: Sequence[str] = ("a", "b"),
    inputs: Sequence[str] = INPUTS,
    per_split: Mapping[str, int] | None = None,
    body_file: str | Path | None = None,
    guess: str | None = None,
    steps: int = len(REACHES_M),
    weights: str = "pretrained",
    workers: int | None = None,
    progress: Callable[[Outcome], None] | None = None,
    only_there: bool = False,
) -> list[FitRecord]:
    """Search the participants of a file; return the records of all that were asked for, ordered by their keys.

    ``records`` is a folder that keeps them, one file of JSON lines per participants file, body and way of searching:
    what is there already is not searched again, so a run that was stopped goes on. ``per_split``: how many people of a
    split, the first ones; all where it is silent. ``only_there`` searches nobody. People whom no search finds have no
    record; the log says who and why.
    """
    known = Participants.load(people)
    body_path = find(ROOT / body_file if body_file else None)
    path = Path(records) / f"records_{_origin(people, body_path, guess, steps, weights)}.jsonl"
    done = {one.key: one for one in repaired(path)}
    keys = requested_keys(known, splits, tracks, inputs, per_split)
    jobs = [] if only_there else _jobs(known, keys, set(done))
    given = (str(people), str(body_path), guess, steps, weights)
    with open(path, "a", encoding="utf-8", newline="\n") as file:
        for outcome in outcomes(fit_record, jobs, workers, ready, given) if jobs else ():
            if outcome.error:
                log.warning("%s: %s", _named(known, jobs[outcome.number]), outcome.error)
            for one in outcome.result or ():
                file.write(write_record(one) + "\n")
                done[one.key] = one
            file.flush()
            if progress:
                progress(outcome)
    return [done[key] for key in sorted(keys) if key in done]


def _origin(people, body_path: Path, guess: str | None, steps: int, weights: str) -> str:
    """What makes records comparable: the participants, the body, what the search starts from, how long it goes on."""
    network = weights_path(weights)
    start = "starts" if guess == "starts" or not network.is_file() else sha256(network)[:6]
    return f"{sha256(people)[:8]}_{sha256(body_path)[:6]}_{start}_{steps}"


def repaired(path: Path) -> list[FitRecord]:
    """The records of a file, which a run that was killed may have left with half a line: that is cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = load(path)
    if path.is_file() and not path.read_bytes().endswith(b"\n"):
        with whole(path) as part:
            part.write_text("".join(write_record(one) + "\n" for one in found), encoding="utf-8", newline="\n")
    return found


Key = tuple[str, str, str, str]


def requested_keys(people: Participants, splits, tracks, inputs, per_split: Mapping[str, int] | None) -> set[Key]:
    """Keys of all records that are asked for."""
    if unknown := [one for one in inputs if one not in INPUTS]:
        raise InputError(f"inputs: got {', '.join(unknown)}, expected {' or '.join(INPUTS)}.")
    most = per_split or {}
    chosen = [(split, str(id)) for split in splits for id in people.of(split).arrays["id"][: most.get(split)]]
    return {(split, id, track, kind) for split, id in chosen for track in tracks for kind in inputs}


def _jobs(people: Participants, keys: set[Key], done: set[Key]) -> list[FitJob]:
    """What is left to do, in order of people; all inputs of one person in one track together."""
    order = {str(id): number for number, id in enumerate(people.arrays["id"])}
    left: dict[tuple[int, str], list[str]] = {}
    for _, id, track, kind in sorted(keys - done, key=lambda key: (key[2], order[key[1]], key[3])):
        left.setdefault((order[id], track), []).append(kind)
    return [FitJob(number, track, tuple(kinds)) for (number, track), kinds in left.items()]


def _named(people: Participants, job: FitJob) -> str:
    return f"{people.arrays['id'][job.number]} in track {job.track}"


def ready(people: str, body_path: str, guess: str | None, steps: int, weights: str) -> FitModels:
    """Load what the searches of one process need."""
    return FitModels(Body.load(body_path), Participants.load(people), guess, steps, weights)


def fit_record(models: FitModels, job: FitJob) -> list[FitRecord]:
    """Search one person in one track, for every inputs asked for; InputError where a view shows nobody."""
    one = models.people[job.number]
    views = tuple(view for view in ("front", "side") if any(view in kind for kind in job.inputs))
    shown = dict(zip(views, delivered(one, job.track, models.body, views), strict=True))
    subject, records, ahead = Subject(one.stature_m, sex=one.sex), [], None
    for kind in job.inputs:
        seen = tuple(shown[view] for view in kind.split("_"))
        if any(view is None or any(note.fatal for note in view.findings) for view in seen):
            log.warning("%s, track %s, %s: nobody is found in a photo", one.id, job.track, kind)
            continue
        ahead = search(
            seen, subject, models.body, guess=models.guess, steps=models.steps, weights=models.weights, ahead=ahead
        )
        records.append(_record(one, subject, job.track, kind, ahead))
    return records


def _record(one: Participant, subject: Subject, track: str, kind: str, found: MapEstimate) -> FitRecord:
    """What one search read."""
    end = update_posterior(found, subject, None)
    return FitRecord(
        one.id, one.split, one.sex, track, kind, one.stature_m, one.weight_kg, end.readings,
        one.truth_m, one.row, one.mesh_m, assess(found, end).usable,
    )  # fmt: skip
