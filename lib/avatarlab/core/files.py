"""Files that appear whole or not at all, and the lab's one container: npz arrays with a JSON header, no pickle."""

import hashlib
import json
import os
import shutil
import signal
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from avatarlab.core.errors import InputError

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
            expected = npz.files if names is None else {"header", *names} & {*npz.files}
            arrays = {name: npz[name] for name in sorted(expected)}
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


def read_yaml(path: Path) -> dict:
    """Return a YAML 1.2 mapping (as DVC reads it); missing, broken or doubled keys raise InputError."""
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path.name}: no such file; run from a checkout of avatarlab.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        reason = str(getattr(error, "problem", None) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path.name}: not valid YAML{line}: {reason}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: expected sections of `name: value`, got {type(content).__name__}.")
    return content


def publish(moves: dict[Path, Path]) -> None:
    """Move every new file or folder (key) onto its place (value); on any error put all former ones back.

    Everything is first brought next to its place, because only there, on one file system, is a rename atomic.
    """
    with _signals_held():
        try:
            for new, place in moves.items():
                place.parent.mkdir(parents=True, exist_ok=True)
                remove(_beside(place, "new"))
                shutil.move(new, _beside(place, "new"))
            _swap_all(list(moves.values()))
        finally:
            for place in moves.values():
                remove(_beside(place, "new"))


def _swap_all(places: list[Path]) -> None:
    begun = []
    try:
        for place in places:
            begun.append(place)
            _swap(place)
    except BaseException:
        for place in reversed(begun):
            _swap_back(place)
        raise
    for place in places:
        remove(_beside(place, "old"))


def _swap(place: Path) -> None:
    remove(_beside(place, "old"))
    if place.exists():
        place.rename(_beside(place, "old"))
    _beside(place, "new").rename(place)


def _swap_back(place: Path) -> None:
    old = _beside(place, "old")
    if old.exists():
        remove(place)
        old.rename(place)
    elif not _beside(place, "new").exists():
        remove(place)


def _beside(place: Path, what: str) -> Path:
    return place.with_name(f".{place.name}.{what}")


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the few milliseconds of the block, then deliver them."""
    waiting: list[int] = []
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in former:
        signal.signal(number, lambda received, _: waiting.append(received))
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for number in waiting:
            signal.raise_signal(number)
