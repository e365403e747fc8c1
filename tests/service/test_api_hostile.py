"""Tests of the API against those who mean harm: paths, names, forms, numbers, links. No answer may be a 500."""

import json
import socket
import time

import httpx
import light
import pytest
from patience import SLOWER
from pydantic import SecretStr
from serving import JPEG, PNG, TOKEN, kept, local_service

from avatarlab.service.callbacks import read_secrets

JOB = {"subject": "anna", "front_key": "mine/front.jpg", "stature_cm": 170}
EVIL = "<img src=x onerror=alert(1)>'; DROP TABLE jobs; --\"}{{7*7}}${7*7}"
SURROGATE = "input should be a valid string, unable to parse raw data as a unicode string (got '\\ud800')"
WEBHOOK = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def service(folder):
    """Whatever is asked of it: in the end nothing lies beside the storage, and it lives."""
    with local_service(folder, light.load) as one:
        one.avatars.storage.write(JOB["front_key"], JPEG, "image/jpeg")
        before = {*folder.parent.iterdir()}
        yield one
        assert {path.name for path in folder.iterdir()} == {"objects", "incoming", "jobs"}
        assert {*folder.parent.iterdir()} == before
        assert one.client.get("/healthz").status_code == 200


def refused(answer: httpx.Response, status: int = 422, field: str | None = None) -> str:
    """Assert a refusal in the one form, as data; return its first message."""
    assert answer.status_code == status, answer.text
    assert (
        answer.headers["content-type"] == "application/json"
        and answer.headers["x-content-type-options"] == "nosniff"
    )
    detail = answer.json()["detail"]
    assert all({*one} == {"field", "message"} and one["message"] for one in detail) and len(answer.content) < 4000
    assert field is None or field in {one["field"] for one in detail}, detail
    return detail[0]["message"]


