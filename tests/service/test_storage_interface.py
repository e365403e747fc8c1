"""What every storage promises, asked of both: a folder and a real S3 server."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from avatarlab.core.errors import InputError
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import FolderStorage, open_storage
from avatarlab.service.storage.interface import attachment, save

HOSTILE = [
    "../secret", "a/../../secret", "/etc/passwd", "a//b", "a/./b", "a/..", ".", "", "a\0b", "a\nb", "a\\..\\b",
    "a/\ud800", "x" * 600, "a/" * 300 + "a", "avatars/", "\u202egpj.exe",
]  # fmt: skip


@pytest.fixture(params=["folder", "s3"])
def storage(request, tmp_path):
    """An empty storage of each kind."""
    if request.param == "folder":
        return FolderStorage(tmp_path / "store", "http://127.0.0.1:1", "sixteen bytes or more")
    swift = request.getfixturevalue("swift")
    return open_storage(ServiceSettings(**swift.settings_fields(bucket=f"t-{uuid.uuid4()}")))


@pytest.fixture
def photo(tmp_path):
    """A file of 300,000 bytes that do not repeat."""
    path = tmp_path / "photo.bin"
    path.write_bytes(bytes(range(251)) * 1200)
    return path


def test_what_is_stored_comes_back(storage, photo, tmp_path):
    storage.store("photos/anna/front.jpg", photo, "image/jpeg")
    assert storage.fetch("photos/anna/front.jpg", tmp_path / "got", 10**6) == photo.stat().st_size
    assert (tmp_path / "got").read_bytes() == photo.read_bytes() == storage.read("photos/anna/front.jpg")
    chunks, size, kind = storage.open("photos/anna/front.jpg")
    assert b"".join(chunks) == photo.read_bytes()
    assert (size, kind) == (photo.stat().st_size, "image/jpeg")


def test_keys_of_every_language(storage):
    keys = ["photos/Zoë & Anna/front photo+1%2F.jpg", "photos/張/前.png", "photos/<b>'\";--/x?y#z=1.jpg"]
    for key in keys:
        storage.write(key, key.encode(), "image/jpeg")
        assert storage.read(key) == key.encode()
        assert storage.link(key, 60).isascii()
    assert storage.keys("photos/") == sorted(keys)
    storage.delete(keys)
    assert storage.keys("photos/") == []


def test_the_last_write_counts(storage):
    for data in (b'{"a": 1}', b"", b"{}"):
        storage.write("avatars/1/manifest.json", data, "application/json")
        assert storage.read("avatars/1/manifest.json") == data


def test_what_is_not_there(storage, tmp_path):
    assert storage.read("photos/none.jpg") is None
    assert storage.open("photos/none.jpg") is None
    assert storage.keys("photos/") == []
    storage.delete(["photos/none.jpg"])
    with pytest.raises(InputError, match=r"^photos/none.jpg: no such object"):
        storage.fetch("photos/none.jpg", tmp_path / "got", 10)
    assert not (tmp_path / "got").exists()


def test_only_the_prefix_is_listed_and_only_the_named_is_deleted(storage):
    for key in ("a/1", "a/2/3", "a.b", "ab/1", "b/1"):
        storage.write(key, b"x", "text/plain")
    assert storage.keys("a/") == ["a/1", "a/2/3"]
    assert storage.keys("a") == ["a.b", "a/1", "a/2/3", "ab/1"]
    storage.delete(storage.keys("a/"))
    assert storage.keys("a") == ["a.b", "ab/1"]
    assert storage.keys("b/") == ["b/1"]


@pytest.mark.parametrize("prefix", ["", "/", "..", "../", "a//"])
def test_never_all_objects(storage, prefix):
    with pytest.raises(InputError):
        storage.keys(prefix)


def test_more_than_the_limit_is_not_taken(storage, photo, tmp_path):
    storage.store("a/big", photo, "image/jpeg")
    size = photo.stat().st_size
    assert storage.fetch("a/big", tmp_path / "got", size) == size
    for call in (lambda: storage.fetch("a/big", tmp_path / "more", size - 1), lambda: storage.read("a/big", 10)):
        with pytest.raises(InputError, match="a/big: larger than"):
            call()
    assert not (tmp_path / "more").exists()
    assert storage.read("a/big") == photo.read_bytes(), "the connection is good for the next"


def test_a_stream_that_says_too_little_is_stopped_at_the_limit(tmp_path):
    taken = []

    def endless():
        for _ in range(1000):
            taken.append(1)
            yield b"x" * 1000

    with pytest.raises(InputError, match="larger than 0.01 MB"):
        save("a/b", endless(), tmp_path / "got", 10_000)
    assert len(taken) == 11
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", HOSTILE, ids=lambda key: ascii(key[:12]))
def test_hostile_keys(storage, key, photo, tmp_path):
    calls = {
        "fetch": lambda: storage.fetch(key, tmp_path / "got", 10),
        "store": lambda: storage.store(key, photo, "image/jpeg"),
        "read": lambda: storage.read(key),
        "write": lambda: storage.write(key, b"x", "text/plain"),
        "delete": lambda: storage.delete([key]),
        "link": lambda: storage.link(key, 60),
    }
    for call in calls.values():
        with pytest.raises(InputError, match="^key: got"):
            call()


def test_several_at_once(storage):
    start = threading.Barrier(8)

    def work(number: int) -> bool:
        start.wait(10)
        data = str(number).encode() * 1000
        for turn in range(3):
            storage.write(f"a/{number}/{turn}", data, "text/plain")
            assert storage.read(f"a/{number}/{turn}") == data
        storage.delete([f"a/{number}/0"])
        return len(storage.keys(f"a/{number}/")) == 2

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len(storage.keys("a/")) == 16


def test_readers_see_the_old_or_the_new_whole(storage):
    versions = [bytes([letter]) * 400_000 for letter in b"ab"]
    storage.write("a/x", versions[0], "text/plain")
    done = threading.Event()
    seen = []

    def look():
        while not done.is_set():
            seen.append(storage.read("a/x"))

    reader = threading.Thread(target=look)
    reader.start()
    for turn in range(6):
        storage.write("a/x", versions[turn % 2], "text/plain")
    done.set()
    reader.join()
    assert seen
    assert all(data in versions for data in seen)


def test_ready(storage):
    storage.ready()
    storage.write("a/x", b"1", "text/plain")
    storage.ready()
    assert storage.keys("a/") == ["a/x"]


@pytest.mark.parametrize("name", ["a/b.glb", 'a".glb', "a\r\nSet-Cookie: x", "ä.glb", "..", "", "%2e.glb", "a;b"])
def test_only_plain_names_in_headers(name):
    with pytest.raises(ValueError, match="filename"):
        attachment(name)
    assert attachment("anna 1.glb") == 'attachment; filename="anna 1.glb"'
