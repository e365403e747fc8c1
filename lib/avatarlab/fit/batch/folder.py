"""A folder of people fitted, one by one and resumable: what was finished and has not changed since is kept.

A person's results (person.npz, measurements.json, quality.json, overlay_<view>.png, done.json) appear together under
<out>/<name> or not at all. done.json holds a key over photos, facts, settings, the body file and the learned weights.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from avatarlab.body import Body
from avatarlab.core.errors import InputError
from avatarlab.core.files import publish, remove, sha256, write_json
from avatarlab.core.lock import held
from avatarlab.core.parallel import Outcome, attempt, one_line, one_thread, outcomes
from avatarlab.fit import external, results
from avatarlab.fit.batch.cluster import over_cluster
from avatarlab.fit.batch.people_csv import PersonRow, entries, photos_of
from avatarlab.fit.cases import Case, case, parse_facts
from avatarlab.fit.estimator import posterior
from avatarlab.fit.estimator.map_estimate import REACHES_M
from avatarlab.fit.person import fit_person
from avatarlab.fit.regressor import predict as first
from avatarlab.learn import weights as disk
from avatarlab.photo import decode

FORM = 2
"""Raise it when what is written per person changes: results of another form are made anew."""
DONE, PART, LOGS = "done.json", ".fitting-", ".cluster"
"""The file that marks results as whole; how folders of results in the making begin."""


@dataclass(frozen=True)
class FolderSettings:
    """What holds for everybody: body file, tape definition, seed, outline steps, which weights, whose first guess."""

    body_file: str
    definition: str = "ansur"
    seed: int = 7
    steps: int = len(REACHES_M)
    weights: str = "pretrained"
    regressor: str = "none"


@dataclass(frozen=True)
class FolderJob:
    """One person to fit: facts as written, photos as absolute paths, where the results go, and the key of all that."""

    name: str
    facts: Mapping[str, str]
    photos: Mapping[str, str]
    place: str
    settings: FolderSettings
    key: str

    @property
    def finished(self) -> bool:
        """Whether the results of this very job are there."""
        try:
            return json.loads((Path(self.place) / DONE).read_text(encoding="utf-8"))["key"] == self.key
        except (OSError, ValueError, KeyError, TypeError):
            return False


def fingerprint(settings: FolderSettings) -> str:
    """What everybody's results depend on, as a hash: settings, body file, learned weights."""
    learned = [disk.find(part.NAME, part.STAGE, settings.weights) for part in (first, posterior)]
    parts = {"form": FORM, **asdict(settings), "body_file": sha256(settings.body_file)}
    return _hash(parts | {path.name: sha256(path) for path in learned if path.is_file()})


def job(entry: PersonRow, folder: Path, out: Path, settings: FolderSettings, shared: str) -> FolderJob:
    """The job of an entry; InputError where a photo is missing or leads out of the folder. shared: ``fingerprint``."""
    photos, place = photos_of(entry, folder), out / entry.name
    if place.is_symlink() or place.exists() and not (place / DONE).is_file():
        raise InputError(f"{place} is in the way and no result of a fit; move it, or choose another --out.")
    key = _hash({"shared": shared, "facts": dict(entry.facts), **{v: sha256(p) for v, p in photos.items()}})
    return FolderJob(entry.name, entry.facts, {v: str(p) for v, p in photos.items()}, str(place), settings, key)


def _hash(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def load(settings: FolderSettings) -> tuple[Body, external.ExternalRegressor | None]:
    """What a process needs before its first person."""
    body = Body.load(settings.body_file)
    return body, external.load(settings.regressor, body)


def fit_job(models: tuple[Body, external.ExternalRegressor | None], one: FolderJob) -> None:
    """Fit one person and write the results, whole; InputError says why not. ``models``: see ``load``."""
    person_case = case({"name": one.name, **one.photos, **parse_facts(one.facts)}, decode)
    place = Path(one.place)
    place.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=PART, dir=place.parent))
    try:
        _write(work, *models, person_case, one)
        publish({work: place})
    finally:
        remove(work)


def alone(one: FolderJob) -> str | None:
    """Fit one person in a process of its own, as on a cluster; return the error in one line, or None."""
    with one_thread():
        return attempt(fit_job, load(one.settings), one)[1]


def _write(
    work: Path, body: Body, outsider: external.ExternalRegressor | None, person_case: Case, one: FolderJob
) -> None:
    """Fit and write into ``work``."""
    settings = one.settings
    person = fit_person(
        person_case.photos, person_case.subject, body, regressor=outsider, seed=settings.seed, steps=settings.steps,
        weights=settings.weights,
    )  # fmt: skip
    results.write(work, body, person, [settings.definition], ["overlays"])
    photos = {view: Path(path).name for view, path in one.photos.items()}
    write_json(work / DONE, {"key": one.key, "facts": dict(one.facts), "photos": photos})


@dataclass(frozen=True)
class Status:
    """What became of a person: fitted, kept (finished before) or failed; ``done`` of ``total`` are through."""

    name: str
    state: str
    error: str | None
    done: int
    total: int
    seconds_left: float = 0.0


def statuses(
    folder: Path,
    out: Path,
    settings: FolderSettings,
    given=None,
    workers: int | None = None,
    cluster: str | None = None,
) -> Iterator[Status]:
    """Fit everybody in ``folder`` into ``out``; yield a Fate each: first who cannot be tried or is kept, then the rest.

    ``choose_guess``: facts for whom people.csv does not say them; ``workers``: processes, or jobs at once on a ``cluster``
    (submitit's name of it, "auto" to find out). One run at a time per ``out``.
    """
    people, todo, through = entries(folder, given), [], 0
    shared = fingerprint(settings)
    with _alone_in(out):
        for entry in people:
            state, error, one = _prepared(entry, folder, out, settings, shared)
            todo += [one] if one else []
            through += state is not None
            if state:
                yield Status(entry.name, state, error, through, len(people))
        for end in over_cluster(alone, todo, out / LOGS, cluster, workers) if cluster else _here(todo, workers):
            error = end.error or end.result
            if error:
                remove(Path(todo[end.number].place))  # of other photos or settings, if anything
            state = "failed" if error else "fitted"
            yield Status(
                todo[end.number].name, state, error, through + end.number + 1, len(people), end.seconds_left
            )


def _here(todo: list[FolderJob], workers: int | None) -> Iterator[Outcome]:
    given = (todo[0].settings,) if todo else ()
    return outcomes(fit_job, todo, workers, load, given)


def _prepared(entry: PersonRow, folder, out, settings, shared) -> tuple[str | None, str | None, FolderJob | None]:
    """Return (state, error, job): state kept or failed if there is nothing to do, else the job."""
    try:
        one = job(entry, folder, out, settings, shared)
    except (InputError, OSError) as error:
        if (out / entry.name / DONE).is_file():
            remove(out / entry.name)
        return "failed", one_line(error), None
    return ("kept", None, None) if one.finished else (None, None, one)


@contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Hold ``out`` for this run, and clear away what an interrupted one left half made."""
    if out.is_symlink():
        raise InputError(f"{out}: a link; results are written into a folder, give it with --out.")
    out.mkdir(parents=True, exist_ok=True)
    with held(out / ".lock", f"{out}: another run is writing there; wait for it or stop it."):
        try:
            _sweep(out)
            yield
        finally:
            _sweep(out)


def _sweep(out: Path) -> None:
    for left in out.glob(f"{PART}*"):
        remove(left)
