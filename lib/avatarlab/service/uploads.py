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
from avatarlab.service.jobs import MISSING, PHOTOS, AvatarJob, job_id
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.ssrf import check_url

VIEWS = ("front", "side")
NUMBERS = ("stature_cm", "weight_kg", "arm_down_deg")
MAX_FIELDS, MAX_TEXT, MAX_JSON = 32, 8_192, 65_536
"""Of a form: fields, and bytes of each; bytes of a JSON body."""
CHUNK = 1 << 16
PHOTO_WANTED = "send a JPEG, PNG, WebP or HEIC photo"


@dataclass(frozen=True)
class UploadedPhoto:
    """An uploaded photo, in a file of our own that goes away with the request."""

    key: str
    path: Path
    type: str


@dataclass
class Asked:
    """What a POST asks: the id (its own, or one made here), the job, photos by view."""

    id: str
    job: AvatarJob
    photos: list[UploadedPhoto] = field(default_factory=list)


@contextlib.asynccontextmanager
async def reading(request: Request, settings: ServiceSettings) -> AsyncIterator[Asked]:
    """Read a request for an avatar; refuses with 413, 415, 422."""
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
        async with request.form(max_files=len(VIEWS), max_fields=MAX_FIELDS, max_part_size=MAX_TEXT) as form:
            fields, files = _sorted(form)
            id = _id(fields)
            photos, faults = [], []
            for view, file in files.items():
                photo = await run_in_threadpool(_photo, id, view, file.file, folder, settings.photo_mb)
                (faults if isinstance(photo, Fault) else photos).append(photo)
            if faults:
                raise HTTPRefusal(422, faults)
            return _asked({**fields, "id": id}, photos, settings)
    except HTTPException as error:  # of Starlette's parser
        raise refused(422, f"{str(error.detail).rstrip('.')}.", "body") from None


def _sorted(form: FormData) -> tuple[dict[str, Any], dict[str, UploadFile]]:
    """-> text fields as JSON would have them, photos by view; empty ones, as browsers send them, count as not given."""
    fields: dict[str, Any] = {}
    files: dict[str, UploadFile] = {}
    faults = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name in files or name not in VIEWS:
                faults.append(
                    Fault(field=plain(name[:80]), message="expected one file each, named front and side")
                )
            elif value.size or value.filename:
                files[name] = value
        elif name == "definitions":
            fields.setdefault(name, []).extend(one for one in re.split(r"[\s,]+", value) if one)
        elif name in fields or name in VIEWS:
            message = "given more than once" if name in fields else f"expected a file: {PHOTO_WANTED}"
            faults.append(Fault(field=plain(name[:80]), message=message))
        elif value:
            fields[name] = _number(value) if name in NUMBERS else value
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


def _photo(id: str, view: str, file: BinaryIO, folder: Path, limit_mb: int) -> UploadedPhoto | Fault:
    """Copy an upload to a file of ours; nothing of its name or its declared type is used."""
    head = file.read(32)
    found = picture(head)
    if not found:
        return Fault(field=view, message=f"this is not a photo we can read; {PHOTO_WANTED}")
    ending, kind = found
    digest, size, path = hashlib.sha256(), 0, folder / view
    with open(path, "xb") as out:
        for chunk in _chunks(head, file):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
    if size > limit_mb * 1_000_000:
        return Fault(field=view, message=f"larger than {limit_mb} MB; send a smaller photo")
    return UploadedPhoto(photo_key(id, view, digest.hexdigest(), ending), path, kind)


def _chunks(head: bytes, file: BinaryIO) -> Iterator[bytes]:
    yield head
    while chunk := file.read(CHUNK):
        yield chunk


def picture(head: bytes) -> tuple[str, str] | None:
    """File ending and media type by the first bytes; None for what is none of the four formats. Not a decoder."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg", "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png", "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp", "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in (
        b"heic",
        b"heix",
        b"heim",
        b"heis",
        b"hevc",
        b"hevx",
        b"mif1",
        b"msf1",
    ):
        return "heic", "image/heic"
    return None


def photo_key(id: str, view: str, sha256: str, ending: str) -> str:
    """Key of an upload: says what is in it, and is never used twice.

    So a request that fails can remove its own photos and no other's, even where the same one was sent twice at once.
    """
    return f"{PHOTOS}/{id}/{view}-{sha256[:16]}-{secrets.token_hex(4)}.{ending}"


def same(id: str, one: AvatarJob, other: AvatarJob) -> bool:
    """Whether two jobs of one id ask the same, photos compared by content where they were uploaded here."""
    form = re.compile(rf"({PHOTOS}/{id}/\w+-[0-9a-f]{{16}})-[0-9a-f]{{8}}(\.\w+)")

    def bare(job: AvatarJob) -> dict:
        keys = {f"{view}_key": form.sub(r"\1\2", key) for view, key in job.photo_keys.items()}
        return job.model_dump() | keys

    return bare(one) == bare(other)


def _asked(fields: Mapping[str, Any], photos: list[UploadedPhoto], settings: ServiceSettings) -> Asked:
    fields = dict(fields)
    id = _id(fields)
    faults = []
    for photo in photos:
        name = f"{photo.path.name}_key"
        if fields.get(name) is not None:
            faults.append(Fault(field=name, message=f"give either {photo.path.name} or its key, not both"))
        fields[name] = photo.key
    try:
        job = AvatarJob.model_validate(fields)
    except ValidationError as error:
        faults += [_of_form(one) for one in wrong_fields(error)]
    if not faults and job.callback_url:
        try:
            check_url(job.callback_url, settings)
        except InputError as error:
            faults.append(sentence(error, "callback_url"))
    if faults:
        raise HTTPRefusal(422, faults)
    return Asked(id, job, photos)


def _of_form(fault: Fault) -> Fault:
    """A missing key is, to whoever sends a form, a missing photo."""
    if fault.field == "front_key" and fault.message == MISSING:
        return Fault(
            field="front", message="no front photo: send the file front, or front_key for one in the bucket"
        )
    return fault
