"""Tests of the HTTP API through a real uvicorn: the whole way, who is let in, limits, and servers that are away."""

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid

import httpx
import light
import pytest
from patience import SLOWER
from pydantic import SecretStr
from redis_server import free_port
from serving import JPEG, OTHER, PNG, TOKEN, Serving, kept, local_service, ran, settings_of
from starlette.testclient import TestClient

from avatarlab.core.errors import InputError
from avatarlab.service import api, middleware, page
from avatarlab.service.admission import Afterwards, Probe, Uploads, retry_s, within
from avatarlab.service.auth import tokens
from avatarlab.service.avatar import AvatarJob, sniff_photo
from avatarlab.service.bull import BullQueue
from avatarlab.service.jobs import Unavailable
from avatarlab.service.results import Avatars
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import FolderStorage
from avatarlab.service.uploads import Asked, UploadedFile

JOB = {"subject": "anna", "front_key": "mine/front.jpg", "stature_cm": 170}
CLOSED = [("POST", "/avatars"), ("GET", "/avatars/{}"), ("DELETE", "/avatars/{}"), ("GET", "/avatars/{}/files/avatar.glb"),
          ("GET", "/metrics")]  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with local_service(tmp_path_factory.mktemp("local")) as one:
        yield one


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stored(service, id: str) -> list[str]:
    return service.avatars.storage.keys(f"photos/{id}/") + service.avatars.storage.keys(f"avatars/{id}/")


# --- the whole way


def test_from_photos_to_an_avatar_to_nothing(service):
    files = {"front": ("a.png", PNG), "side": ("b.jpg", JPEG)}
    posted = service.post(
        "Anna", files, weight_kg="61.5", definitions="ansur,iso8559", sex="female", arm_down_deg=""
    )
    assert posted.status_code == 202, posted.text
    id, url = posted.json()["id"], posted.json()["url"]
    assert posted.headers["location"] == url == f"{service.url}/avatars/{id}"
    done = service.until(id, "completed")
    assert {*done["files"]} == {"avatar.glb", "measurements.json"} and done["subject"] == "Anna"
    assert not done["placeholder"] and done["links_s"] == 3600
    assert done["measurements"] == done["links"]["measurements.json"]
    for name, file in done["files"].items():
        linked, asked = (
            service.stranger.get(done["links"][name]),
            service.client.get(f"/avatars/{id}/files/{name}"),
        )
        assert sha(linked.content) == sha(asked.content) == file["sha256"]
        assert linked.headers["content-type"] == asked.headers["content-type"] == file["type"]
        assert int(asked.headers["content-length"]) == file["bytes"]
    assert service.stranger.get(done["links"]["manifest.json"]).json()["job"]["definitions"] == [
        "ansur",
        "iso8559",
    ]
    photos = [key for key in stored(service, id) if key.startswith("photos/")]
    assert re.fullmatch(rf"photos/{id}/front-{sha(PNG)[:16]}-[0-9a-f]{{8}}\.png", photos[0])
    assert photos[1].endswith(".jpg") and service.avatars.storage.read(photos[1]) == JPEG
    assert service.client.delete(f"/avatars/{id}").status_code == 204
    assert stored(service, id) == []
    assert service.client.get(f"/avatars/{id}").status_code == 410
    assert service.client.get(f"/avatars/{id}/files/avatar.glb").status_code == 410
    assert service.post(id=id).status_code == 410
    assert service.client.delete(f"/avatars/{id}").status_code == 204


def test_json_names_photos_that_are_in_the_bucket_already(service):
    service.avatars.storage.write("mine/front.jpg", JPEG, "image/jpeg")
    posted = service.client.post("/avatars", json=JOB | {"display_pose": "tpose"})
    done = service.until(posted.json()["id"], "completed")
    assert service.stranger.get(done["links"]["avatar.glb"]).content == b"glTF" + b"tpose" + JPEG


