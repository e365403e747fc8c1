"""Tests of the embedded service as a command: its address, its doors, its ends, and that no job is lost by them."""

import io
import json
import os
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import light
import pytest
from light_local import LocalProcess, post, until
from patience import SLOWER

from avatarlab.service import local

REAL = ["-m", "avatarlab.service.local"]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with LocalProcess(tmp_path_factory.mktemp("local") / "avatars") as one, one.client() as client:
        one.asked = client
        yield one


def test_the_printed_address_opens_the_page_and_its_token_the_api(running):
    assert httpx.get(running.url).status_code == 200 and "<script" in httpx.get(running.url).text
    id = post(running.asked, "anna")
    done = until(running.asked, id, "completed")
    assert all(httpx.get(link).status_code == 200 for link in done["links"].values())
    assert httpx.get(f"{running.url}/avatars/{id}").status_code == 401


def test_it_listens_on_this_machine_only(running):
    port = int(running.url.rsplit(":")[-1])
    doors = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    heard = [door[1] for door in doors if door[3] == "0A" and int(door[1].rpartition(":")[2], 16) == port]
    assert heard == [f"0100007F:{port:04X}"]


def refusal(capsys, folder, *words) -> str:
    """The one line with which the command refuses to start."""
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(local.main, ["--folder", str(folder), "--no-browser", *words], light.load).result()
    errors = capsys.readouterr().err.splitlines()
    assert status == 1 and len(errors) == 1, errors
    return errors[0]


def test_another_on_the_same_folder_or_port_says_so_in_one_line(running, tmp_path, capsys):
    port = running.url.rsplit(":")[-1]
    assert "in use by another process" in refusal(capsys, running.folder, "--port", "0")
    assert f"port {port}: taken; give --port another" in refusal(capsys, tmp_path / "x", "--port", port)


def test_its_secrets_are_the_owners_alone(running, tmp_path):
    path = running.folder / "secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and running.token in path.read_text()
    assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700
    opener = local._opener(tmp_path, "http://127.0.0.1:1/#token=secret")
    assert stat.S_IMODE(opener.stat().st_mode) == 0o600 and "#token=secret" in opener.read_text()


@pytest.mark.faults
def test_no_secret_and_no_link_is_logged_and_sigterm_ends_it_at_once(tmp_path):
    with LocalProcess(tmp_path / "avatars") as one:
        with one.client() as client:
            done = until(client, post(client, "Anna Karenina"), "completed")
            assert httpx.get(done["links"]["avatar.glb"]).status_code == 200
        start = time.monotonic()
        one.process.send_signal(signal.SIGTERM)
        _, out, errors = one.ended()
    assert time.monotonic() - start < SLOWER * 5
    assert one.token not in errors + out and "signature" not in errors and "Karenina" not in errors
    assert "event=job.completed" in errors and "Traceback" not in errors


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"token": 1}'])
def test_damaged_secrets_are_made_anew(tmp_path, broken):
    (tmp_path / "secrets.json").write_text(broken)
    first = local.read_secrets(tmp_path)
    assert len(first.token) > 30 and local.read_secrets(tmp_path) == first


def test_a_folder_that_cannot_be_one_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "cannot be used as a folder" in refusal(capsys, tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("AVATAR_BODY_FILE", "missing", "no such body file; leave AVATAR_BODY_FILE"), ("WEBHOOK_SECRET", "whsec_x", "WEBHOOK_SECRET: expected"),
     ("AVATAR_UPLOAD_MB", "x", "AVATAR_UPLOAD_MB")],
)  # fmt: skip
def test_what_is_not_in_order_is_said_in_one_line(tmp_path, capsys, monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)
    assert words in refusal(capsys, tmp_path / "avatars", "--port", "0")


# --- ends


@pytest.mark.faults
def test_killed_in_work_it_goes_on_at_the_next_start_with_the_same_token(tmp_path):
    folder = tmp_path / "avatars"
    with LocalProcess(folder) as first:
        client = first.client()
        running, waiting = post(client, "seconds=1.5"), post(client, "waiting")
        until(client, running, "active")
        os.kill(first.process.pid, signal.SIGKILL)
    with LocalProcess(folder) as second, second.client() as client:
        assert second.token == first.token
        assert until(client, running, "completed") and until(client, waiting, "completed")
        assert client.get(f"/avatars/{running}").json()["files"].keys() == {"avatar.glb", "measurements.json"}


@pytest.mark.faults
def test_killed_over_and_over_by_one_job_it_fails_that_job(tmp_path):
    folder = tmp_path / "avatars"
    with LocalProcess(folder) as one:
        client = one.client()
        bad = post(client, "kill-worker")
        one.process.wait(SLOWER * 20)
        assert one.process.returncode == -signal.SIGKILL
    for _ in range(2):
        with LocalProcess(folder) as one:
            one.process.wait(SLOWER * 30)
    with LocalProcess(folder) as one, one.client() as client:
        assert "stopped 3 times" in until(client, bad, "failed")["reason"]
        assert until(client, post(client, "good"), "completed")


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("subject", "left", "state"),
    [("seconds=1.5", ("completed", 1), "completed"), ("seconds=60", ("waiting", 0), "active")],
)
def test_ctrl_c_lets_a_job_end_or_puts_it_back_within_seconds(tmp_path, subject, left, state, number):
    folder = tmp_path / "avatars"
    with LocalProcess(folder) as one:
        client = one.client()
        id = post(client, subject)
        until(client, id, "active")
        time.sleep(0.2)
        start = time.monotonic()
        os.killpg(one.process.pid, number)
        status, out, errors = one.ended()
        spent = time.monotonic() - start
    assert status == 0 and spent < 50 and "Stopped" in out and "Traceback" not in errors, errors
    assert "job.retried" not in errors, "it is nobody's fault"
    record = json.loads((folder / "jobs" / f"{id}.json").read_text())
    assert (record["state"], record["tries"]) == left
    with LocalProcess(folder) as two, two.client() as client:
        assert until(client, id, state)


# --- with the models


@pytest.mark.faults
def test_without_a_body_it_says_which_one_there_is(tmp_path):
    with LocalProcess(tmp_path / "avatars", script=REAL, AVATAR_BODY_FILE=str(tmp_path / "none.npz")) as one:
        status, _, errors = one.ended(120)
    assert (
        status == 1
        and len(errors.splitlines()) == 1
        and "published open body is used" in errors
        and "Traceback" not in errors
    ), errors


@pytest.mark.faults
def test_two_photos_become_an_avatar(tmp_path, open_body):
    from PIL import Image

    from avatarlab.synthetic.rendered import rendered_person

    person = rendered_person(open_body, 7)
    photos = {}
    for view, shot in person.shots.items():
        data = io.BytesIO()
        Image.fromarray(shot.photo.rgb).save(data, "PNG")
        photos[view] = (f"{view}.png", data.getvalue())
    with LocalProcess(tmp_path / "avatars", script=REAL) as one, one.client() as client:
        data = {"subject": "seven", "stature_cm": f"{100 * person.stature_m:.1f}"}
        id = client.post("/avatars", data=data, files=photos).json()["id"]
        done = until(client, id, "completed", "failed")
        assert done["state"] == "completed" and not done["placeholder"], done
        assert {"avatar.glb", "measurements.json", "quality.json", "person.npz"} <= {*done["files"]}
        assert done["files"]["avatar.glb"]["bytes"] < 2_000_000
        assert client.delete(f"/avatars/{id}").status_code == 204
