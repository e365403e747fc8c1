"""The registry of kinds refuses what cannot be one, and a job's word for what is none."""

import sys
import types
from pathlib import Path
from typing import Literal

import pytest
from pydantic import ValidationError

from avatarlab.core.errors import InputError
from avatarlab.service import kinds, processing
from avatarlab.service.avatar import AVATAR, AvatarJob
from avatarlab.service.jobs import CallbackURL, JobProgress, Key, SubjectName, caller_of, read_job
from avatarlab.service.kinds import Handlers, Job, JobKind, register
from avatarlab.service.messages import Artifacts, Task
from avatarlab.service.settings import ServiceSettings

URL = "https://shop.example/told"


class FilmJob(Job):
    kind: Literal["film"] = "film"
    subject: SubjectName
    speech_key: Key
    seconds: float = 1.0
    tags: list[str] = []
    callback_url: CallbackURL | None = None


FILM = JobKind("film", FilmJob, "some_kinds:load", ("talk",), ("film.mp4",))


@pytest.fixture
def some(monkeypatch) -> types.ModuleType:
    """An importable module of kinds; what is registered of it is forgotten again."""
    module = types.ModuleType("some_kinds")
    module.FILM = FILM
    monkeypatch.setitem(sys.modules, "some_kinds", module)
    monkeypatch.setattr(kinds, "_KINDS", dict(kinds._KINDS))
    return module


def test_a_registered_kind_reads_its_jobs_and_the_default_stays(some):
    register(" some_kinds:FILM, ")
    film = read_job({"kind": "film", "subject": "anna", "speech_key": "a/b.wav"})
    assert kinds.kind_of(film) is FILM and film.input_keys == {"speech": "a/b.wav"}
    avatar = {"subject": "anna", "front_key": "a.jpg", "side_key": None, "stature_cm": 170}
    assert read_job(avatar) == read_job({"kind": "avatar", **avatar}) == AvatarJob(**avatar)
    assert read_job(avatar).input_keys == {"front": "a.jpg"} and "kind" not in read_job(avatar).model_dump()


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("no_such_module:FILM", "cannot be imported"),
        ("some_kinds:NONE", "cannot be imported"),
        ("some_kinds", "cannot be imported"),
        ("some_kinds:WORD", "expected a JobKind"),
        ("some_kinds:NAMELESS", "its name is 'Film-1'"),
        ("some_kinds:UNSAID", "no field kind"),
    ],
)
def test_what_is_no_kind_is_refused(some, place, why):
    some.WORD = "film"
    some.NAMELESS = JobKind("Film-1", FilmJob, "x:y", ())
    some.UNSAID = JobKind("other", AvatarJob, "x:y", ())
    before = dict(kinds._KINDS)
    with pytest.raises(InputError, match=f"^{place}: .*{why}"):
        register(place)
    assert {*kinds._KINDS} == {*before, "avatar"}


@pytest.mark.parametrize("kind", ["film", "", None, 7, [], {}, ["avatar"], True])
def test_a_kind_that_is_none_is_refused_whatever_it_is(kind):
    with pytest.raises(InputError, match="^kind: got .*, expected one of avatar"):
        read_job({"kind": kind, "subject": "x", "front_key": "a.jpg", "stature_cm": 170})


def test_progress_names_a_stage_of_a_known_kind(some):
    assert kinds.stages() == ["download", "load", "observe", "fit", "measure", "export", "upload"]
    with pytest.raises(ValidationError):
        JobProgress(stage="talk", percent=5)
    register("some_kinds:FILM")
    assert JobProgress(stage="talk", percent=5).stage == "talk" and kinds.stages()[-2:] == ["talk", "upload"]
    assert JobProgress.model_json_schema()["properties"]["stage"]["enum"] == kinds.stages()


def test_fields_know_their_types_for_forms():
    assert {name for name, types in AVATAR.types.items() if "number" in types} == {
        "stature_cm", "weight_kg", "arm_down_deg",
    }  # fmt: skip
    assert {name for name, types in AVATAR.types.items() if "array" in types} == {"definitions"}
    assert {name for name, types in FILM.types.items() if types & {"number", "array"}} == {"seconds", "tags"}


def test_a_failed_job_is_told_of_by_its_own_kind(some):
    register("some_kinds:FILM")
    kind, subject, url = caller_of({"kind": "film", "subject": "anna", "callback_url": URL, "seconds": "long"})
    assert (kind.name, subject, url) == ("film", "anna", URL)
    kind, subject, url = caller_of({"kind": ["film"], "subject": 7, "callback_url": URL})
    assert (kind.name, subject, url) == ("avatar", "", URL)
    assert caller_of("nothing")[1:] == ("", None)


def test_a_result_without_its_artifacts_is_not_whole(tmp_path):
    (tmp_path / "note.txt").write_text("x")
    made = Artifacts({"note.txt": "text/plain"}, False, [], [], {}, {})
    assert set(processing._described(tmp_path, made)) == {"note.txt"}
    with pytest.raises(ValueError, match=r"The child made no film\.mp4\."):
        processing._described(tmp_path, made, FILM.artifacts)


def test_handlers_are_loaded_once_and_with_their_first_job(some):
    loads = []
    some.load = lambda settings: loads.append(settings) or types.SimpleNamespace(make=lambda task, report: "made")
    register("some_kinds:FILM")
    settings = ServiceSettings(_env_file=None)
    handlers, job = Handlers(settings), FilmJob(subject="anna", speech_key="a.wav")
    task = Task(job, {}, Path("out"))
    assert (
        loads == [] and handlers.make(task, print) == "made" == handlers.make(task, print) and loads == [settings]
    )


def test_models_that_do_not_load_are_not_the_jobs_fault(some):
    def load(settings):
        raise InputError("weights: no such file.")

    some.load = load
    register("some_kinds:FILM")
    handlers = Handlers(ServiceSettings(_env_file=None))
    with pytest.raises(RuntimeError, match="models of film cannot be loaded: weights: no such file"):
        handlers.make(Task(FilmJob(subject="anna", speech_key="a.wav"), {}, Path("out")), print)