def test_a_form_may_name_a_key_but_not_both(service):
    key = {"front_key": "mine/front.jpg", "subject": "a", "stature_cm": "170"}
    assert service.client.post("/avatars", data=key, files={"side": PNG}).status_code == 202
    both = service.post(front_key="mine/front.jpg")
    assert both.status_code == 422 and both.json()["detail"][0]["field"] == "front_key"


def test_a_failed_job_says_why_and_a_placeholder_too(service):
    failed = service.until(service.post("refuse").json()["id"], "failed")
    assert failed["reason"].startswith("front: no person was found") and failed["links"] == {}
    average = service.until(service.post("average").json()["id"], "completed")
    assert average["placeholder"] and average["reason"] == "no person was found"


def test_progress_is_told(service):
    id = service.post("seconds=0.5").json()["id"]
    assert service.until(id, "active")["state"] == "active"
    end = time.monotonic() + SLOWER * 5
    while (found := service.client.get(f"/avatars/{id}").json())["progress"] != {"stage": "fit", "percent": 50}:
        assert time.monotonic() < end and found["state"] == "active", found
    service.until(id, "completed")


@pytest.mark.parametrize("state", ["waiting", "completed"])
def test_the_same_again_is_harmless_and_another_job_refused(service, state):
    busy = service.post("seconds=0.4").json()["id"] if state == "waiting" else None
    id, subject = str(uuid.uuid4()), f"once-{state}"
    assert service.post(subject, id=id).status_code == 202
    if state == "completed":
        service.until(id, state)
    again = service.post(subject, id=id)
    assert again.status_code == 202 and again.json()["id"] == id
    assert service.post("bert", id=id).status_code == 409
    other_photo = service.post(subject, {"front": ("a.png", PNG + b"other")}, id=id)
    assert other_photo.status_code == 409 and other_photo.json()["detail"][0]["field"] == "id"
    service.until(id, "completed")
    assert len([key for key in stored(service, id) if key.startswith("photos/")]) == 1
    assert not busy or service.until(busy, "completed")


def test_two_at_once_of_one_id_make_one_job(service):
    id, answers = str(uuid.uuid4()), []
    threads = [threading.Thread(target=lambda: answers.append(service.post("twin", id=id))) for _ in range(4)]
    with kept(Afterwards, "DELAYS_S", (0.05, 0.05, 0.05)):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [one.status_code for one in answers] == [202] * 4
        service.until(id, "completed")
        end = time.monotonic() + SLOWER * 5
        while len([key for key in stored(service, id) if key.startswith("photos/")]) != 1:
            assert time.monotonic() < end, stored(service, id)
            time.sleep(0.02)


def test_unknown_is_404_malformed_is_422(service):
    id = uuid.uuid4()
    for method, path in CLOSED[1:4]:
        assert service.client.request(method, path.format(id)).status_code == 404
        wrong = service.client.request(method, path.format("7"))
        assert wrong.status_code == 422 and wrong.json()["detail"][0]["field"] == "id"
    done = service.post().json()["id"]
    service.until(done, "completed")
    assert service.client.get(f"/avatars/{done.upper()}").json()["id"] == done
    assert service.client.get(f"/avatars/{done}/files/person.npz").status_code == 404


def test_delete_takes_the_photos_that_the_job_names_but_no_other_avatars(service):
    storage = service.avatars.storage
    other, foreign = service.post("other").json()["id"], "shop/front.jpg"
    service.until(other, "completed")
    theirs = next(key for key in stored(service, other) if key.startswith("photos/"))
    storage.write(foreign, JPEG, "image/jpeg")
    id = service.client.post("/avatars", json=JOB | {"front_key": foreign, "side_key": theirs}).json()["id"]
    service.until(id, "completed")
    assert service.client.delete(f"/avatars/{id}").status_code == 204
    assert storage.read(foreign) is None and storage.read(theirs) == PNG and stored(service, id) == []


