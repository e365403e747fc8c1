"""A folder as storage: nothing outside it is read, written or deleted, whatever lies in it."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from avatarlab.core.errors import InputError
from avatarlab.service.jobs import Unavailable
from avatarlab.service.storage import FolderStorage
from avatarlab.service.storage import folder as module

SECRET = "sixteen bytes or more"


@pytest.fixture
def storage(tmp_path):
    return FolderStorage(tmp_path / "store", "http://127.0.0.1:1", SECRET)


@pytest.fixture
def outside(tmp_path):
    """A folder with a file that must stay as it is."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "private.json").write_text("mine")
    return place


def test_links_to_outside_are_not_followed(storage, outside, tmp_path):
    objects = tmp_path / "store" / "objects"
    (objects / "a").mkdir(parents=True)
    (objects / "a" / "way").symlink_to(outside)
    (objects / "a" / "file.json").symlink_to(outside / "private.json")
    for key in ("a/way/private.json", "a/file.json"):
        assert storage.read(key) is None
        assert storage.open(key) is None
        with pytest.raises(InputError, match="no such object"):
            storage.fetch(key, tmp_path / "got", 100)
    assert storage.keys("a/") == []
    assert storage.keys("a/way/") == []
    storage.delete(["a/way/private.json"])
    with pytest.raises(InputError, match="a part of it is taken"):
        storage.write("a/way/new", b"x", "text/plain")
    storage.write("a/file.json", b"ours", "application/json")
    assert [path.name for path in outside.iterdir()] == ["private.json"]
    assert (outside / "private.json").read_text() == "mine"
    assert storage.read("a/file.json") == b"ours", "the link is replaced, what it pointed to is not"


def test_only_plain_files_are_objects(storage, tmp_path):
    objects = tmp_path / "store" / "objects"
    (objects / "a" / "deep").mkdir(parents=True)
    os.mkfifo(objects / "a" / "pipe")
    assert storage.read("a/pipe") is None, "and it does not wait for a writer"
    assert storage.read("a/deep") is None
    assert storage.keys("a/") == []
    with pytest.raises(InputError, match="taken"):
        storage.write("a/deep", b"x", "text/plain")
    storage.delete(["a/deep"])
    storage.write("a/b", b"x", "text/plain")
    with pytest.raises(InputError, match="taken"):
        storage.write("a/b/c", b"x", "text/plain")
    assert storage.read("a/b/c") is None


def test_a_long_name_is_no_object(storage):
    assert storage.read("a/" + "x" * 300) is None
    with pytest.raises(InputError, match="too long"):
        storage.write("a/" + "x" * 300, b"x", "text/plain")
    assert storage.keys("a/") == []


def test_a_write_that_fails_midway_changes_nothing(storage, tmp_path, monkeypatch):
    storage.write("a/x.json", b"old", "application/json")
    full = OSError(28, "No space left on device")

    def fail(*_):
        raise full

    monkeypatch.setattr(module.os, "fsync", fail)
    with pytest.raises(Unavailable, match="No space left"):
        storage.write("a/x.json", b"new", "application/json")
    assert storage.read("a/x.json") == b"old"
    assert list((tmp_path / "store" / "incoming").iterdir()) == []


def test_nothing_is_left_of_what_was_deleted(storage, tmp_path):
    storage.write("photos/anna/front.jpg", b"x", "image/jpeg")
    storage.write("photos/bert/front.jpg", b"x", "image/jpeg")
    storage.delete(["photos/anna/front.jpg"])
    assert [path.name for path in (tmp_path / "store" / "objects" / "photos").iterdir()] == ["bert"]


def test_writing_beside_one_who_deletes(storage):
    def work(name: str):
        for turn in range(25):
            storage.write(f"a/b/{name}", str(turn).encode(), "text/plain")
            assert storage.read(f"a/b/{name}") == str(turn).encode()
            storage.delete([f"a/b/{name}"])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, "defg"))
    finally:
        sys.setswitchinterval(interval)


def test_leftovers_of_a_crash_go(tmp_path):
    FolderStorage(tmp_path, "http://127.0.0.1:1", SECRET)
    for name, age_s in (("old", 2 * module.LEFTOVER_S), ("new", 10)):
        (tmp_path / "incoming" / name).write_bytes(b"part")
        os.utime(tmp_path / "incoming" / name, (time.time() - age_s,) * 2)
    FolderStorage(tmp_path, "http://127.0.0.1:1", SECRET)
    assert [path.name for path in (tmp_path / "incoming").iterdir()] == ["new"]


def test_a_folder_that_is_gone_is_unavailable(storage, tmp_path):
    (tmp_path / "store").rename(tmp_path / "away")
    with pytest.raises(Unavailable, match="No such file"):
        storage.ready()


def test_others_on_this_machine_cannot_look(storage, tmp_path):
    storage.write("photos/anna/front.jpg", b"x", "image/jpeg")
    for path in (tmp_path / "store").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_short_secret_is_refused_and_a_long_one_not_shown(tmp_path):
    with pytest.raises(InputError, match="expected 16 or more"):
        FolderStorage(tmp_path, "http://127.0.0.1:1", "short")
    assert SECRET not in repr(FolderStorage(tmp_path, "http://127.0.0.1:1", SECRET))
