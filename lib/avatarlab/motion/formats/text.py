"""The text of a motion file, from a path or as it is, and complaints that name file and line."""

from os import PathLike
from pathlib import Path

import numpy as np

from avatarlab.core.errors import InputError

LIMIT_MB = 512


def text_of(source: str | PathLike) -> tuple[str, str]:
    """(text, name for messages) of a path, or of a string with line breaks, which is the text itself.

    Bytes that are no UTF-8 are replaced (HDM05 has some in comments); missing, empty and huge files raise InputError.
    """
    if isinstance(source, str) and ("\n" in source or "\r" in source):
        return source, "text"
    path = Path(source)
    try:
        if path.stat().st_size > LIMIT_MB * 2**20:
            raise InputError(f"{path}: larger than {LIMIT_MB} MB; is it a motion file?")
        return path.read_bytes().decode("utf-8", "replace"), path.name
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from None


def numbers(tokens, where: str, count: int | None = None) -> np.ndarray:
    """Finite floats of text tokens; ``where`` begins the message of the InputError, ``count`` is how many are wanted."""
    if count is not None and len(tokens) != count:
        raise InputError(f"{where}: got {len(tokens)} numbers, expected {count}.")
    try:
        values = np.array([float(token) for token in tokens])
    except ValueError:
        raise InputError(f"{where}: got {' '.join(tokens)[:60]!r}, expected numbers.") from None
    if not np.isfinite(values).all():
        raise InputError(f"{where}: got NaN or infinite numbers.")
    return values