def test_delete_while_a_worker_holds_it(service):
    id = service.post("seconds=0.6 x").json()["id"]
    service.until(id, "active")
    assert service.client.delete(f"/avatars/{id}").status_code == 202
    assert service.client.get(f"/avatars/{id}").status_code == 410
    after = service.post("after").json()["id"]
    service.until(after, "completed")
    assert stored(service, id) == []


# --- who is let in


@pytest.mark.parametrize(("method", "path"), CLOSED)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer ü"]
)
def test_nobody_without_a_token(service, method, path, header):
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    answer = service.stranger.request(method, path.format(uuid.uuid4()), headers=headers)
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["detail"][0]["field"] == "Authorization"


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {OTHER}", f"Bearer  {OTHER}"])
def test_each_of_several_tokens(service, header):
    assert service.stranger.get("/metrics", headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize("text", ["", " , ", "short", f"{TOKEN},short", f"{TOKEN} x", "ü" * 20])
def test_tokens_that_are_none_are_refused_without_being_repeated(text):
    with pytest.raises(InputError, match="^API_TOKENS") as caught:
        tokens(ServiceSettings(_env_file=None, api_tokens=SecretStr(text)))
    assert not text.strip(" ,") or text not in str(caught.value)


# --- limits


def test_a_full_queue_is_503_with_an_estimate_and_health_stays_quick(service):
    with kept(service.settings, "max_waiting", 2):
        service.run(asyncio.sleep(0))
        ids = [service.post(f"seconds=0.3 full-{i}").json()["id"] for i in range(3)]
        refusal = service.post("full")
        assert refusal.status_code == 503 and 5 <= int(refusal.headers["retry-after"]) <= 7
        start = time.monotonic()
        assert service.client.get("/healthz").json() == {"ok": True} and time.monotonic() - start < SLOWER * 0.5
        for id in ids:
            service.until(id, "completed")
        assert service.post("after").status_code == 202


@pytest.mark.parametrize(("waiting", "low", "high"), [(200, 5, 7), (219, 100, 134), (100_000, 600, 800)])
def test_the_estimate_grows_with_the_queue_to_a_limit(waiting, low, high):
    assert all(low <= retry_s(waiting, 200) <= high for _ in range(100))


def test_uploads_at_once_are_limited_and_places_come_back():
    uploads = Uploads(1)
    with uploads.place(), pytest.raises(Exception, match="503"), uploads.place():
        pass
    with uploads.place():
        assert uploads.free == 0


class Endless:
    """A form whose front photo has no end, sent in chunks; counts what was taken of it."""

    def __init__(self, total: int):
        self.total, self.sent = total, 0

    def __iter__(self):
        yield b'--x\r\nContent-Disposition: form-data; name="front"; filename="a.png"\r\n\r\n' + PNG
        while self.sent < self.total:
            yield bytes(1 << 20)
            self.sent += 1 << 20


def test_a_gigabyte_is_refused_at_the_limit_while_it_streams(service, tmp_path):
    with kept(service.app.state, "limit_bytes", 20_000_000), kept(middleware, "LINGER_BYTES", 4_000_000):
        body = Endless(1 << 30)
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        free = os.statvfs("/tmp").f_bavail * os.statvfs("/tmp").f_frsize
        door = http.client.HTTPConnection(
            "127.0.0.1", service.settings.api_base_url.rsplit(":")[-1], timeout=SLOWER * 30
        )
        door.putrequest("POST", "/avatars")
        for name, value in {
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "multipart/form-data; boundary=x",
        }.items():
            door.putheader(name, value)
        door.putheader("Transfer-Encoding", "chunked")
        door.endheaders()
        with contextlib.suppress(OSError):
            for piece in body:
                door.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        answer = door.getresponse()
        told = json.loads(answer.read())
    assert answer.status == 413 and told["detail"][0]["message"].startswith("more than 20 MB")
    assert answer.headers["Connection"] == "close" and answer.will_close
    assert body.sent < 40_000_000, "the server took far more than the limit"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb < 60_000
    assert os.statvfs("/tmp").f_bavail * os.statvfs("/tmp").f_frsize > free - 30_000_000


def raw(service, *lines: str, body: bytes = b"", seconds: float = SLOWER * 5) -> bytes:
    """What the server answers to these bytes until it closes or nothing more comes."""
    with socket.create_connection(("127.0.0.1", int(service.url.rsplit(":")[-1])), timeout=seconds) as door:
        door.sendall("\r\n".join([*lines, "Host: 127.0.0.1", "", ""]).encode("latin-1") + body)
        found = b""
        with contextlib.suppress(TimeoutError):
            while data := door.recv(65536):
                found += data
    return found


def test_a_declared_gigabyte_is_refused_before_it_is_sent(service):
    start = time.monotonic()
    with kept(middleware, "LINGER_S", 0.2):
        found = raw(service, "POST /avatars HTTP/1.1", f"Authorization: Bearer {TOKEN}", "Content-Length: 1000000000",
                    "Content-Type: multipart/form-data; boundary=x", "Expect: 100-continue")  # fmt: skip
    assert found.startswith(b"HTTP/1.1 413") and time.monotonic() - start < SLOWER * 3


def test_without_a_token_nothing_of_a_body_is_read(service):
    with kept(middleware, "LINGER_S", 0.2):
        found = raw(service, "POST /avatars HTTP/1.1", "Content-Length: 1000000000", "Expect: 100-continue")
    assert (
        found.startswith((b"HTTP/1.1 401", b"HTTP/1.1 100")) and b" 401 " in found and b"onnection: close" in found
    )


def test_a_body_that_dawdles_is_refused(service):
    with kept(middleware, "IDLE_S", 0.2), kept(middleware, "LINGER_S", 0.2):
        found = raw(service, "POST /avatars HTTP/1.1", f"Authorization: Bearer {TOKEN}", "Content-Length: 1000",
                    "Content-Type: multipart/form-data; boundary=x", body=b"--x\r\n")  # fmt: skip
    assert found.startswith(b"HTTP/1.1 408")


def test_a_photo_larger_than_a_worker_takes_is_refused_by_name(service):
    with kept(service.settings, "photo_mb", 1):
        answer = service.post(files={"front": PNG, "side": PNG + bytes(1_000_000)})
    assert answer.status_code == 422 and answer.json()["detail"][0]["field"] == "side"


@pytest.mark.parametrize(
    ("head", "ending"),
    [(JPEG, "jpg"), (PNG, "png"), (b"RIFF\0\0\0\0WEBPVP8 ", "webp"), (b"\0\0\0\x18ftypheic", "heic"), (b"GIF89a", None),
     (b"RIFF\0\0\0\0AVI ", None), (b"\0\0\0\x18ftypisom", None), (b"<svg", None), (b"", None)],
)  # fmt: skip
def test_pictures_are_told_by_their_first_bytes(head, ending):
    found = sniff_photo(head)
    assert (found[0] if found else None) == ending


# --- servers that are away


class Moody:
    """A queue in front of a real one, whose ``add`` breaks before or after it is done."""

    def __init__(self, queue):
        self.queue, self.mood = queue, "good"

    def __getattr__(self, name):
        return getattr(self.queue, name)

    async def add(self, id, job):
        if self.mood == "before":
            raise Unavailable("away")
        added = await self.queue.add(id, job)
        if self.mood == "after":
            raise Unavailable("the answer was lost")
        return added


@pytest.fixture
def moody(service):
    queue = Moody(service.avatars.queue)
    with kept(service.avatars, "queue", queue), kept(Afterwards, "DELAYS_S", (0.1,) * 20):
        yield queue


def until_stored(service, id, count):
    end = time.monotonic() + SLOWER * 5
    while len(found := [key for key in stored(service, id) if key.startswith("photos/")]) != count:
        assert time.monotonic() < end, found
        time.sleep(0.02)


def test_a_job_that_cannot_be_added_leaves_no_photo_and_may_come_again(service, moody):
    moody.mood = "before"
    refusal = service.post("again")
    id = refusal.json()["id"]
    assert refusal.status_code == 503 and refusal.headers["retry-after"] == "5"
    until_stored(service, id, 0)
    moody.mood = "good"
    assert service.post("again", id=id).status_code == 202
    service.until(id, "completed")
    until_stored(service, id, 1)


def test_a_job_added_without_an_answer_keeps_its_photos(service, moody):
    moody.mood = "after"
    refusal = service.post("lost-answer")
    assert refusal.status_code == 503
    id = refusal.json()["id"]
    assert service.until(id, "completed")["state"] == "completed"
    moody.mood = "good"
    assert service.post("lost-answer", id=id).json()["state"] == "completed"
    time.sleep(0.3)  # several turns of what tidies up
    until_stored(service, id, 1)


def test_a_photo_that_cannot_be_stored_leaves_nothing(service, moody):
    storage, real = service.avatars.storage, service.avatars.storage.store

    def store(key, path, kind):
        if "/side-" in key:
            raise Unavailable("the disk is full")
        real(key, path, kind)

    with kept(storage, "store", store):
        refusal = service.post(files={"front": PNG, "side": PNG})
    assert refusal.status_code == 503 and "disk" not in refusal.text
    until_stored(service, refusal.json()["id"], 0)
    assert service.client.get(f"/avatars/{refusal.json()['id']}").status_code == 404


def test_a_delete_is_finished_later_where_the_storage_breaks_off(service, moody):
    id = service.post("gone").json()["id"]
    service.until(id, "completed")
    storage, real, calls = service.avatars.storage, service.avatars.storage.delete, []

    def delete(keys):
        calls.append(1)
        if len(calls) < 3:
            raise Unavailable("away")
        real(keys)

    with kept(storage, "delete", delete):
        assert service.client.delete(f"/avatars/{id}").status_code == 503
        assert service.client.get(f"/avatars/{id}").status_code == 410
        until_stored(service, id, 0)
    assert len(calls) == 3


def test_what_was_being_written_while_an_avatar_was_deleted_goes_too(service, moody):
    """A POST between its photos, a storage whose list lags: the delete comes once more."""
    id = service.post("late").json()["id"]
    service.until(id, "completed")
    assert service.client.delete(f"/avatars/{id}").status_code == 204
    service.avatars.storage.write(f"photos/{id}/front-late.jpg", JPEG, "image/jpeg")
    until_stored(service, id, 0)


def test_a_photo_that_a_producer_puts_where_a_deleted_one_was_stays(service, moody):
    storage, key = service.avatars.storage, "shop/anna.jpg"
    storage.write(key, JPEG, "image/jpeg")
    id = service.client.post("/avatars", json=JOB | {"front_key": key}).json()["id"]
    service.until(id, "completed")
    assert service.client.delete(f"/avatars/{id}").status_code == 204 and storage.read(key) is None
    storage.write(key, PNG, "image/png")
    storage.write(f"photos/{id}/front-late.jpg", JPEG, "image/jpeg")
    until_stored(service, id, 0)
    assert storage.read(key) == PNG


def test_a_storage_whose_list_lags_keeps_no_result_that_the_manifest_names(service, moody):
    id = service.post("lags").json()["id"]
    service.until(id, "completed")
    with kept(service.avatars.storage, "keys", lambda prefix: []):
        assert service.client.delete(f"/avatars/{id}").status_code == 204
    assert stored(service, id) == []


def test_uploads_of_a_killed_process_go_at_the_next_start(service, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / "avatarlab-work-of-the-dead"
    (left / "x").mkdir(parents=True)
    (left / "owner").touch()
    (left / "x" / "front").write_bytes(PNG)
    app = api.create(settings_of(1), service.avatars.storage, service.avatars.queue)
    with TestClient(app) as client:
        assert not left.exists()
        with app.state.scratch.folder() as folder:
            assert folder.is_relative_to(tmp_path) and client.get("/healthz").status_code == 200
    assert not list(tmp_path.glob("avatarlab-*"))


@pytest.fixture(scope="module")
def lonely(tmp_path_factory):
    """The API before a Redis that is not there."""
    folder = tmp_path_factory.mktemp("lonely")

    @contextlib.asynccontextmanager
    async def opening(settings):
        queue = BullQueue(settings)
        yield api.create(settings, FolderStorage(folder, settings.api_base_url, "s" * 32), queue)
        await queue.close()

    with Serving(opening, redis_url=SecretStr(f"redis://:secret-of-redis@127.0.0.1:{free_port()}")) as one:
        yield one


def test_without_redis_all_is_503_but_health(lonely):
    id = uuid.uuid4()
    for answer in (
        lonely.post(), lonely.client.get(f"/avatars/{id}"), lonely.client.delete(f"/avatars/{id}"),
        lonely.client.get(f"/avatars/{id}/files/avatar.glb"),
    ):  # fmt: skip
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5" and "redis" not in answer.text
    assert lonely.avatars.storage.keys("photos/") == []
    ready = lonely.client.get("/readyz")
    assert ready.status_code == 503 and ready.json() == {"queue": False, "storage": True}
    assert lonely.client.get("/healthz").status_code == 200
    metrics = lonely.client.get("/metrics")
    assert metrics.status_code == 200 and "avatar_queue_jobs{" not in metrics.text


def test_what_takes_too_long_is_away_and_one_question_is_asked_at_a_time():
    asked = []

    async def ask():
        asked.append(1)
        await asyncio.sleep(30)

    async def main():
        with pytest.raises(Unavailable, match="no answer within 0.01 s"):
            await within(asyncio.sleep(30), 0.01)
        probe = Probe(ask)
        return [await probe.ok(0.01), await probe.ok(0.01)]

    assert ran(main()) == [False, False] and len(asked) == 1


def test_a_frozen_queue_is_given_up(tmp_path):
    async def main():
        queue = Moody(None)
        queue.forgotten = lambda id: asyncio.sleep(30)
        ours = Avatars(settings_of(1), FolderStorage(tmp_path, "http://x", "s" * 32), queue)
        job = AvatarJob(**JOB)
        with kept(within, "__defaults__", (0.05, "queue")), pytest.raises(Unavailable):
            await ours.take(Asked(str(uuid.uuid4()), job, [UploadedFile("k", tmp_path / "front", "image/png")]))

    ran(main())


# --- what it tells of itself


def test_metrics_count_the_queue_and_name_routes_not_paths(service):
    service.client.get(f"/avatars/{uuid.uuid4()}")
    service.client.get("/nothing/here")
    service.client.request("BREW", "/healthz")
    text = service.client.get("/metrics").text
    assert 'avatar_queue_jobs{state="waiting"}' in text and 'avatar_queue_jobs{state="failed"}' in text
    assert 'route="/avatars/{id}",status="404"' in text and 'method="other"' in text
    assert "nothing/here" not in text and "BREW" not in text and 'route="none"' in text


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/", 200), ("/docs", 200), ("/static/page.css", 200), ("/metrics", 200), ("/nowhere", 404),
     ("/avatars/6f1c2b9e-3d47-4e5a-9c80-1b2d3f4a5c6d", 404), ("/avatars/x", 422)],
)  # fmt: skip
def test_every_answer_is_fenced_in(service, path, status):
    answer = service.client.get(path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (
        answer.headers["x-content-type-options"] == "nosniff"
        and answer.headers["referrer-policy"] == "no-referrer"
    )


def test_the_page_is_a_fixed_list_of_files(service):
    index = service.client.get("/")
    assert index.headers["content-security-policy"] == page.CSP and "<script" in index.text
    for name, kind in page.ASSETS.items():
        answer = service.client.get(f"/static/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"] == kind
        again = service.client.get(f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304 and again.content == b""
    for name in ("__init__.py", "index.html", "package.json", "..%2fapi.py", "%2e%2e/api.py", ""):
        assert service.client.get(f"/static/{name}").status_code == 404, name


def test_an_unforeseen_fault_tells_nothing(service):
    with kept(service.avatars, "show", lambda id: 1 / 0):
        # after a fault the server closes; a connection that is kept would be found closed by the next test
        answer = service.client.get(f"/avatars/{uuid.uuid4()}", headers={"Connection": "close"})
    assert answer.status_code == 500 and "ZeroDivision" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_description_is_openapi_3_0_with_both_bodies(service):
    made = service.client.get("/openapi.json").json()
    assert made["openapi"] == "3.0.3" and '"null"' not in json.dumps(made)
    body = made["paths"]["/avatars"]["post"]["requestBody"]["content"]
    assert body["multipart/form-data"]["schema"]["properties"]["front"]["format"] == "binary"
    assert "front_key" in body["application/json"]["schema"]["required"]
    for path, routes in made["paths"].items():
        for route in routes.values():
            assert bool(route.get("security")) == (path not in ("/healthz", "/readyz")), path


@pytest.mark.browser
def test_the_description_shows_offline_under_its_policy(service, chromium):
    shown, complaints = chromium.new_page(), []
    shown.on("console", lambda one: complaints.append(one.text) if one.type in ("error", "warning") else None)
    shown.on("requestfailed", lambda request: complaints.append(request.url))
    foreign = []
    shown.on("request", lambda request: foreign.append(request.url))
    shown.goto(f"{service.url}/docs")
    shown.get_by_text("Ask for an avatar").click()
    shown.get_by_text("multipart/form-data").first.wait_for(state="attached")
    shown.close()
    assert complaints == [] and all(url.startswith((service.url, "data:")) for url in foreign)


# --- as it is started


S3 = {"S3_ACCESS_KEY": "access-key", "S3_SECRET_KEY": "secret-key"}


def started(tmp_path, *words, **env):
    """``uvicorn avatarlab.service.api:app`` in a process of its own."""
    kept_names = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-m", "uvicorn", "avatarlab.service.api:app", *words]
    return subprocess.Popen(
        command, cwd=tmp_path, env=kept_names | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("env", "words"),
    [({}, "API_TOKENS is not set"), ({"API_TOKENS": TOKEN, "AVATAR_UPLOAD_MB": "secret-7"}, "AVATAR_UPLOAD_MB"),
     ({"API_TOKENS": TOKEN, "WEBHOOK_SECRET": "secret-7", **S3}, "WEBHOOK_SECRET: expected"),
     ({"API_TOKENS": TOKEN, "CALLBACK_ORIGINS": "secret-7", **S3}, "CALLBACK_ORIGINS: expected"),
     ({"API_TOKENS": TOKEN, "REDIS_URL": "secret-7", **S3}, "REDIS_URL: expected"),
     ({"API_TOKENS": TOKEN, "S3_ENDPOINT": "ftp://u:secret-7@x", **S3}, "S3_ENDPOINT, "),
     ({"API_TOKENS": TOKEN, "S3_ENDPOINT": "http://[::1", **S3}, "S3_ENDPOINT, ")],
)  # fmt: skip
def test_it_says_in_one_line_why_it_does_not_start(tmp_path, monkeypatch, env, words):
    for field in ServiceSettings.model_fields.values():
        for name in field.validation_alias.choices:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    said = []

    async def main():
        async def receive():
            return {"type": "lifespan.startup"}

        async def send(message):
            said.append(message)

        await api.build(api.from_environment)({"type": "lifespan", "state": {}}, receive, send)

    ran(main())
    assert [one["type"] for one in said] == ["lifespan.startup.failed"]
    assert words in said[0]["message"] and "\n" not in said[0]["message"] and "secret-7" not in said[0]["message"]


def test_without_tokens_uvicorn_ends_with_that_line(tmp_path):
    text, _ = (process := started(tmp_path, "--port", "0")).communicate(timeout=SLOWER * 60)
    errors = [line for line in text.splitlines() if "ERROR" in line and "Exiting" not in line]
    assert process.returncode != 0 and len(errors) == 1 and "API_TOKENS is not set" in errors[0], text
    assert "Traceback" not in text


def test_it_starts_without_servers_logs_no_token_and_ends_at_once(tmp_path):
    port = free_port()
    servers = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}", "S3_ENDPOINT": f"127.0.0.1:{free_port()}"}
    process = started(
        tmp_path, "--port", str(port), API_TOKENS=TOKEN, S3_ACCESS_KEY="a", S3_SECRET_KEY="b", **servers
    )
    try:
        end = time.monotonic() + SLOWER * 30
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKEN}"}
        ) as client:
            while True:
                try:
                    assert client.get("/healthz").status_code == 200
                    break
                except httpx.TransportError:
                    assert time.monotonic() < end and process.poll() is None
                    time.sleep(0.05)
            assert client.get(f"/avatars/{uuid.uuid4()}").status_code == 503
        process.send_signal(signal.SIGTERM)
        text, _ = process.communicate(timeout=SLOWER * 10)
    finally:
        process.kill()
    assert "/avatars/" in text and "Traceback" not in text
    assert re.search(r"^20\S+Z WARNING event=api\.unavailable ", text, re.M), text
    assert TOKEN not in text and S3["S3_SECRET_KEY"] not in text


