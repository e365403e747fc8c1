"""A real worker process on a real Redis: jobs from Python and from Node, refusals, deletions, wrong settings, health."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid

import pytest
from light import LightWorker
from patience import SLOWER
from producer import produce
from receiver import Receiver
from redis_server import RedisServer, free_port
from shop import Shop, until


@pytest.fixture(scope="module")
def receiver():
    with Receiver() as one:
        yield one


@pytest.fixture(scope="module")
def shop(redis_server, receiver, tmp_path_factory):
    """One worker for all tests of this file that leave it alive."""
    shop = Shop(tmp_path_factory.mktemp("shop"), redis_server, receiver)
    try:
        shop.worker()
        yield shop
    finally:
        shop.close()


def test_a_job_is_made_whole_and_its_caller_told_once(shop):
    id = shop.submit("anna")
    ticket = shop.wait(id)
    assert set(shop.whole(id).files) == {"avatar.glb", "measurements.json"}
    assert ticket.progress.percent == 100 and ticket.tries == 1 and 0 < ticket.seconds < 30
    until(lambda: shop.told(id), 20, "callback")
    (call,) = (call for call in shop.receiver.calls if call.event["id"] == id)
    assert call.event["type"] == "avatar.completed" and call.event["manifest"] == f"avatars/{id}/manifest.json"
    assert call.event["url"].endswith(f"/avatars/{id}") and not call.event["placeholder"]


def test_a_photo_that_cannot_be_used_fails_once_with_its_reason(shop):
    id = shop.submit("refuse bert")
    ticket = shop.wait(id, "failed")
    assert ticket.reason == "front: no person was found; is one in the picture?" and ticket.tries == 1
    until(lambda: shop.told(id), 20, "callback")
    assert shop.told(id) == ["avatar.failed"] and shop.made().count("refuse bert") == 1
    assert shop.storage.keys(f"avatars/{id}/") == []


def test_a_photo_that_is_not_there_is_named(shop):
    id = shop.submit("no photo", front_key="photos/none.jpg")
    assert "photos/none.jpg: no such object" in shop.wait(id, "failed").reason


def test_a_placeholder_says_so(shop):
    id = shop.submit("average")
    shop.wait(id)
    until(lambda: shop.told(id), 20, "callback")
    event = next(call.event for call in shop.receiver.calls if call.event["id"] == id)
    assert event["placeholder"] and event["reason"] == "no person was found" and shop.whole(id).placeholder


def test_the_same_job_submitted_twice_is_made_once(shop):
    id, job = str(uuid.uuid4()), shop.job("twice")
    assert [shop.run(shop.queue.add(id, job)) for _ in range(3)] == [True, False, False]
    shop.wait(id)
    assert not shop.run(shop.queue.add(id, job))
    assert shop.made().count("twice") == 1


def test_a_job_whose_queue_forgot_it_is_known_by_its_manifest(shop):
    id = shop.submit("known")
    shop.wait(id)
    with shop.redis.client() as client:
        client.delete(f"bull:{shop.name}:{id}")
        client.zrem(f"bull:{shop.name}:completed", id)
    shop.submit("known", id)
    shop.wait(id)
    assert shop.made().count("known") == 1
    until(lambda: shop.told(id), 20, "callback")
    assert shop.told(id) == ["avatar.completed"]


def test_another_job_under_the_same_id_is_refused(shop):
    id = shop.submit("first")
    shop.wait(id)
    with shop.redis.client() as client:
        client.delete(f"bull:{shop.name}:{id}")
        client.zrem(f"bull:{shop.name}:completed", id)
    shop.submit("second", id)
    assert "names the avatar of another job" in shop.wait(id, "failed").reason
    assert shop.whole(id).job.subject == "first"


def test_a_job_deleted_while_it_is_made_leaves_nothing(shop):
    id = shop.submit("seconds=1 deleted")
    until(lambda: "seconds=1 deleted" in shop.made(), 10)
    assert shop.run(shop.queue.forget(id))
    until(lambda: shop.find(id) is None, 10, "gone from the queue")
    assert shop.storage.keys(f"avatars/{id}/") == [] and shop.callbacks(id) == []
    assert shop.run(shop.queue.forgotten(id))


def test_a_job_deleted_while_it_is_made_and_refused_leaves_the_queue(shop):
    """Its name and its statures would stay there for two weeks."""
    id = shop.submit("seconds=0.7 refuse deleted")
    until(lambda: "seconds=0.7 refuse deleted" in shop.made(), 10)
    assert shop.run(shop.queue.forget(id))
    with shop.redis.client() as client:
        until(lambda: not client.exists(f"bull:{shop.name}:{id}"), 10, "gone from the queue")
    assert shop.callbacks(id) == []


def test_a_failed_job_that_an_operator_has_tried_again_is_told_of_as_completed(shop):
    id = shop.submit("refuse at first")
    shop.wait(id, "failed")
    until(lambda: shop.told(id) == ["avatar.failed"], 20, "told that it failed")
    job = shop.run(shop.queue.jobs.getJob(id))
    shop.run(job.updateData(job.data | {"subject": "well then"}))
    shop.run(job.retry("failed", {"resetAttemptsMade": True}))
    shop.wait(id)
    until(lambda: len(shop.told(id)) == 2, 20, "told that it is done")
    assert shop.told(id) == ["avatar.failed", "avatar.completed"] and shop.whole(id).job.subject == "well then"


def test_node_sees_progress_results_and_precise_refusals(shop, npm):
    ids = {name: str(uuid.uuid4()) for name in ("good", "bug", "typo", "metres", "upper")}
    ids["upper"] = ids["upper"].upper()
    data = shop.job("from node").model_dump()
    jobs = [
        {"id": ids["good"], "data": data},
        {"id": ids["good"], "data": data},
        {"id": ids["bug"], "data": data | {"subject": "break"}, "options": {"attempts": 2, "backoff": 1}},
        {"id": ids["typo"], "data": data | {"front": "x", "sex": "f"}},
        {"id": ids["metres"], "data": data | {"stature_cm": 1.75}},
        {"id": ids["upper"], "data": data},
        {"id": "order-7", "data": data},
        {"id": str(uuid.uuid4()), "data": ["no", "object"]},
    ]
    events = produce(npm, shop.redis.url, shop.name, jobs)
    seen = {(event["id"], event["event"]): event.get("data") for event in events}
    assert seen[ids["good"], "completed"]["files"] == ["avatar.glb", "measurements.json"]
    assert seen[ids["good"], "progress"] == {"stage": "upload", "percent": 100}
    assert (ids["good"], "duplicated") in seen and shop.made().count("from node") == 1
    assert "nobody foresaw this" in seen[ids["bug"], "failed"] and shop.made().count("break") == 2
    typo = seen[ids["typo"], "failed"]
    assert "front: there is no such field" in typo and "sex: input should be" in typo
    assert "Did you pass metres?" in seen[ids["metres"], "failed"]
    assert "expected it in lower case" in seen[ids["upper"], "failed"]
    assert "expected a UUID" in seen["order-7", "failed"]
    assert "job: got list, expected an object" in seen[jobs[-1]["id"], "failed"]
    assert shop.find(ids["typo"]).tries == 1


def test_a_producer_of_the_former_bullmq_is_understood(shop, npm):
    id = str(uuid.uuid4())
    job = {"id": id, "data": shop.job("from former node").model_dump()}
    events = produce(npm, shop.redis.url, shop.name, [job], bullmq="bullmq-5")
    assert events[-1]["event"] == "completed" and "avatar.glb" in events[-1]["data"]["files"]
    assert shop.made().count("from former node") == 1


def test_nan_never_reaches_the_queue(shop, npm):
    id = str(uuid.uuid4())
    job = {"id": id, "data": shop.job("nan").model_dump(), "options": {"attempts": 1}}
    events = produce(npm, shop.redis.url, shop.name, [job])
    assert "not JSON compliant" in events[-1]["data"] and shop.storage.keys(f"avatars/{id}/") == []


def test_the_log_names_ids_but_no_people_and_no_secrets(shop):
    id = shop.submit("Zacharias")
    shop.wait(id)
    log = shop.workers[0].log.read_text()
    assert f"event=job.completed job={id}" in log
    assert "Zacharias" not in log and shop.env["WEBHOOK_SECRET"] not in log and "photos/" not in log


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=SLOWER * 5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_a_worker_waits_for_redis_says_so_and_ends_gently_in_either_state(tmp_path):
    server, port = RedisServer(tmp_path), free_port()
    shop = Shop(tmp_path, server, WORKER_METRICS_PORT=str(port))
    try:
        worker = shop.worker(wait=False)
        until(lambda: get(port, "/readyz")[0] == 503 and worker.says("event=redis.away"), 20, "not ready")
        assert "redis" in get(port, "/readyz")[1] and get(port, "/healthz") == (200, "ok\n")
        impatient = shop.worker(wait=False, WORKER_METRICS_PORT="0")
        until(lambda: impatient.says("event=redis.away"), 20)
        assert impatient.end(20) == 0
        server.start()
        until(lambda: get(port, "/readyz")[0] == 200, 20, "ready")
        shop.wait(shop.submit("anna"))
        until(lambda: 'avatar_jobs_total{result="completed"} 1.0' in get(port, "/metrics")[1], 20)
        assert worker.end(20) == 0 and worker.says("event=worker.stopped")
        assert get(port, "/healthz")[0] == 0
    finally:
        shop.close()
        server.stop()


WRONG = {
    "no storage keys": ({}, 2, "S3_ACCESS_KEY"),
    "bad address": ({"REDIS_URL": "redis://user:hun/ter22@nowhere"}, 2, "REDIS_URL"),
    "bad secret": ({"WEBHOOK_SECRET": "whsec_hunter22"}, 2, "WEBHOOK_SECRET"),
    "no models": ({"AVATAR_BODY_FILE": "missing"}, 1, "no such body file"),
}


def test_wrong_settings_are_one_clear_line_without_secrets(tmp_path, redis_server):
    wrong = WRONG | {"port": ({"WORKER_METRICS_PORT": str(redis_server.port)}, 2, "WORKER_METRICS_PORT")}
    workers = {}
    for name, (env, _, _) in wrong.items():
        (tmp_path / name).mkdir()
        storage = {} if name == "no storage keys" else {"LIGHT_FOLDER": str(tmp_path / "storage")}
        workers[name] = LightWorker(tmp_path / name, **({"REDIS_URL": redis_server.url} | storage | env))
    try:
        for name, (_, status, text) in wrong.items():
            assert workers[name].process.wait(SLOWER * 30) == status, name
            lines = [one for one in workers[name].log.read_text().splitlines() if "event=" not in one]
            assert len(lines) == 1 and text in lines[0] and "ter22" not in lines[0], (name, lines)
    finally:
        for worker in workers.values():
            worker.kill()


def test_a_redis_that_refuses_us_is_a_wrong_setting(tmp_path):
    with RedisServer(tmp_path) as server, server.client() as client:
        client.config_set("requirepass", "hunter22")
        url = server.url.replace("//", "//:wrongone@")
        env = {"REDIS_URL": url, "LIGHT_FOLDER": str(tmp_path / "storage")}
        worker = LightWorker(tmp_path, **env)
        try:
            assert worker.process.wait(SLOWER * 20) == 2 and worker.says("Redis refuses this user or password")
            assert not worker.says("wrongone")
        finally:
            worker.kill()


def test_a_forgetful_redis_is_warned_of_and_ctrl_c_ends_like_sigterm(shop):
    assert not shop.workers[0].says("event=redis.forgetful")
    with shop.redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        worker = shop.worker()
        client.config_set("maxmemory-policy", "noeviction")
    assert worker.says("event=redis.forgetful")
    worker.signal(signal.SIGINT)
    assert worker.process.wait(SLOWER * 20) == 0


def test_the_parent_imports_no_model():
    code = "import avatarlab.service.worker, sys, json; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "mediapipe", "cv2", "scipy", "warp", "avatarlab.fit"} & set(json.loads(out))
