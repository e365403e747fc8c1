"""Links of both storages: good for what they name and for their time, for nothing else (row 13 of the test plan)."""

import time
import urllib.error
import urllib.request
import uuid
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from front import Front
from patience import SLOWER

from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import FolderStorage, open_storage

DATA = b"glTF and so on"


@pytest.fixture
def fields(swift):
    return swift.settings_fields(bucket=f"t-{uuid.uuid4()}")


@pytest.fixture
def bucket(fields):
    storage = open_storage(ServiceSettings(**fields))
    storage.write("avatars/1/avatar.glb", DATA, "model/gltf-binary")
    storage.write("avatars/2/avatar.glb", b"somebody else's", "model/gltf-binary")
    return storage


@pytest.fixture
def folder(tmp_path):
    return FolderStorage(tmp_path, "http://127.0.0.1:8080/", "sixteen bytes or more")


def get(url: str) -> tuple[int, bytes, dict]:
    """Status, body and headers."""
    try:
        with urllib.request.urlopen(url, timeout=SLOWER * 10) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def asked(storage: FolderStorage, url: str) -> bool:
    """What a route does with a link of a folder."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return storage.verify(unquote(parts.path).removeprefix("/files/"), **query)


def test_a_bucket_link_downloads(bucket):
    status, body, headers = get(bucket.link("avatars/1/avatar.glb", 60))
    assert (status, body, headers["Content-Type"]) == (200, DATA, "model/gltf-binary")
    assert "Content-Disposition" not in headers
    status, body, headers = get(bucket.link("avatars/1/avatar.glb", 60, "anna 1.glb"))
    assert (status, body) == (200, DATA)
    assert headers["Content-Disposition"] == 'attachment; filename="anna 1.glb"'


def test_a_tampered_bucket_link_is_refused(bucket, swift):
    link = bucket.link("avatars/1/avatar.glb", 60, "a.glb")
    signature = parse_qs(urlsplit(link).query)["X-Amz-Signature"][0]
    tampered = {
        "signature": link.replace(signature, ("0" if signature[0] != "0" else "1") + signature[1:]),
        "key": link.replace("/avatars/1/", "/avatars/2/"),
        "life": link.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        "filename": link.replace("a.glb%22", "b.exe%22"),
    }
    assert link not in tampered.values()
    assert {name: get(url)[0] for name, url in tampered.items()} == dict.fromkeys(tampered, 403)
    assert get(link.partition("?")[0])[0] in (400, 403), "without a signature"
    assert swift.keys["worker"] not in link


def test_a_wrong_secret_signs_nothing(bucket, fields):
    stranger = open_storage(ServiceSettings(**fields | {"s3_secret_key": "a guess of a secret"}))
    status, body, _ = get(stranger.link("avatars/1/avatar.glb", 60))
    assert status == 403
    assert DATA not in body


def test_a_bucket_link_ends(bucket):
    link = bucket.link("avatars/1/avatar.glb", 2)
    assert get(link)[0] == 200
    until = time.monotonic() + SLOWER * 8
    while (status := get(link)[0]) == 200 and time.monotonic() < until:
        time.sleep(0.2)
    assert status == 403


@pytest.mark.parametrize("seconds", [0, -1, 604_801])
def test_a_life_that_s3_does_not_know(bucket, folder, seconds):
    for storage in (bucket, folder):
        with pytest.raises(ValueError, match="expire"):
            storage.link("avatars/1/avatar.glb", seconds)


def test_links_are_made_for_the_address_that_clients_use(bucket, fields, swift):
    with Front(swift.front.behind) as outside:
        public = f"http://localhost:{outside.port}"
        link = open_storage(ServiceSettings(**fields, s3_public_endpoint=public)).link("avatars/1/avatar.glb", 60)
        assert link.startswith(f"{public}/{fields['s3_bucket']}/avatars/1/avatar.glb?")
        assert get(link)[1] == DATA
        assert outside.asked == 1
        inside = link.replace(f"localhost:{outside.port}", f"127.0.0.1:{swift.front.port}")
        assert get(inside)[0] == 403, "the host is part of what is signed"


def test_a_folder_link_is_good_for_what_it_names(folder):
    link = folder.link("avatars/1/a vatar+ü.glb", 60)
    assert link.startswith("http://127.0.0.1:8080/files/avatars/1/a%20vatar%2B%C3%BC.glb?expires=")
    assert asked(folder, link)
    named = folder.link("avatars/1/avatar.glb", 60, "anna 1.glb")
    assert asked(folder, named)
    tampered = [
        named.replace("/avatars/1/", "/avatars/2/"),
        named.replace("expires=", "expires=9"),
        named.replace("anna", "otto"),
        named.replace("signature=", "signature=0"),
        named.replace("signature=", "signature=%C3%BC"),
        link.replace("/a%20vatar", "/../x"),
    ]
    assert not any(asked(folder, url) for url in tampered)


def test_a_folder_link_ends(folder, monkeypatch):
    link = folder.link("avatars/1/avatar.glb", 60)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 59)
    assert asked(folder, link)
    monkeypatch.setattr(time, "time", lambda: now + 61.5)
    assert not asked(folder, link)


def test_another_secret_makes_other_links(folder, tmp_path):
    other = FolderStorage(tmp_path, "http://127.0.0.1:8080", "another sixteen bytes or more")
    assert not asked(other, folder.link("avatars/1/avatar.glb", 60))
