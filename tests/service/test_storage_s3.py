"""A bucket as storage, on a real server that refuses, freezes, dies and answers 503 (row 6 of the test plan)."""

import os
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from front import Front
from patience import SLOWER

from avatarlab.core.errors import InputError
from avatarlab.service.jobs import Unavailable
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import client, open_storage, s3

SETUP = """
import sys, time
from pathlib import Path
from swift_server import Swift
with Swift(Path(sys.argv[1])) as swift:
    print(*[process.pid for process in swift.processes], flush=True)
    time.sleep(600)
"""


@pytest.fixture
def fields(swift):
    return swift.settings_fields(bucket=f"t-{uuid.uuid4()}")


@pytest.fixture
def storage(fields):
    return open_storage(ServiceSettings(**fields))


@pytest.fixture
def own(swift):
    """A door of our own before the server, that may misbehave without the other tests noticing."""
    with Front(swift.front.behind) as front:
        yield front


@pytest.fixture
def behind(own, fields):
    """Storage through that door, in a bucket that is there."""
    one = open_storage(ServiceSettings(**fields | {"s3_endpoint": f"127.0.0.1:{own.port}"}))
    one.write("a/x", b"x", "text/plain")
    return one


def failing(call) -> tuple[str, float]:
    """What it says and how long (s) it took to say so."""
    start = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        call()
    return str(caught.value), time.monotonic() - start


def test_pages_are_put_together(storage):
    names = [f"a/{number:02}" for number in range(45)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: storage.write(key, b"", "text/plain"), [*names, "b/other"]))
    assert storage.keys("a/") == names, "tests/service/swift/proxy.conf gives twenty a page"
    storage.delete(names)
    assert storage.keys("a/") == []
    assert storage.keys("b/") == ["b/other"]


def test_content_types_are_kept(storage):
    storage.write("a/report", b"<p>", "text/html; charset=utf-8")
    assert storage.open("a/report")[2] == "text/html; charset=utf-8"


def test_a_bucket_that_vanishes_is_made_again(storage):
    storage.ready()
    storage._client.remove_bucket(storage._bucket)
    message, _ = failing(lambda: storage.write("a/x", b"x", "text/plain"))
    assert "the bucket is not there (NoSuchBucket)" in message
    storage.write("a/x", b"x", "text/plain")
    assert storage.read("a/x") == b"x"


def test_a_wrong_secret_is_told_without_it(fields):
    wrong = ServiceSettings(**fields | {"s3_secret_key": "not-the-secret-at-all"})
    storage = open_storage(wrong)
    for call in (storage.ready, lambda: storage.read("a/x"), lambda: storage.write("a/x", b"", "text/plain")):
        message, seconds = failing(call)
        assert "access key and secret key do not fit each other (SignatureDoesNotMatch)" in message
        assert "not-the-secret" not in message + repr(storage) + repr(wrong)
        assert seconds < SLOWER * 3


def test_an_unknown_key_is_told(fields):
    message, _ = failing(open_storage(ServiceSettings(**fields | {"s3_access_key": "avatar:nobody"})).ready)
    assert "access key and secret key do not fit each other" in message


def test_who_may_only_read(storage, fields, swift):
    storage.write("a/x", b"x", "text/plain")
    viewer = open_storage(ServiceSettings(**swift.settings_fields("viewer", fields["s3_bucket"])))
    viewer.ready()
    assert viewer.read("a/x") == b"x"
    assert viewer.keys("a/") == ["a/x"]
    for call in (lambda: viewer.write("a/y", b"", "text/plain"), lambda: viewer.delete(["a/x"])):
        assert "the access key may not do this (AccessDenied)" in failing(call)[0]
    assert storage.keys("a/") == ["a/x"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"s3_endpoint": "ftp://127.0.0.1:1"},
        {"s3_endpoint": "http://anna:secret@127.0.0.1:1"},
        {"s3_endpoint": "http://127.0.0.1:1/path"},
        {"s3_endpoint": ""},
        {"s3_public_endpoint": "javascript:alert(1)"},
        {"s3_bucket": "../other"},
        {"s3_region": "a b"},
        {"s3_access_key": ""},
        {"s3_secret_key": ""},
    ],
    ids=lambda wrong: "=".join(*wrong.items()),
)
def test_settings_that_cannot_be(wrong):
    fields = {"s3_endpoint": "127.0.0.1:1", "s3_access_key": "a", "s3_secret_key": "b"}
    with pytest.raises(InputError, match=f"{next(iter(wrong)).upper()}[A-Z3_, ]*: ") as caught:
        open_storage(ServiceSettings(**fields | wrong))
    assert "secret@" not in str(caught.value)


