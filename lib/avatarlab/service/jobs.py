"""The words of the service: what a job asks, what is told of it, where its results lie.

``python -m avatarlab.service.jobs`` prints the JSON Schema of a job, published as docs/avatar_job.schema.json.
"""

import json
import sys
import unicodedata
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SerializeAsAny,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from avatarlab.core.errors import InputError
from avatarlab.service.kinds import DEFAULT, Job, JobKind, kind_in, kind_named, stages

AVATARS, PHOTOS = "avatars", "photos"
"""Results lie under avatars/<id>/, uploaded photos under photos/<id>/."""
MANIFEST = "manifest.json"
"""Written last: where it is, an avatar is whole."""
MAX_KEY, MAX_SHOWN = 512, 80
MISSING = "is missing"


class Unavailable(Exception):
    """Queue or storage cannot be reached now; worth trying again."""


def job_id(text: str) -> str:
    """Return a job's id in its one form (lower case, hyphens); InputError for anything but a UUID."""
    try:
        found = str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        found = ""
    if not found or found != str(text).lower():
        raise InputError(f"id: got {str(text)[:80]!r}, expected a UUID such as {uuid.UUID(int=7 << 64)}.")
    return found


def plain_key(key: str) -> str:
    """Return the key of an object; ValueError for what could lead out of the bucket or a folder."""
    printable = all(unicodedata.category(char)[0] != "C" for char in key)
    if not printable or "\\" in key or not 0 < len(key.encode()) <= MAX_KEY:
        raise ValueError(f"expected 1 to {MAX_KEY} printable bytes without backslash")
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise ValueError("expected a key such as photos/anna/front.jpg, without empty parts, '.' or '..'")
    return key


def object_key(key: str) -> str:
    """Return the key of a photo in the bucket; ValueError for what could lead out of it or into results."""
    if plain_key(key).split("/")[0] == AVATARS:
        raise ValueError(f"{AVATARS}/ holds results; put photos elsewhere, such as under {PHOTOS}/")
    return key


def _shown(text: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise ValueError("expected text without control characters")
    return text


def _number(value: Any) -> Any:
    """JSON's true is no stature."""
    if isinstance(value, bool | str):
        raise ValueError("expected a number")
    return value


_KEY_FORM = r"^(?!avatars(/|$))(?!(.*/)?\.{1,2}(/|$))[^/\\\x00-\x1f\x7f-\x9f]+(/[^/\\\x00-\x1f\x7f-\x9f]+)*$"
"""What a pattern can say of ``object_key`` in JavaScript's and Python's dialect alike."""


def between(low: float, high: float, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "number", "minimum": low, "maximum": high, **more})


Key = Annotated[
    str,
    AfterValidator(object_key),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": _KEY_FORM}),
]
Number = Annotated[float, BeforeValidator(_number)]
SubjectName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_shown)]
CallbackURL = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s]+$")]


def read_job(data: Any) -> Job:
    """A job of any known kind from what lay in the queue; InputError with one sentence that names every wrong field."""
    if not isinstance(data, Mapping):
        raise InputError(
            f"job: got {type(data).__name__}, expected an object with subject, front_key, stature_cm."
        )
    kind, fields = kind_in(data)
    try:
        return kind.job.model_validate(fields)
    except ValidationError as error:
        text = "; ".join(f"{field}: {words}" for field, words in faults_of(error))
        raise InputError(f"job: {text}{'' if text.endswith(('.', '?')) else '.'}") from None


AnyJob = Annotated[
    SerializeAsAny[Job], BeforeValidator(lambda job: job if isinstance(job, Job) else read_job(job))
]
"""A job of any kind as a field of messages, records and manifests."""


def caller_of(data: Any) -> tuple[JobKind, str, str | None]:
    """Kind, subject and callback of a job whose other fields may be wrong; what is wrong itself is the default or empty."""
    asked = data if isinstance(data, Mapping) else {}
    try:
        kind, _ = kind_in(asked)
    except InputError:
        kind = kind_named(DEFAULT)
    subject, url = (_field(kind, name, asked.get(name)) for name in ("subject", "callback_url"))
    return kind, subject or "", url


