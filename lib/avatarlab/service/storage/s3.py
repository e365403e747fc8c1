"""Storage in a bucket of an S3-compatible server, through the minio client with timeouts of seconds."""

import contextlib
import io
import os
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error

from avatarlab.service.jobs import Unavailable
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage.client import connect
from avatarlab.service.storage.interface import CHUNK, Opening, attachment, checked, checked_life, checked_prefix

ABSENT = ("NoSuchKey", "NoSuchObject", "ResourceNotFound")
PROBE_S = 3.0
"""How long ``ready`` waits for an answer."""
PART = 64 << 20
"""Bytes sent in one request: what is smaller leaves no parts of an upload behind when we die."""
REFUSED = {
    "AccessDenied": "the access key may not do this",
    "SignatureDoesNotMatch": "access key and secret key do not fit each other",
    "InvalidAccessKeyId": "the access key is unknown",
    "AuthorizationHeaderMalformed": "the region or the access key is wrong",
    "NoSuchBucket": "the bucket is not there",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
}
"""S3's word for what an operator got wrong -> ours."""


def open_storage(settings: ServiceSettings) -> "S3Storage":
    """The bucket that ``settings`` name; InputError where they cannot be used. Nothing is asked of the server yet."""
    return S3Storage(settings)


class S3Storage(Opening):
    """``Storage`` over one bucket, which is made at its first use if it is not there."""

    def __init__(self, settings: ServiceSettings):
        self._bucket = settings.s3_bucket
        self._where = f"storage {settings.s3_endpoint}, bucket {settings.s3_bucket}"
        self._client = connect(settings, settings.s3_endpoint)
        self._probe = connect(settings, settings.s3_endpoint, PROBE_S, tries=1)
        self._signer = connect(settings, settings.s3_public_endpoint or settings.s3_endpoint)
        self._there = False

    def store(self, key: str, path: Path, content_type: str) -> None:
        """Upload a file."""
        with open(path, "rb") as file:
            self._put(key, file, os.fstat(file.fileno()).st_size, content_type)

    def write(self, key: str, data: bytes, content_type: str) -> None:
        """Upload bytes."""
        self._put(key, io.BytesIO(data), len(data), content_type)

    def open(self, key: str) -> tuple["ObjectStream", int, str] | None:
        """Chunks, size and content type of an object, or None."""
        checked(key)
        with self._asking():
            self._make()
            try:
                answer = self._client.get_object(self._bucket, key)
            except S3Error as error:
                if error.code in ABSENT:
                    return None
                raise
            size = int(answer.headers["content-length"])
        kind = answer.headers.get("content-type", "application/octet-stream")
        return ObjectStream(answer, self._asking), size, kind

    def keys(self, prefix: str) -> list[str]:
        """All keys under a prefix, over as many pages as there are."""
        checked_prefix(prefix)
        with self._asking():
            self._make()
            found = [one.object_name for one in self._client.list_objects(self._bucket, prefix, recursive=True)]
        return sorted(key for key in found if key.startswith(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, a thousand per request."""
        expected = [DeleteObject(checked(key)) for key in keys]
        with self._asking():
            self._make()
            faults = [one for one in self._client.remove_objects(self._bucket, expected) if one.code not in ABSENT]
        if faults:
            raise Unavailable(self._sentence(faults[0].code))

    def link(self, key: str, seconds: int, filename: str | None = None) -> str:
        """A presigned GET for the public endpoint; computed here, nothing is asked of the server."""
        headers = {"response-content-disposition": attachment(filename)} if filename else None
        life = timedelta(seconds=checked_life(seconds))
        return self._signer.presigned_get_object(self._bucket, checked(key), life, response_headers=headers)

    def ready(self) -> None:
        """One listing of nothing, not tried twice; the bucket is made if it is not there."""
        with self._asking():
            self._there = self._exists(self._probe)
            self._make()

    def _put(self, key: str, stream, size: int, content_type: str) -> None:
        checked(key)
        with self._asking():
            self._make()
            self._client.put_object(self._bucket, key, stream, size, content_type, part_size=PART)

    def _make(self) -> None:
        """Make the bucket where it is not there; two that do so at once both succeed."""
        if self._there:
            return
        if not self._exists(self._client):
            try:
                self._client.make_bucket(self._bucket)
            except S3Error as error:
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise
        self._there = True

    def _exists(self, client: Minio) -> bool:
        """Is the bucket there? A GET, because its refusal has a reason in it and that of a HEAD has none."""
        try:
            next(iter(client.list_objects(self._bucket, "nothing/", recursive=True)), None)
        except S3Error as error:
            if error.code != "NoSuchBucket":
                raise
            return False
        return True

    @contextlib.contextmanager
    def _asking(self):
        """Turn whatever the client raises into Unavailable, in words without keys and signed addresses."""
        try:
            yield
        except S3Error as error:
            self._there = self._there and error.code != "NoSuchBucket"
            raise Unavailable(self._sentence(error.code)) from None
        except MinioException as error:
            status = getattr(error, "status_code", None) or getattr(error, "_code", "?")
            raise Unavailable(f"{self._where}: it answers HTTP {status}.") from None
        except (ParseError, UnicodeDecodeError, LookupError):
            raise Unavailable(
                f"{self._where}: its answer is not what S3 says; is this the right address?"
            ) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{self._where}: no answer ({_cause(error)}).") from None

    def _sentence(self, code: str | None) -> str:
        return f"{self._where}: {REFUSED.get(code or '', 'it refuses')} ({code})."


class ObjectStream:
    """The chunks of an object that is being downloaded."""

    def __init__(self, answer, asking):
        self._answer, self._asking = answer, asking
        self._chunks = answer.stream(CHUNK, decode_content=False)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._asking():
            return next(self._chunks)

    def close(self) -> None:
        """Give the connection up; what has not come yet is not waited for."""
        self._answer.close()
        self._answer.release_conn()


def _cause(error: BaseException) -> str:
    """The innermost reason by its kind: messages may hold signed addresses."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, urllib3.exceptions.ResponseError):
        return str(reason)
    return type(reason if isinstance(reason, BaseException) else error).__name__
