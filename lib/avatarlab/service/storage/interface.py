"""What worker and API ask of a storage, and what every storage shares."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from avatarlab.core.errors import InputError
from avatarlab.service.jobs import plain_key

CHUNK = 1 << 16
"""Bytes per step of a stream."""
LONGEST_LINK_S = 604_800


class Storage(Protocol):
    """Objects by key in one bucket. Safe to use from several threads; every call blocks (seconds, never minutes).

    Each call raises ``Unavailable`` where the storage does not answer or refuses us: worth trying again.
    """

    def fetch(self, key: str, path: Path, limit_bytes: int) -> int:
        """Stream an object into the file ``path``; return its bytes.

        InputError: there is no such object, or it is larger than ``limit_bytes``; ``path`` is then not there.
        """

    def store(self, key: str, path: Path, content_type: str) -> None:
        """Upload the file ``path``: readers see the old object, or the new one whole."""

    def read(self, key: str, limit_bytes: int = 1_000_000) -> bytes | None:
        """A small object's bytes; None where it is not there; InputError where it is larger than the limit."""

    def write(self, key: str, data: bytes, content_type: str) -> None:
        """Upload ``data``, whole or not at all."""

    def open(self, key: str) -> tuple[Iterator[bytes], int, str] | None:
        """Chunks, size in bytes and content type of an object; None where it is not there.

        The chunks have a ``close()`` for whoever stops early.
        """

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin with ``prefix``, sorted. An empty prefix is refused (InputError)."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects; those that are not there are no error."""

    def link(self, key: str, seconds: int, filename: str | None = None) -> str:
        """Address at which anyone who has it may get the object for so many seconds.

        With ``filename`` a browser saves it under that name instead of showing it.
        """

    def ready(self) -> None:
        """Return where the storage can be used; cheap enough to be asked every few seconds."""


class Opening:
    """``fetch`` and ``read`` for a storage that has ``open``."""

    def fetch(self, key: str, path: Path, limit_bytes: int) -> int:
        """Stream an object into ``path``; see ``Storage``."""
        found = self.open(key)
        if found is None:
            raise missing(key)
        with contextlib.closing(found[0]) as chunks:
            if found[1] > limit_bytes:
                raise too_large(key, limit_bytes)
            return save(key, chunks, path, limit_bytes)

    def read(self, key: str, limit_bytes: int = 1_000_000) -> bytes | None:
        """A small object's bytes, or None; see ``Storage``."""
        found = self.open(key)
        if found is None:
            return None
        with contextlib.closing(found[0]) as chunks:
            if found[1] > limit_bytes:
                raise too_large(key, limit_bytes)
            return b"".join(chunks)


def checked(key: str) -> str:
    """Return ``key`` if it can lead nowhere but to an object of ours, else InputError."""
    try:
        return plain_key(key)
    except ValueError as error:
        raise InputError(f"key: got {key[:80]!r}, {error}.") from None


def checked_prefix(prefix: str) -> str:
    """Return a prefix that names at least something: never all objects."""
    checked(prefix.removesuffix("/"))
    return prefix


def checked_life(seconds: int) -> int:
    """Return a link's life (s) if S3 knows such: 1 s to 7 days."""
    if not 1 <= seconds <= LONGEST_LINK_S:
        raise InputError(f"seconds: got {seconds}, expected 1 to {LONGEST_LINK_S} until a link expires.")
    return seconds


def missing(key: str) -> InputError:
    """The error of a key where nothing is."""
    return InputError(f"{key}: no such object in the storage; was it uploaded, and under this key?")


def too_large(key: str, limit_bytes: int) -> InputError:
    """The error of an object over the limit."""
    return InputError(f"{key}: larger than {limit_bytes / 1e6:g} MB, the most that is taken.")


def save(key: str, chunks: Iterable[bytes], path: Path, limit_bytes: int) -> int:
    """Write ``chunks`` to the file ``path``, at most ``limit_bytes``; on any failure nothing is left of it."""
    total = 0
    try:
        with open(path, "wb") as file:
            for chunk in chunks:
                total += len(chunk)
                if total > limit_bytes:
                    raise too_large(key, limit_bytes)
                file.write(chunk)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        raise
    return total


def attachment(filename: str) -> str:
    """Content-Disposition that saves under ``filename``; ValueError for what is no plain file name."""
    plain = filename.isascii() and filename.isprintable() and not set(filename) & set('/\\"%;')
    if not plain or not filename.strip(". "):
        raise ValueError(f"filename: got {filename!r}, expected plain ASCII such as avatar.glb")
    return f'attachment; filename="{filename}"'
