"""From a POST to a job: fields and photos of a form or of JSON, each refusal precise, no photo ever decoded here."""

import contextlib
import hashlib
import json
import re
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from avatarlab.core.errors import InputError
from avatarlab.service.http_errors import Fault, HTTPRefusal, plain, refused, sentence, wrong_fields
from avatarlab.service.jobs import MISSING, PHOTOS, job_id
from avatarlab.service.kinds import Job, JobKind, Upload, kind_in, most_uploads
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.ssrf import check_url

MAX_FIELDS, MAX_TEXT, MAX_JSON = 32, 8_192, 65_536
"""Of a form: fields, and bytes of each; bytes of a JSON body."""
CHUNK = 1 << 16


@dataclass(frozen=True)
class UploadedFile:
    """An uploaded input file, in a file of our own that goes away with the request."""

    key: str
    path: Path
    type: str


@dataclass
class Asked:
    """What a POST asks: the id (its own, or one made here), the job, its uploaded files."""

    id: str
    job: Job
    files: list[UploadedFile] = field(default_factory=list)


@contextlib.asynccontextmanager
async def reading(request: Request, settings: ServiceSettings) -> AsyncIterator[Asked]:
    """Read a request for a job; refuses with 413, 415, 422."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        yield _asked(await _json(request), [], settings)
    elif kind == "multipart/form-data":
        with request.app.state.scratch.folder() as folder:
            yield await _form(request, folder, settings)
    else:
        raise refused(415, "send multipart/form-data with photos, or application/json with keys.", "Content-Type")


async def _json(request: Request) -> dict[str, Any]:
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_JSON:
            raise refused(413, f"more than {MAX_JSON} bytes of JSON; photos go by key or as a form.", "body")
    try:
        found = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise refused(422, "not valid JSON.", "body") from None
    if not isinstance(found, dict):
        raise refused(422, "expected a JSON object with subject, front_key, stature_cm.", "body")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


async def _form(request: Request, folder: Path, settings: ServiceSettings) -> Asked:
    try:
        async with request.form(max_files=most_uploads(), max_fields=MAX_FIELDS, max_part_size=MAX_TEXT) as form:
            kind, _ = _kind({"kind": form["kind"]} if form.get("kind") else {})
            fields, uploads = _sorted(form, kind)
            id = _id(fields)
            files, faults = [], []
            for name, upload in uploads.items():
                one = name, kind.uploads[name]
                file = await run_in_threadpool(_copied, id, *one, upload.file, folder, settings.photo_mb)
                (faults if isinstance(file, Fault) else files).append(file)
            if faults:
                raise HTTPRefusal(422, faults)
            return _asked({**fields, "id": id}, files, settings)
    except HTTPException as error:  # of Starlette's parser
        raise refused(422, f"{str(error.detail).rstrip('.')}.", "body") from None


def _kind(fields: Mapping[str, Any]) -> tuple[JobKind, dict[str, Any]]:
    """The kind that fields ask for, and the fields as its class takes them."""
    try:
        return kind_in(fields)
    except InputError as error:
        raise HTTPRefusal(422, [sentence(error, "kind")]) from None


def _sorted(form: FormData, kind: JobKind) -> tuple[dict[str, Any], dict[str, UploadFile]]:
    """-> text fields as JSON would have them, files by name; empty ones, as browsers send them, count as not given."""
    fields: dict[str, Any] = {}
    files: dict[str, UploadFile] = {}
    faults = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name in files or name not in kind.uploads:
                faults.append(
                    Fault(
                        field=plain(name[:80]),
                        message=f"expected one file each, named {' and '.join(kind.uploads)}",
                    )
                )
            elif value.size or value.filename:
                files[name] = value
        elif "array" in kind.types.get(name, ()):
            fields.setdefault(name, []).extend(one for one in re.split(r"[\s,]+", value) if one)
        elif name in fields or name in kind.uploads:
            twice = name in fields
            message = "given more than once" if twice else f"expected a file: {kind.uploads[name].remedy}"
            faults.append(Fault(field=plain(name[:80]), message=message))
        elif value:
            fields[name] = _number(value) if "number" in kind.types.get(name, ()) else value
    if faults:
        raise HTTPRefusal(422, faults)
    return {name: value for name, value in fields.items() if value != []}, files


def _number(text: str) -> float | str:
    """Text that is no number stays as it is: the job's own check says so."""
    try:
        return float(text)
    except ValueError:
        return text


