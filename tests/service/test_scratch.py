"""Temporary folders: private, removed whatever happens, and those of killed processes at the next start only."""

import shutil
import stat
import subprocess
import sys

import pytest

from avatarlab.service.scratch import Scratch

HOLD = """
import sys, time
from pathlib import Path
from avatarlab.service.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
with scratch.folder() as folder:
    (folder / "photo").write_text("x")
    print(scratch.root, flush=True)
    time.sleep(60)
"""


def holder(base):
    return subprocess.Popen([sys.executable, "-c", HOLD, str(base)], stdout=subprocess.PIPE, text=True)


def test_folders_are_private_and_gone_after_the_block(tmp_path):
    scratch = Scratch(tmp_path)
    with pytest.raises(KeyError), scratch.folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 == stat.S_IMODE(scratch.root.stat().st_mode)
        (folder / "photo").write_text("x")
        raise KeyError
    assert [path.name for path in scratch.root.iterdir()] == ["owner"]
    scratch.close()
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_holds_is_not(tmp_path):
    killed, living = holder(tmp_path), holder(tmp_path)
    try:
        left, held = killed.stdout.readline().strip(), living.stdout.readline().strip()
        killed.kill()
        killed.wait()
        scratch = Scratch(tmp_path)
        assert scratch.sweep() == 1 and scratch.sweep() == 0
        assert {str(path) for path in tmp_path.iterdir()} == {held, str(scratch.root)} and left != held
    finally:
        for one in (killed, living):
            one.kill()
            one.communicate()


def test_a_sweep_follows_no_links_and_touches_nothing_else(tmp_path):
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "owner").touch()
    (tmp_path / "avatarlab-work-link").symlink_to(treasure)
    (tmp_path / "avatarlab-work-empty").mkdir()
    (tmp_path / "avatarlab-works").mkdir()
    scratch = Scratch(tmp_path)
    assert scratch.sweep() == 0 and (treasure / "owner").exists() and len(list(tmp_path.iterdir())) == 5


def test_a_removal_that_is_broken_off_is_gone_on_with_at_another_start(tmp_path, monkeypatch):
    """The owner's file goes last, or nobody would know the photos for what they are."""
    left = tmp_path / "avatarlab-work-left"
    (left / "photos").mkdir(parents=True)
    (left / "owner").touch()
    scratch, real = Scratch(tmp_path), shutil.rmtree

    def broken_off(path, **given):
        real(path, **given)
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", broken_off)
    with pytest.raises(KeyboardInterrupt):
        scratch.sweep()
    monkeypatch.undo()
    assert [path.name for path in left.iterdir()] == ["owner"]
    assert scratch.sweep() == 1 and not left.exists()
