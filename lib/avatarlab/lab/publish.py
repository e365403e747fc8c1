"""Results that appear all together or not at all, whatever stops the run."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