class Page(BaseHTTPRequestHandler):
    """Somebody's web page, for everything."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html><p>Welcome & come in")

    def log_message(self, *_):
        pass


def test_a_web_page_is_no_storage(fields):
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.serve_forever, 0.02)
        try:
            wrong = open_storage(ServiceSettings(**fields | {"s3_endpoint": f"127.0.0.1:{server.server_port}"}))
            assert "is this the right address?" in failing(wrong.ready)[0]
            wrong._there = True
            assert "is this the right address?" in failing(lambda: wrong.read("a/x"))[0]
        finally:
            server.shutdown()


def test_503_then_well(behind, own):
    own.be("503", times=2)
    before = own.asked
    behind.write("a/y", b"y" * 100_000, "text/plain")
    assert behind.read("a/y") == b"y" * 100_000
    assert own.asked - before >= 3


def test_503_for_ever_is_told_in_seconds(behind, own):
    own.be("503")
    message, seconds = failing(lambda: behind.read("a/x"))
    assert "503" in message
    assert seconds < SLOWER * 5, "its Retry-After of two minutes is the queue's affair"
    own.be("pass")
    assert behind.read("a/x") == b"x"


def test_refused_is_told_in_seconds(behind, own):
    own.be("refuse")
    message, seconds = failing(lambda: behind.read("a/x"))
    assert "no answer (NewConnectionError)" in message
    assert seconds < SLOWER * 5
    assert failing(behind.ready)[1] < SLOWER * 3
    own.be("pass")
    assert behind.read("a/x") == b"x"


@pytest.mark.faults
def test_silence_is_told_within_the_limit(own, fields, behind, monkeypatch):
    monkeypatch.setattr(s3, "connect", lambda *args, **more: client.connect(*args[:2], read_s=0.5, **more))
    impatient = open_storage(ServiceSettings(**fields | {"s3_endpoint": f"127.0.0.1:{own.port}"}))
    impatient.ready()
    own.be("hang")
    message, seconds = failing(lambda: impatient.read("a/x"))
    assert "no answer (ReadTimeoutError)" in message
    assert 1.5 <= seconds < SLOWER * 4, "three tries of half a second and the pauses between"
    own.be("pass")
    assert impatient.read("a/x") == b"x"


@pytest.mark.faults
def test_a_slow_line_is_no_silence(swift, fields, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "CONNECT_S", 0.3)
    photo = tmp_path / "photo"
    photo.write_bytes(os.urandom(16_000_000))
    with Front(swift.front.behind, bytes_s=8e6) as front:
        storage = open_storage(ServiceSettings(**fields | {"s3_endpoint": f"127.0.0.1:{front.port}"}))
        start = time.monotonic()
        storage.store("a/photo", photo, "image/jpeg")
        assert time.monotonic() - start > 1, (
            "longer than the time to connect, which is the socket's limit per call"
        )
        storage.fetch("a/photo", tmp_path / "got", 20_000_000)
    assert (tmp_path / "got").read_bytes() == photo.read_bytes()


@pytest.mark.faults
def test_a_download_that_breaks_off_leaves_nothing(behind, own, tmp_path):
    behind.write("a/big", b"x" * 30_000_000, "image/jpeg")
    chunks, size, _ = behind.open("a/big")
    got = len(next(chunks))
    own.be("refuse")
    message, seconds = failing(lambda: [chunk for chunk in chunks])
    assert "no answer" in message
    assert seconds < SLOWER * 5
    assert got < size
    own.be("pass")
    real = behind.open

    def cut(key):
        found = real(key)
        own.be("pass")
        return found

    behind.open = cut
    failing(lambda: behind.fetch("a/big", tmp_path / "got", 10**8))
    assert list(tmp_path.glob("got*")) == []


@pytest.mark.faults
def test_a_frozen_server_is_waited_for(swift, storage):
    storage.write("a/x", b"old", "text/plain")
    with swift.frozen():
        message, seconds = failing(storage.ready)
        assert "no answer (ReadTimeoutError)" in message
        assert 2.9 <= seconds < SLOWER * 6
        start = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(storage.write, "a/x", b"new", "text/plain")
            time.sleep(1)
            assert not written.done()
            swift.thaw()
            written.result(SLOWER * 20)
    assert time.monotonic() - start < SLOWER * 12
    assert storage.read("a/x") == b"new"


@pytest.mark.faults
def test_a_server_that_died_has_lost_nothing(swift, storage, tmp_path):
    photo = tmp_path / "photo"
    photo.write_bytes(os.urandom(1_000_000))
    storage.store("a/photo", photo, "image/jpeg")
    swift.kill()
    try:
        message, seconds = failing(lambda: storage.write("a/x", b"x", "text/plain"))
        assert "no answer" in message
        assert seconds < SLOWER * 5
    finally:
        swift.start()
    storage.fetch("a/photo", tmp_path / "got", 10**7)
    assert (tmp_path / "got").read_bytes() == photo.read_bytes()
    assert storage.keys("a/") == ["a/photo"]


@pytest.mark.faults
def test_the_server_dies_with_the_tests(swift, tmp_path):
    words = [sys.executable, "-c", SETUP, str(tmp_path)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True) as parent:
        try:
            pids = [int(word) for word in parent.stdout.readline().split()]
        finally:
            parent.kill()
    assert len(pids) == 4
    until = time.monotonic() + SLOWER * 5
    while (left := [pid for pid in pids if runs(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []


def runs(pid: int) -> bool:
    """Is it there, and not only waiting to be buried?"""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