def _id(fields: dict[str, Any]) -> str:
    """Take the id out of the fields, or make one."""
    given = fields.pop("id", None)
    try:
        return str(uuid.uuid4()) if given is None else job_id(given)
    except InputError as error:
        raise HTTPRefusal(422, [sentence(error, "id")]) from None


def _copied(
    id: str, name: str, upload: Upload, file: BinaryIO, folder: Path, limit_mb: int
) -> UploadedFile | Fault:
    """Copy an upload to a file of ours; nothing of its name or its declared type is used."""
    head = file.read(32)
    found = upload.sniff(head)
    if not found:
        return Fault(field=name, message=f"this is not a {upload.noun} we can read; {upload.remedy}")
    ending, type = found
    digest, size, path = hashlib.sha256(), 0, folder / name
    with open(path, "xb") as out:
        for chunk in _chunks(head, file):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
    if size > limit_mb * 1_000_000:
        return Fault(field=name, message=f"larger than {limit_mb} MB; send a smaller {upload.noun}")
    return UploadedFile(upload_key(id, name, digest.hexdigest(), ending), path, type)


def _chunks(head: bytes, file: BinaryIO) -> Iterator[bytes]:
    yield head
    while chunk := file.read(CHUNK):
        yield chunk


def upload_key(id: str, name: str, sha256: str, ending: str) -> str:
    """Key of an upload: says what is in it, and is never used twice.

    So a request that fails can remove its own photos and no other's, even where the same one was sent twice at once.
    """
    return f"{PHOTOS}/{id}/{name}-{sha256[:16]}-{secrets.token_hex(4)}.{ending}"


def same(id: str, one: Job, other: Job) -> bool:
    """Whether two jobs of one id ask the same, input files compared by content where they were uploaded here."""
    form = re.compile(rf"({PHOTOS}/{id}/\w+-[0-9a-f]{{16}})-[0-9a-f]{{8}}(\.\w+)")

    def bare(job: Job) -> dict:
        keys = {f"{name}_key": form.sub(r"\1\2", key) for name, key in job.input_keys.items()}
        return job.model_dump() | keys

    return bare(one) == bare(other)


def _asked(fields: Mapping[str, Any], files: list[UploadedFile], settings: ServiceSettings) -> Asked:
    kind, fields = _kind(fields)
    id = _id(fields)
    faults = []
    for file in files:
        name = f"{file.path.name}_key"
        if fields.get(name) is not None:
            faults.append(Fault(field=name, message=f"give either {file.path.name} or its key, not both"))
        fields[name] = file.key
    try:
        job = kind.job.model_validate(fields)
    except ValidationError as error:
        faults += [_of_form(one, kind) for one in wrong_fields(error)]
    if not faults and job.callback_url:
        try:
            check_url(job.callback_url, settings)
        except InputError as error:
            faults.append(sentence(error, "callback_url"))
    if faults:
        raise HTTPRefusal(422, faults)
    return Asked(id, job, files)


def _of_form(fault: Fault, kind: JobKind) -> Fault:
    """A missing key is, to whoever sends a form, a missing file."""
    name = fault.field.removesuffix("_key")
    if fault.message == MISSING and name != fault.field and name in kind.uploads:
        message = f"no {name} {kind.uploads[name].noun}: send the file {name}, or {name}_key for one in the bucket"
        return Fault(field=name, message=message)
    return fault
