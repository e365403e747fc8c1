"""Motion files of a folder or of an archive (.tar, .tar.xz, .tar.gz, .zip), read in memory by name, never unpacked.

Nothing is written, so a member's name leads nowhere; only plain files count, and both one file and all together are
limited, so that a bomb ends in an InputError.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

from avatarlab.core.errors import InputError

FILE_MB = 256
TOTAL_MB = 4096
_BROKEN = (OSError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error)


def members(path: str | Path, suffixes: Collection[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """(name, content) of every file with one of ``suffixes`` (".amc"), any if None; names use / and are relative.

    A folder's come sorted, an archive's as they lie in it. Damaged or too large ones raise InputError.
    """
    path = Path(path)
    if path.is_dir():
        return _kept(_folder(path), suffixes, path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder.")
    return _kept(_zip(path) if zipfile.is_zipfile(path) else _tar(path), suffixes, path)


def texts(path: str | Path, suffixes: Collection[str] | None = None) -> dict[str, str]:
    """The same as texts by file name without folders, sorted; two files of one name raise InputError."""
    found: dict[str, str] = {}
    for name, content in members(path, suffixes):
        short = name.rsplit("/", 1)[-1]
        if short in found:
            raise InputError(f"{path}: has two files of the name {short}.")
        found[short] = content.decode("utf-8", "replace")
    return dict(sorted(found.items()))


def _kept(entries, suffixes, path: Path) -> Iterator[tuple[str, bytes]]:
    """Those entries (name, size, read) that are wanted, read within the limits."""
    total = 0.0
    try:
        for name, size, read in entries:
            if suffixes is not None and Path(name).suffix.lower() not in suffixes:
                continue
            total += size / 2**20
            if size > FILE_MB * 2**20 or total > TOTAL_MB:
                raise InputError(
                    f"{path}: {name} is larger than {FILE_MB} MB, or all together than {TOTAL_MB} MB."
                )
            yield name, read()
    except _BROKEN as error:
        raise InputError(f"{path}: cannot be read as an archive of motion files ({error}).") from None


def _folder(path: Path):
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file.stat().st_size, file.read_bytes


def _zip(path: Path):
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield info.filename, info.file_size, lambda info=info: archive.read(info)


def _tar(path: Path):
    with tarfile.open(path, "r:*") as archive:
        for info in archive:
            if info.isfile():
                yield info.name, info.size, lambda info=info: archive.extractfile(info).read()
