"""Files that appear whole or not at all, and the lab's one container: npz arrays with a JSON header, no pickle."""

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from avatarlab.errors import InputError

UNREADABLE = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What zipfile and numpy raise on files that are no npz, are cut short, locked, damaged or too large."""


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it onto ``path`` if the block succeeds, else remove it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_npz(path: str | Path, arrays: dict[str, np.ndarray], header: dict) -> None:
    """Write ``arrays`` and a JSON ``header`` as one compressed npz; equal content gives equal bytes."""
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"{name}: object arrays would need pickle; give plain numbers or strings.")
    text = json.dumps(header, sort_keys=True)
    with whole(path) as part, open(part, "wb") as file:
        np.savez_compressed(file, header=np.array(text), **arrays)


def read_npz(
    path: str | Path, names: Collection[str] | None = None, limit_mb: int = 4096
) -> tuple[dict[str, np.ndarray], dict]:
    """Return (arrays, header) of an npz written by ``write_npz``; never unpickles; bad files raise InputError.

    ``names`` reads only those arrays (of the ones present); more than ``limit_mb`` unpacked is refused as a bomb.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked_mb = sum(member.file_size for member in archive.infolist()) / 2**20
        if unpacked_mb > limit_mb:
            raise ValueError(f"{unpacked_mb:.0f} MB unpacked, limit {limit_mb} MB")
        with np.load(path, allow_pickle=False) as npz:
            wanted = npz.files if names is None else {"header", *names} & {*npz.files}
            arrays = {name: npz[name] for name in sorted(wanted)}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except UNREADABLE as error:
        raise InputError(f"{path}: not a readable npz of plain arrays ({error}).") from None
    try:
        header = json.loads(str(arrays.pop("header", "{}")))
    except json.JSONDecodeError:
        header = None
    if not isinstance(header, dict):
        raise InputError(f"{path}: its header is not a JSON object; was it written by avatarlab?")
    return arrays, header


def write_json(path: str | Path, value) -> None:
    """Write ``value`` as readable JSON with sorted keys; NaN is refused because JSON has none."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """Return the hex sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