def raw(service, data: bytes, seconds: float = 3) -> bytes:
    """The answer to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", int(service.url.rsplit(":")[-1])), timeout=seconds) as door:
        door.sendall(data)
        found = b""
        try:
            while part := door.recv(65536):
                found += part
        except (TimeoutError, ConnectionResetError):
            pass
    return found


def get(service, path: str, host: str = "127.0.0.1") -> bytes:
    return raw(service, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
               .encode("latin-1"))  # fmt: skip


def form(
    service, *parts: bytes, boundary: bytes = b"x", end: bytes = b"--x--\r\n", kind: bytes | None = None
) -> bytes:
    """The answer to a form of these parts, each its headers and body."""
    body = b"".join(b"--" + boundary + b"\r\nContent-Disposition: " + part + b"\r\n" for part in parts) + end
    kind = kind if kind is not None else b"multipart/form-data; boundary=x"
    head = (
        b"POST /avatars HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nConnection: close\r\n"
        % TOKEN.encode()
    )
    return raw(service, head + b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body)


# --- paths, ids, names


@pytest.mark.parametrize(
    "key",
    ["../x", "a/../../x", "/etc/passwd", "..", ".", "", "a//b", "a/./b", "..\\x", "a\0b", "a\r\nX-Evil: 1", "avatars/x/y",
     "avatars", "avatars/6f1c2b9e-3d47-4e5a-9c80-1b2d3f4a5c6d/manifest.json", "x" * 513, "a/\u202eb", "\ud800", "file:\\\\x", "a/", "http://169.254.169.254/", "s3://other/x"],
)  # fmt: skip
def test_keys_lead_nowhere(service, key):
    body = json.dumps(JOB | {"front_key": key, "side_key": key})
    answer = service.client.post("/avatars", content=body, headers={"Content-Type": "application/json"})
    refused(answer, 422, "front_key")
    refused(answer, 422, "side_key")


@pytest.mark.parametrize(
    "key", ["%2e%2e/x", "http:169.254.169.254", "s3:other/x", "~/.ssh/id_rsa", "$HOME", "a b?c#d", "x" * 400]
)
def test_keys_that_look_like_something_are_only_keys(service, key):
    id = service.client.post("/avatars", json=JOB | {"front_key": key}).json()["id"]
    assert "no such object" in service.until(id, "failed")["reason"]
    assert service.client.delete(f"/avatars/{id}").status_code == 204


@pytest.mark.parametrize(
    "id", ["../../x", "x", "1", "{}", "0" * 10_000, "\ud800", "\r\nX: 1", 7, ["a"], {"a": 1}, True, ""]
)
def test_ids_are_uuids(service, id):
    body = json.dumps(JOB | {"id": id})
    refused(service.client.post("/avatars", content=body, headers={"Content-Type": "application/json"}), 422, "id")
    if isinstance(id, str) and id.isascii() and 0 < len(id) < 8000 and "\r" not in id:
        refused(service.post(id=id), 422, "id")


@pytest.mark.parametrize(
    "path",
    ["/avatars/../secrets.json", "/avatars/%2e%2e%2fsecrets.json", "/avatars/..%5c..%5cx", "/avatars/%00", "/avatars/%ff",
     "/avatars/6f1c2b9e-3d47-4e5a-9c80-1b2d3f4a5c6d%0d%0aX-Evil:1", "/avatars/" + "a" * 8000, "/static/../../etc/passwd",
     "/static/%2e%2e/%2e%2e/api.py", "/static/..%2fapi.py", "//etc/passwd", "/files/../../secrets.json", "/files/",
     "/files/%2e%2e/secrets.json?expires=9999999999&signature=0", "/files/jobs/x.json?expires=9999999999&signature=",
     "/%00", "/docs/../../x"],
)  # fmt: skip
def test_paths_lead_nowhere(service, path):
    found = get(service, path)
    assert found.split(b" ", 2)[1] in (b"400", b"403", b"404", b"422"), found[:200]
    assert b"X-Evil:1\r\n" not in found and b"root:" not in found


def test_file_names_are_those_of_the_manifest(service):
    id = service.post().json()["id"]
    service.until(id, "completed")
    for name in ("../../../secrets.json", "..%2f..%2f..%2fsecrets.json", "%2e%2e", "avatar.glb%00.png", "AVATAR.GLB", "",
                 "avatar.glb/..", "..%2favatar.glb", "front.png", "x" * 5000):  # fmt: skip
        status = get(service, f"/avatars/{id}/files/{name}").split(b" ", 2)[1]
        assert status == b"404", (name, status)
    assert get(service, f"/avatars/{id}/files/avatar.glb").startswith(b"HTTP/1.1 200")


# --- text


@pytest.mark.parametrize(
    "subject", [EVIL, "Robert'); DROP TABLE Students;--", "😀 ü", "\u202eabc", "</script><script>"]
)
def test_a_subject_is_data_and_comes_back_as_it_was(service, subject):
    for posted in (service.post(subject), service.client.post("/avatars", json=JOB | {"subject": subject})):
        found = service.until(posted.json()["id"], "completed")
        assert found["subject"] == subject
        answer = service.client.get(f"/avatars/{posted.json()['id']}")
        assert (
            answer.headers["content-type"] == "application/json"
            and answer.headers["x-content-type-options"] == "nosniff"
        )
        assert subject in service.stranger.get(found["links"]["manifest.json"]).json()["job"]["subject"]


@pytest.mark.parametrize("name", [EVIL, "a\0b", "\ud800", "__class__", "x" * 5000, "subject\n"])
def test_names_of_fields_are_not_echoed_at_length_or_raw(service, name):
    body = json.dumps(JOB | {name: EVIL})
    message = refused(service.client.post("/avatars", content=body, headers={"Content-Type": "application/json"}))
    assert message in ("there is no such field", SURROGATE)


@pytest.mark.parametrize(
    "name",
    [b"x\r\nX-Evil: 1", b'x"; filename="../../evil.png', b"../../evil.png", b"\xff\xfe", b"a" * 3000, b"\0", b""],
)
def test_names_of_files_are_not_used(service, name):
    found = form(service, b'form-data; name="subject"\r\n\r\nanna', b'form-data; name="stature_cm"\r\n\r\n170',
                 b'form-data; name="front"; filename="' + name + b'"\r\n\r\n' + PNG)  # fmt: skip
    status, _, rest = found.partition(b"\r\n")
    assert status.split(b" ")[1] in (b"202", b"422"), found[:300]
    assert b"X-Evil" not in rest and b"evil" not in rest
    assert all("evil" not in key for key in service.avatars.storage.keys("photos/"))


# --- forms


def test_too_many_fields_or_files(service):
    files = [("front", ("a.png", PNG)), ("side", ("b.png", PNG)), ("front", ("c.png", PNG))]
    assert "Too many files" in refused(
        service.client.post("/avatars", data={"subject": "a"}, files=files), 422, "body"
    )
    fields = {f"f{i}": "1" for i in range(40)}
    assert "Too many fields" in refused(
        service.client.post("/avatars", data=fields, files={"front": PNG}), 422, "body"
    )
    long = service.post("a" * 10_000)
    assert "maximum size" in refused(long, 422, "body")


@pytest.mark.parametrize(
    ("fields", "files", "field"),
    [({"subject": ["a", "b"]}, {"front": PNG}, "subject"), ({"front": "text"}, {"side": PNG}, "front"),
     ({}, {"front": PNG, "subject": ("s.txt", b"anna")}, "subject"), ({}, [("front", PNG), ("front", PNG)], "front"),
     ({}, {"face": PNG}, "face"), ({}, {"side": PNG}, "front"), ({"front_key": "x"}, {"front": PNG}, "front_key")],
)  # fmt: skip
def test_fields_and_files_in_the_wrong_place(service, fields, files, field):
    answer = service.client.post("/avatars", data={"subject": "a", "stature_cm": "170"} | fields, files=files)
    refused(answer, 422, field)


@pytest.mark.parametrize(
    "data",
    [b"GIF89a" + bytes(99), b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b"<!doctype html>", b"%PDF-1.7",
     b"PK\3\4", b"", b"\xff", b"\0" * 1000, b"#!/bin/sh\nreboot", b"\x7fELF" + bytes(99), b"RIFF\0\0\0\0WAVE"],
)  # fmt: skip
def test_what_is_no_photo_is_refused_in_words(service, data):
    message = refused(service.post(files={"front": ("me.jpg", data, "image/jpeg")}), 422, "front")
    assert "JPEG, PNG, WebP or HEIC" in message


def test_a_photo_that_only_begins_like_one_is_the_workers_to_judge(service):
    assert service.post(files={"front": ("a", JPEG[:3] + EVIL.encode(), "text/html")}).status_code == 202


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp", "text/html", "application/xml", "json",
     "multipart/mixed; boundary=x", "image/jpeg"],
)  # fmt: skip
def test_wrong_content_types(service, kind):
    refused(service.client.post("/avatars", content=b"{}", headers={"Content-Type": kind}), 415, "Content-Type")


@pytest.mark.parametrize(
    ("kind", "end"),
    [(b"multipart/form-data", b"--x--\r\n"), (b"multipart/form-data; boundary=", b"--x--\r\n"),
     (b"multipart/form-data; boundary=other", b"--x--\r\n"), (b"multipart/form-data; boundary=x", b""),
     (b"multipart/form-data; boundary=" + b"x" * 5000, b""), (b"multipart/form-data; boundary=\xff\xfe", b""),
     (b"multipart/form-data; boundary=x; charset=\xff", b"--x--\r\n"),
     (b"multipart/form-data; boundary=x; charset=base64", b"--x--\r\n"),
     (b"multipart/form-data; boundary=x; charset=utf-16", b"--x--\r\n")],
)  # fmt: skip
def test_broken_forms(service, kind, end):
    found = form(service, b'form-data; name="subject"\r\n\r\nanna\xff', kind=kind, end=end)
    assert found.split(b" ", 2)[1] in (b"400", b"422"), found[:300]


def test_who_hangs_up_leaves_no_traceback_and_no_file(service, caplog):
    before = service.avatars.storage.keys("photos/")
    head = (
        f"POST /avatars HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9999\r\n"
    )
    kind = "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    counted = service.client.get("/metrics").text.count('status="400"')
    with socket.create_connection(("127.0.0.1", int(service.url.rsplit(":")[-1]))) as door:
        door.sendall((head + kind).encode())
    end = time.monotonic() + SLOWER * 5
    while service.client.get("/metrics").text.count('status="400"') == counted:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert "Traceback" not in caplog.text and "ERROR" not in caplog.text
    assert service.avatars.storage.keys("photos/") == before


@pytest.mark.parametrize(
    "part",
    [b"form-data\r\n\r\nx", b'form-data; name=""\r\n\r\nx', b"x" * 100_000 + b"\r\n\r\nx", b'form-data; name="\xff"\r\n\r\nx',
     b'form-data; name="subject"\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==', b"\r\n\r\n", b'form-data; name*=x\r\n\r\n1'],
)  # fmt: skip
def test_broken_parts(service, part):
    assert form(service, part).split(b" ", 2)[1] in (b"400", b"422")


# --- JSON and numbers


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"7", b"\xff\xfe", b"[" * 60_000, b'{"a":' * 10_000, b"9" * 5000,
     b'{"stature_cm": NaN}', b'{"stature_cm": Infinity}', b'{"subject": -Infinity}'],
)  # fmt: skip
def test_broken_json(service, body):
    refused(
        service.client.post("/avatars", content=body, headers={"Content-Type": "application/json"}), 422, "body"
    )


def test_much_json_is_refused(service):
    refused(service.client.post("/avatars", json=JOB | {"subject": "a" * 100_000}), 413, "body")


@pytest.mark.parametrize(
    "value", ["1e999", "1" + "0" * 400, "-1", "0", "true", '"170"', "null", "[170]", '{"a":1}', "1.75"]
)
def test_numbers_in_json(service, value):
    body = json.dumps(JOB).replace("170", value)
    message = refused(service.client.post("/avatars", content=body, headers={"Content-Type": "application/json"}), 422,
                      "stature_cm")  # fmt: skip
    assert value != "1.75" or "Did you pass metres?" in message


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", "1e999", "1_70x", "0x70", "", "170cm", "1,75", "٣", "1" * 5000]
)
def test_numbers_in_forms(service, value):
    refused(service.post(stature_cm=value), 422, "stature_cm")


@pytest.mark.parametrize(
    ("field", "value"), [("arm_down_deg", "nan"), ("weight_kg", "inf"), ("definitions", "ansur,ansur"), ("sex", EVIL),
                         ("definitions", "a" * 3000), ("display_pose", "\0"), ("on_failure", "Fail")],
)  # fmt: skip
def test_other_fields_in_forms(service, field, value):
    refused(service.post(**{field: value}), 422)


# --- callbacks


CALLS = ["http://127.0.0.1/x", "https://127.1/", "https://2130706433/", "https://[::1]/", "https://169.254.169.254/latest",
         "https://localhost/", "https://user:pass@shop.example/", "https://shop.example:22/", "http://shop.example/",
         "file:///etc/passwd", "gopher://x", "https://metadata.internal/", "https://shop.example\r\nX: 1", "javascript:1"]  # fmt: skip


@pytest.mark.parametrize("url", CALLS)
def test_callbacks_into_the_house_are_refused_at_the_door(service, url):
    with kept(service.settings, "webhook_secret", SecretStr(WEBHOOK)):
        assert read_secrets(WEBHOOK)
        refused(service.client.post("/avatars", json=JOB | {"callback_url": url}), 422, "callback_url")


def test_callbacks_need_a_secret_here(service):
    answer = service.client.post("/avatars", json=JOB | {"callback_url": "https://shop.example/avatars"})
    assert "WEBHOOK_SECRET" in refused(answer, 422, "callback_url")


# --- the embedded service's own doors


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1]", "169.254.169.254", "x"]
)
def test_another_name_for_this_machine_is_refused(service, host):
    for path in ("/", "/healthz", "/avatars/x"):
        assert get(service, path, host).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:1"])
def test_its_own_names_are_taken(service, host):
    assert get(service, "/healthz", host).startswith(b"HTTP/1.1 200")


def test_links_open_one_file_for_a_time(service):
    id = service.post().json()["id"]
    link = httpx.URL(service.until(id, "completed")["links"]["avatar.glb"])
    assert service.stranger.get(link).status_code == 200
    good = dict(link.params)
    for changed in ({"expires": "9999999999"}, {"signature": "0" * 64}, {"signature": ""}, {"expires": ""},
                    {"expires": "x"}, {"expires": "²"}, {"expires": "9" * 30}, {"filename": "evil.exe"},
                    {"signature": "\ud7ff"}, {"filename": 'x"\r\nX-Evil: 1'}):  # fmt: skip
        answer = service.stranger.get(link.copy_with(params=good | changed))
        assert answer.status_code == 403 and "x-evil" not in answer.headers, changed
    other = str(link).replace("/avatar.glb?", "/manifest.json?")
    assert service.stranger.get(other).status_code == 403
    with kept(service.settings, "link_s", 1):
        stale = service.client.get(f"/avatars/{id}").json()["links"]["avatar.glb"]
    end = time.monotonic() + SLOWER * 5
    while service.stranger.get(stale).status_code != 403:
        assert time.monotonic() < end, "the link does not expire"
        time.sleep(0.1)
    assert service.stranger.get(link.copy_with(path=link.path.replace("/files/", "/files//"))).status_code in (
        403,
        404,
    )


@pytest.mark.parametrize("name", ["PUT", "PATCH", "TRACE", "CONNECT", "PROPFIND", "X" * 100])
def test_other_methods(service, name):
    assert service.client.request(name, "/avatars").status_code in (400, 404, 405)


def test_headers_of_any_size_are_the_servers_to_refuse(service):
    found = raw(service, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n")
    assert not found or found.split(b" ", 2)[1] in (b"400", b"431")