def _field(kind: JobKind, name: str, value: Any) -> Any:
    """One field of a kind's job by itself; None where it is wrong."""
    known = kind.job.model_fields[name]
    form = Annotated[(known.annotation, *known.metadata)] if known.metadata else known.annotation
    try:
        return TypeAdapter(form).validate_python(value)
    except ValidationError:
        return None


def faults_of(error: ValidationError) -> list[tuple[str, str]]:
    """Each wrong field and what is wrong with it, what came cut short."""
    return [_fault(one) for one in error.errors(include_url=False, include_context=False)]


def _fault(one) -> tuple[str, str]:
    field = ".".join(str(part)[:MAX_SHOWN] for part in one["loc"])
    known = {"extra_forbidden": "there is no such field", "missing": MISSING}
    if one["type"] in known:
        return field, known[one["type"]]
    words = one["msg"].removeprefix("Value error, ")
    if words.startswith(f"{field}: "):  # says already what came
        return field, words.removeprefix(f"{field}: ")
    return field, f"{words[:1].lower()}{words[1:].rstrip('.')} (got {repr(one['input'])[:MAX_SHOWN]})"


def _known_stage(stage: str) -> str:
    if stage not in stages():
        raise ValueError("expected a stage of a known kind of job")
    return stage


class JobProgress(BaseModel):
    """How far a job is: what is being done, and percent of the whole."""

    stage: Annotated[str, AfterValidator(_known_stage)] = Field(
        json_schema_extra=lambda one: one.update(enum=stages())
    )
    percent: int = Field(ge=0, le=100)


class File(BaseModel):
    """One result as stored."""

    sha256: str
    bytes: int
    type: str


class Manifest(BaseModel):
    """``manifest.json``: what an avatar consists of. No time or place in it: equal jobs give equal bytes."""

    form: Literal["avatarlab.manifest/1"] = "avatarlab.manifest/1"
    id: str
    job: AnyJob
    placeholder: bool
    reasons: list[str] = Field(description="why it is a placeholder; empty otherwise")
    warnings: list[str]
    files: dict[str, File]
    made_by: dict[str, str] = Field(description="version of avatarlab, sha256 of the body file, form of weights")

    def data(self) -> bytes:
        """The file's bytes."""
        return (
            json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False) + "\n"
        ).encode()


def result_key(id: str, name: str = "") -> str:
    """Key of a result of job ``id`` (already checked); without a name the prefix of all."""
    return f"{AVATARS}/{id}/{name}"


class Event(BaseModel):
    """The body of a callback, and what identifies it: ``key`` stays the same over retries and re-runs."""

    type: str = Field(pattern=r"^[a-z][a-z0-9_]*\.(completed|failed)$", description="the kind and how it ended")
    id: str
    subject: str
    url: str = Field(description="of the API: state, fresh links, measurements")
    manifest: str | None = Field(None, description="key of the manifest in the bucket, if completed")
    placeholder: bool = False
    reason: str | None = Field(None, description="why it failed, in a sentence, or why it is a placeholder")

    @property
    def key(self) -> str:
        """Id of the callback: webhook-id, and id of its job in the callback queue."""
        return f"cb_{self.id}_{self.type.rpartition('.')[2]}"


State = Literal["waiting", "active", "delayed", "completed", "failed"]


class Ticket(BaseModel):
    """What is known of a job."""

    id: str
    state: State
    job: AnyJob | None = None
    progress: JobProgress | None = None
    reason: str | None = Field(None, description="why it failed, or why it is tried again")
    tries: int = 0
    seconds: float | None = Field(None, description="from being taken up to the manifest, of a completed job")


def schema() -> str:
    """JSON Schema (2020-12) of a job, as text."""
    made = kind_named(DEFAULT).job.model_json_schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": made.pop("title")}
    return json.dumps(head | made, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
