"""Kinds of job: what each asks, what makes it, and in which stages. Light to import: the models come in the child process.

``avatar`` is built in. A further kind is a ``JobKind`` in an importable module, named in the setting JOB_KINDS as
``module:NAME``; queue, worker, child process, manifest and API know kinds by this registry alone.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any

from pydantic import BaseModel, ConfigDict

from avatarlab.core.errors import InputError

DEFAULT = "avatar"
"""The kind of a job that names none."""
BUILT_IN = ("avatarlab.service.avatar:AVATAR",)
FIRST_STAGES, LAST_STAGE = ("download", "load"), "upload"
"""Stages of every job, before and after those of its kind."""
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What a kind may be called: events and jobs in the queue carry its name."""


class Job(BaseModel):
    """What a producer asks for. A kind's own class has at least ``subject`` (text, shown and never interpreted) and
    ``callback_url`` (text or None); every field ``<name>_key`` is the key of an input file in the bucket. Classes of
    other kinds than the default have a field ``kind``, a Literal of its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def input_keys(self) -> dict[str, str]:
        """Name of each input file that the job has -> its key."""
        keys = {name: getattr(self, name) for name in type(self).model_fields if name.endswith("_key")}
        return {name.removesuffix("_key"): key for name, key in keys.items() if key is not None}


@dataclass(frozen=True)
class Upload:
    """A file that a form may carry: ``sniff``, its first bytes -> (file ending, media type) or None for what the kind
    cannot use (no decoder); ``noun`` and ``remedy`` for the sentence that refuses it."""

    sniff: Callable[[bytes], tuple[str, str] | None]
    noun: str
    remedy: str


@dataclass(frozen=True)
class JobKind:
    """One kind of job.

    ``load``: ``module:name`` of ``load(settings) -> Handler``, called in the child process only. ``stages``: what its
    handler reports between FIRST_STAGES and LAST_STAGE. ``artifacts``: files without which a result is not whole. ``uploads``: what a
    form may carry, by name of the input file.
    """

    name: str
    job: type[Job]
    load: str
    stages: tuple[str, ...]
    artifacts: tuple[str, ...] = ()
    uploads: Mapping[str, Upload] = field(default_factory=dict)

    @cached_property
    def types(self) -> dict[str, frozenset[str]]:
        """Name of each of the job's fields -> the JSON types that it takes, worked out once."""
        properties = self.job.model_json_schema()["properties"].items()
        return {
            name: frozenset(part.get("type") for part in (one, *one.get("anyOf", ()))) for name, one in properties
        }


_KINDS: dict[str, JobKind] = {}


def most_uploads() -> int:
    """How many files a form may carry at most, whatever its kind."""
    return max((len(kind.uploads) for kind in _KINDS.values()), default=0)


def stages() -> list[str]:
    """The stages of all known kinds, each once, in the order in which a job goes through them."""
    kind_named(DEFAULT)  # known at the latest now
    return [*dict.fromkeys((*FIRST_STAGES, *(one for kind in _KINDS.values() for one in kind.stages), LAST_STAGE))]


def resolve(place: str) -> Any:
    """What stands at ``module:name``; InputError where there is nothing."""
    module, _, name = place.partition(":")
    try:
        return reduce(getattr, name.split("."), importlib.import_module(module))
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{place}: cannot be imported ({error}).") from None


def register(places: str = "") -> None:
    """Make the built-in kinds and those at ``places`` (``module:NAME``, separated by commas) known; again is harmless."""
    for place in (*BUILT_IN, *filter(None, (one.strip() for one in places.split(",")))):
        found = resolve(place)
        if not isinstance(found, JobKind):
            raise InputError(f"{place}: got {type(found).__name__}, expected a JobKind.")
        if not NAME.fullmatch(found.name):
            raise InputError(
                f"{place}: its name is {found.name!r}, expected small letters, digits and underscores."
            )
        if found.name != DEFAULT and "kind" not in found.job.model_fields:
            raise InputError(f"{place}: its job class has no field kind, a Literal of {found.name!r}.")
        _KINDS[found.name] = found


def kind_named(name: Any) -> JobKind:
    """The kind of a name, of which anything may have come from outside; InputError lists those that are known."""
    if DEFAULT not in _KINDS:
        register()
    if not isinstance(name, str) or name not in _KINDS:
        raise InputError(f"kind: got {str(name)[:80]!r}, expected one of {', '.join(sorted(_KINDS))}.")
    return _KINDS[name]


def kind_in(data: Mapping[str, Any]) -> tuple[JobKind, dict[str, Any]]:
    """The kind that a job's fields ask for, and the fields as its class takes them."""
    found = kind_named(data.get("kind", DEFAULT))
    return found, {name: value for name, value in data.items() if name != "kind" or found.name != DEFAULT}


def kind_of(job: Job) -> JobKind:
    """The kind of a job."""
    return kind_named(getattr(job, "kind", DEFAULT))


class Handlers:
    """The handlers that one child process holds: the default kind's loaded at once, others with their first job."""

    def __init__(self, settings):
        self._settings, self._loaded = settings, {}

    @classmethod
    def load(cls, settings) -> "Handlers":
        """Load what the default kind needs (seconds); InputError names what is missing and the remedy."""
        handlers = cls(settings)
        handlers._handler(kind_named(DEFAULT))
        return handlers

    def _handler(self, kind: JobKind) -> Any:
        """The handler of a kind, loaded where it is not yet."""
        if kind.name not in self._loaded:
            self._loaded[kind.name] = resolve(kind.load)(self._settings)
        return self._loaded[kind.name]

    def make(self, task, report: Callable) -> Any:
        """Fill ``task.out`` by the handler of the job's kind; InputError where its inputs or the job cannot be used."""
        kind = kind_of(task.job)
        try:
            handler = self._handler(kind)
        except InputError as error:  # not the job's fault: it is tried again, here or by another worker
            raise RuntimeError(f"The models of {kind.name} cannot be loaded: {error}") from None
        return handler.make(task, report)
