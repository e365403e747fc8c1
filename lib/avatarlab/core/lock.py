"""One lock for whatever only one process may do at a time; the system lets go of it when its holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from avatarlab.core.errors import InputError


def hold(path: str | Path) -> FileLock | None:
    """Hold the lock file ``path`` until its ``release()``; None where another holds it. OSError where none can be made."""
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


@contextmanager
def held(path: str | Path, refusal: str) -> Iterator[None]:
    """Hold the lock file ``path`` for the block; InputError with the sentence ``refusal`` where another holds it."""
    lock = hold(path)
    if lock is None:
        raise InputError(refusal)
    try:
        yield
    finally:
        lock.release()
