"""Folders for the files of a job in work, gone when it ends; and what a killed worker left behind, removed at the next start.

Whether an owner lives is told by a lock that the kernel lets go of when it dies: ids of processes come again, and two
containers that share a folder do not know each other's.
"""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from avatarlab.core.lock import hold

PREFIX, NEW = "avatarlab-work-", "avatarlab-new-"
OWNER = "owner"


class Scratch:
    """A folder of this process under ``base`` (default: where TMPDIR says); removed on ``close`` and at exit."""

    def __init__(self, base: Path | None = None):
        self.base = Path(base or tempfile.gettempdir())
        made = Path(tempfile.mkdtemp(prefix=NEW, dir=self.base))
        self._lock = hold(made / OWNER)
        self.root = made.rename(made.with_name(made.name.replace(NEW, PREFIX)))
        self._end = weakref.finalize(self, _remove, self.root, self._lock)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new folder that nobody else can read, removed at the end of the block whatever happens in it."""
        folder = Path(tempfile.mkdtemp(dir=self.root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> int:
        """Remove folders of owners that are dead, of this user only; return how many."""
        return sum(_removed(path) for path in self.base.glob(PREFIX + "*") if path != self.root)

    def close(self) -> None:
        """Remove the folder and all in it."""
        self._end()


def _removed(path: Path) -> bool:
    """Remove a folder unless its owner lives; follow no link to it."""
    try:
        if path.lstat().st_uid != os.getuid() or path.is_symlink():
            return False
        lock = hold(path / OWNER) if (path / OWNER).is_file() else None
        if lock is None:
            return False
        _remove(path, lock)
        return True
    except OSError:  # its owner lives, or another sweep was faster
        return False


def _clear(root: Path) -> None:
    """Remove a folder, what tells its owner last: killed in the midst of it, the rest is swept at another start."""
    for folder in root.iterdir():
        if folder.name != OWNER:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(root, ignore_errors=True)


def _remove(root: Path, lock) -> None:
    with suppress(OSError):
        _clear(root)
    lock.release()
