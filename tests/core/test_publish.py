"""Results move into place all together; whatever fails, the former ones are back."""

import os
import signal
from pathlib import Path

import pytest

from avatarlab.core import files as publish


def tree(root: Path) -> dict[str, str]:
    return {p.relative_to(root).as_posix(): p.read_text() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture
def moves(tmp_path):
    """A new folder and a new file with their places; the places hold former ones."""
    for top, word in (("work", "new"), ("place", "old")):
        (tmp_path / top / "out").mkdir(parents=True)
        (tmp_path / top / "out" / f"{word}.txt").write_text(word)
        (tmp_path / top / "report.html").write_text(word)
    return {tmp_path / "work" / name: tmp_path / "place" / name for name in ("out", "report.html")}


def test_new_results_replace_former_ones_whole(moves, tmp_path):
    publish.publish(moves)
    assert tree(tmp_path / "place") == {"out/new.txt": "new", "report.html": "new"}


def test_first_results(moves, tmp_path):
    publish.remove(tmp_path / "place")
    publish.publish(moves)
    assert tree(tmp_path / "place") == {"out/new.txt": "new", "report.html": "new"}


@pytest.mark.parametrize(("fatal", "former"), [(1, True), (2, True), (3, True), (4, True), (1, False), (2, False)])
def test_a_rename_that_fails_puts_everything_back(moves, tmp_path, monkeypatch, fatal, former):
    if not former:
        publish.remove(tmp_path / "place")
    before = tree(tmp_path / "place") if former else {}
    calls = []
    rename = Path.rename

    def failing(self, target):
        calls.append(self)
        if len(calls) == fatal:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space"):
        publish.publish(moves)
    assert tree(tmp_path / "place") == before


def test_a_signal_waits_until_all_is_in_place(moves, tmp_path, monkeypatch):
    rename = Path.rename

    def signalling(self, target):
        os.kill(os.getpid(), signal.SIGINT)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", signalling)
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores Ctrl-C
    try:
        with pytest.raises(KeyboardInterrupt):
            publish.publish(moves)
    finally:
        signal.signal(signal.SIGINT, former)
    assert tree(tmp_path / "place") == {"out/new.txt": "new", "report.html": "new"}


def test_remove_takes_links_not_their_targets(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    publish.remove(tmp_path / "link")
    publish.remove(tmp_path / "absent")
    assert (tmp_path / "real").exists() and not (tmp_path / "link").exists()