def test_it_holds_no_model():
    code = "import sys, avatarlab.service.api, avatarlab.service.local; print({'torch', 'mediapipe', 'cv2'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SLOWER * 60)
    assert done.stdout.strip() == "set()", done


# --- with real servers


@pytest.mark.faults
def test_with_redis_and_s3_and_a_real_worker(tmp_path, redis_server, swift):
    queue = f"api-{uuid.uuid4().hex[:8]}"
    fields = swift.settings_fields()

    @contextlib.asynccontextmanager
    async def opening(settings):
        from avatarlab.service.storage import open_storage

        ours = BullQueue(settings)
        yield api.create(settings, open_storage(settings), ours)
        await ours.close()

    names = {name: ServiceSettings.model_fields[name].validation_alias.choices[0] for name in fields}
    env = {names[name]: str(plain(value)) for name, value in fields.items()}
    with Serving(opening, redis_url=SecretStr(redis_server.url), queue=queue, **fields) as service:
        assert service.client.get("/readyz").json() == {"queue": True, "storage": True}
        worker = light.LightWorker(tmp_path, REDIS_URL=redis_server.url, AVATAR_QUEUE=queue, **env)
        try:
            id = service.post("seconds=0.5", {"front": PNG, "side": JPEG}).json()["id"]
            assert service.post("seconds=0.5", {"front": PNG, "side": JPEG}, id=id).status_code == 202
            assert service.post("other", id=id).status_code == 409
            done = service.until(id, "completed", seconds=60)
            for name, file in done["files"].items():
                linked = service.stranger.get(done["links"][name])
                assert sha(linked.content) == file["sha256"], name
                assert sha(service.client.get(f"/avatars/{id}/files/{name}").content) == file["sha256"]
                assert service.stranger.get(done["links"][name].replace(id, str(uuid.uuid4()))).status_code == 403
            assert len(stored(service, id)) == len(done["files"]) + 3
            assert service.client.delete(f"/avatars/{id}").status_code == 204
            assert stored(service, id) == [] and service.client.get(f"/avatars/{id}").status_code == 410
            assert service.stranger.get(done["links"]["avatar.glb"]).status_code == 404
            running = service.post("seconds=2").json()["id"]
            service.until(running, "active")
            assert service.client.delete(f"/avatars/{running}").status_code == 202
            assert service.client.get(f"/avatars/{running}").status_code == 410
            last = service.post("refuse").json()["id"]
            assert "no person" in service.until(last, "failed")["reason"]
            assert stored(service, running) == []
            assert 'avatar_queue_jobs{state="failed"} 1.0' in service.client.get("/metrics").text
            assert worker.end() == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.process.pid, signal.SIGKILL)


def plain(value):
    return value.get_secret_value() if isinstance(value, SecretStr) else value
