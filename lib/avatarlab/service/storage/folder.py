"""Storage in a folder, for a first try without any server: same promises, links signed by a secret of ours."""

import contextlib
import errno
import hashlib
import hmac
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlencode

from avatarlab.core.errors import InputError
from avatarlab.service.jobs import Unavailable
from avatarlab.service.storage.interface import CHUNK, Opening, attachment, checked, checked_life, checked_prefix

TYPES = {
    ".glb": "model/gltf-binary",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".png": "image/png",
}
"""A folder keeps no content types; the name tells those that matter, all others are octet-streams."""
NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO)
"""What the system says where no plain file is: nothing, a file for a folder, a link, a name it cannot have, a socket."""
LEFTOVER_S = 3600
"""Age (s) of an upload that nobody can be busy with any more."""


class FolderStorage(Opening):
    """``Storage`` under ``folder``/objects, for one process. No symbolic link in there is followed, whoever made it."""

    def __init__(self, folder: str | Path, base_url: str, secret: str | bytes):
        key = secret.encode() if isinstance(secret, str) else secret
        if len(key) < 16:
            raise InputError(f"secret: got {len(key)} bytes, expected 16 or more random ones.")
        self._key = key
        self._base = base_url.rstrip("/")
        self._moving = threading.Lock()
        self._objects = Path(folder).resolve() / "objects"
        self._incoming = Path(folder).resolve() / "incoming"
        for place in (self._objects, self._incoming):
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sweep()

    def __repr__(self) -> str:
        return f"FolderStorage({str(self._objects.parent)!r})"

    def store(self, key: str, path: Path, content_type: str) -> None:
        """Copy a file in."""
        with open(path, "rb") as file:
            self._put(key, iter(lambda: file.read(CHUNK), b""))

    def write(self, key: str, data: bytes, content_type: str) -> None:
        """Write bytes."""
        self._put(key, [data])

    def open(self, key: str) -> tuple["FileStream", int, str] | None:
        """Chunks, size and content type of an object, or None."""
        *folders, name = checked(key).split("/")
        with self._asking():
            try:
                with self._inside(folders) as place:
                    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
            except OSError as error:
                if error.errno in NOWHERE:
                    return None
                raise
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            os.close(handle)
            return None
        kind = TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
        return FileStream(os.fdopen(handle, "rb"), self._asking), facts.st_size, kind

    def keys(self, prefix: str) -> list[str]:
        """All keys under a prefix; only the folder that it names is walked."""
        *folders, _ = checked_prefix(prefix).split("/")
        with self._asking():
            try:
                with self._inside(folders) as place:
                    found = list(_files(place, "/".join(folders)))
            except OSError as error:
                if error.errno in NOWHERE:
                    return []
                raise
        return sorted(key for key in found if key.startswith(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects, and folders that are empty then."""
        for key in [checked(key) for key in keys]:
            *folders, name = key.split("/")
            with self._asking(), self._moving:
                try:
                    with self._inside(folders) as place:
                        os.unlink(name, dir_fd=place)
                    self._prune(folders)
                except OSError as error:
                    if error.errno not in (*NOWHERE, errno.EISDIR):
                        raise

    def link(self, key: str, seconds: int, filename: str | None = None) -> str:
        """Address under ``base_url``/files/; the API there asks ``verify`` before it answers."""
        if filename:
            attachment(filename)
        expires = str(int(time.time()) + checked_life(seconds))
        query = {"expires": expires, "signature": self._sign(checked(key), expires, filename or "")}
        return f"{self._base}/files/{quote(key)}?{urlencode(query | ({'filename': filename} if filename else {}))}"

    def verify(self, key: str, expires: str | int, signature: str, filename: str = "") -> bool:
        """Did ``link`` make this address, and is it still good? ``filename`` is part of what was signed."""
        number = str(expires)
        expected = self._sign(key, number, filename)
        genuine = hmac.compare_digest(expected.encode(), str(signature).encode(errors="replace"))
        return genuine and time.time() <= int(number)

    def ready(self) -> None:
        """Can something be written?"""
        with self._asking():
            self._part().unlink()

    def _sign(self, key: str, expires: str, filename: str) -> str:
        text = "\n".join((key, expires, filename)).encode(errors="replace")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def _put(self, key: str, chunks: Iterable[bytes]) -> None:
        """Write beside, then move into place: readers see the old object, or the new one whole."""
        *folders, name = checked(key).split("/")
        with self._asking():
            part = self._part()
            try:
                with open(part, "wb") as file:
                    file.writelines(chunks)
                    file.flush()
                    os.fsync(file.fileno())
                self._move(part, folders, name)
            except OSError as error:
                if error.errno in (*NOWHERE, errno.EISDIR, errno.EEXIST):
                    raise InputError(f"key: got {key[:80]!r}, but a part of it is taken or too long.") from None
                raise
            finally:
                part.unlink(missing_ok=True)

    def _move(self, part: Path, folders: list[str], name: str) -> None:
        with self._moving, self._inside(folders, make=True) as place:  # no delete prunes the folder meanwhile
            os.rename(part, name, dst_dir_fd=place)

    def _part(self) -> Path:
        part = self._incoming / secrets.token_hex(16)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return part

    @contextlib.contextmanager
    def _inside(self, folders: list[str], make: bool = False) -> Iterator[int]:
        """A handle of the folder, reached step by step so that no link on the way leads elsewhere."""
        place = os.open(self._objects, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in folders:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, 0o700, dir_fd=place)
                deeper = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
                os.close(place)
                place = deeper
            yield place
        finally:
            os.close(place)

    def _prune(self, folders: list[str]) -> None:
        """Remove folders that are empty, from the innermost out."""
        with contextlib.suppress(OSError):
            while folders:
                *folders, name = folders
                with self._inside(folders) as place:
                    os.rmdir(name, dir_fd=place)

    def _sweep(self) -> None:
        """Remove what uploads left that died midway."""
        for part in self._incoming.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - part.lstat().st_mtime > LEFTOVER_S:
                    part.unlink()

    @contextlib.contextmanager
    def _asking(self):
        """A full or broken disk is Unavailable."""
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"storage {self._objects.parent}: {error.strerror or type(error).__name__}."
            ) from None


class FileStream:
    """The chunks of an object that is being read."""

    def __init__(self, file, asking):
        self._file, self._asking = file, asking

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._file.closed:
            raise StopIteration
        with self._asking():
            chunk = self._file.read(CHUNK)
        if not chunk:
            self.close()
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _files(place: int, base: str) -> Iterator[str]:
    """Keys of all plain files under an open folder, links and what is behind them left out."""
    for root, _, names, handle in os.fwalk(".", dir_fd=place, follow_symlinks=False):
        inner = PurePosixPath(base, root)
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                if stat.S_ISREG(os.lstat(name, dir_fd=handle).st_mode):
                    yield str(inner / name)
