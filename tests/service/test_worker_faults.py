"""Workers and Redis killed, frozen, ended and left idle: no job is lost, none has two effects, none is waited for too long.

Times are asserted against their bounds and shown with `pytest -s` (lines "measured"); docs/service.md has them.
"""

import os
import signal
import sys
import time

import pytest
from light import LightWorker
from patience import SLOWER
from redis_server import RedisServer
from shop import Shop, until

from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import open_storage

pytestmark = pytest.mark.faults

LOCK_S, STALLED_S = 4, 1
SLACK_S = 1
"""What a busy machine may add."""


@pytest.fixture
def shop(redis_server, receiver, tmp_path):
    shop = Shop(tmp_path, redis_server, receiver)
    yield shop
    shop.close()


def measured(what: str, seconds: float) -> None:
    sys.stdout.write(f"measured {what}: {seconds:.2f} s\n")


def one_effect(shop: Shop, id: str) -> None:
    """The avatar is whole and the caller did its part once."""
    manifest = shop.whole(id)
    until(lambda: f"cb_{id}_completed" in shop.receiver.effects, 15, "callback")
    assert shop.callbacks(id) == ["completed"]
    kind = "avatar.completed"
    assert set(shop.told(id)) == {kind} and shop.receiver.effects[f"cb_{id}_completed"]["type"] == kind
    assert manifest.id == id


@pytest.mark.parametrize("idle_s", [25, 38])
def test_after_idling_a_job_starts_at_once(shop, idle_s):
    worker = shop.worker()
    time.sleep(idle_s)
    began = time.monotonic()
    id = shop.submit("late")
    until(lambda: worker.says(f"event=job.taken job={id}"), 20)
    took_s = time.monotonic() - began
    measured(f"start after {idle_s} s idle", took_s)
    assert took_s < SLOWER * 1
    shop.wait(id)


def test_after_idling_with_redis_gone_meanwhile_a_job_starts_at_once(receiver, tmp_path):
    with RedisServer(tmp_path) as redis:
        shop = Shop(tmp_path, redis, receiver)
        try:
            worker = shop.worker()
            redis.restart(6)
            time.sleep(2)
            began = time.monotonic()
            id = shop.submit("late")
            until(lambda: worker.says(f"event=job.taken job={id}"), 20)
            assert time.monotonic() - began < SLOWER * 1
        finally:
            shop.close()


def killed_in_mid_job(shop: Shop, second: bool) -> tuple[float, float]:
    """Kill the worker that makes a job; return the seconds until another was there, and until it has begun it again."""
    subject = "seconds=1.5 anna"
    workers = [shop.worker() for _ in range(1 + second)]
    id = shop.submit(subject)
    until(lambda: shop.made() == [subject], 10)
    next(worker for worker in workers if worker.says(f"event=job.taken job={id}")).kill()
    began = time.monotonic()
    if not second:
        shop.worker()
    there_s = 0.0 if second else time.monotonic() - began
    until(lambda: shop.made() == [subject] * 2, 90, "made again")
    took_s = time.monotonic() - began
    assert shop.wait(id, seconds=20).tries == 2
    one_effect(shop, id)
    return there_s, took_s


@pytest.mark.parametrize("second", [True, False], ids=["another lives", "restarted"])
def test_a_job_of_a_killed_worker_is_taken_up_in_time(shop, second):
    there_s, took_s = killed_in_mid_job(shop, second)
    measured(f"kill -9 to restart, lock {LOCK_S} stalled {STALLED_S}, another after {there_s:.1f} s", took_s)
    assert took_s <= max(LOCK_S, there_s) + 2 * STALLED_S + SLACK_S


def test_with_the_usual_settings_that_takes_less_than_40_seconds(redis_server, receiver, tmp_path):
    shop = Shop(tmp_path, redis_server, receiver, WORKER_LOCK_S="30", WORKER_STALLED_S="5")
    try:
        _, took_s = killed_in_mid_job(shop, True)
        measured("kill -9 to restart, lock 30 stalled 5", took_s)
        assert took_s <= 30 + 2 * 5 + SLACK_S
    finally:
        shop.close()


def test_a_poison_job_fails_with_its_reason_and_others_go_on(shop):
    """A supervisor starts workers again as fast as they die."""
    poison = shop.submit("kill-worker")
    good = [shop.submit(f"good {number}") for number in range(3)]
    worker = shop.worker(wait=False)

    def failed() -> bool:
        nonlocal worker
        if worker.process.poll() is not None:
            worker = shop.worker(wait=False)
        seen = shop.find(poison)
        return seen is not None and seen.state == "failed"

    until(failed, 60, "poison failed")
    for id in good:
        shop.wait(id)
        one_effect(shop, id)
    assert shop.made().count("kill-worker") == 3
    until(lambda: shop.told(poison) == ["avatar.failed"], 10, "told of the poison")
    event = shop.receiver.effects[f"cb_{poison}_failed"]
    assert event["reason"] == "Every worker that took this job up died over it; it was given up."


def test_a_failure_that_its_worker_did_not_live_to_tell_is_told_by_the_next(shop):
    id = shop.submit("refuse")
    worker = shop.worker(wait=False)
    shop.wait(id, "failed")
    worker.kill()
    with shop.redis.client() as client:  # as if it had died between the two
        client.hdel(f"bull:{shop.name}:{id}", "told")
        for key in client.keys(f"bull:{shop.name}-callback:*"):
            client.delete(key)
    shop.receiver.calls.clear()
    shop.worker()
    shop.worker()
    until(lambda: shop.told(id), 10, "told by a sweep")
    time.sleep(3 * STALLED_S)
    assert shop.told(id) == ["avatar.failed"] and shop.callbacks(id) == ["failed"]


@pytest.fixture
def own(receiver, tmp_path):
    """A shop whose Redis may be killed."""
    with RedisServer(tmp_path) as redis:
        shop = Shop(tmp_path, redis, receiver, WORKER_LOCK_S="30", WORKER_STALLED_S="5")
        yield shop
        shop.close()


@pytest.mark.parametrize(("away_s", "making_s"), [(3, 6), (20, 1)])
def test_redis_killed_in_mid_job_and_back(own, away_s, making_s):
    """The making ends while Redis is away, or after; either way the job runs once."""
    worker = own.worker()
    subject = f"seconds={making_s} anna"
    id, waiting = own.submit(subject), own.submit("next")
    until(lambda: own.made() == [subject], 10)
    own.redis.restart(away_s)
    back = time.monotonic()
    own.wait(id, seconds=60)
    measured(f"Redis away {away_s} s, making {making_s} s: done after it was back", time.monotonic() - back)
    own.wait(waiting, seconds=30)
    for one in (id, waiting):
        one_effect(own, one)
    assert own.made() == [subject, "next"] and worker.process.poll() is None
    assert own.find(id).tries == 1
    if away_s > 10:
        assert worker.says("event=redis.away") and worker.says("event=redis.there")


def test_redis_away_longer_than_the_lock(own):
    """Another worker may take the job up; whoever is second finds the manifest."""
    quick = {"WORKER_LOCK_S": str(LOCK_S), "WORKER_STALLED_S": str(STALLED_S)}
    workers = [own.worker(**quick), own.worker(**quick)]
    ids = [own.submit(f"seconds=9 {name}") for name in ("anna", "bert")]
    until(lambda: len(own.made()) == 2, 10)
    own.redis.restart(LOCK_S + 3)
    for id in ids:
        own.wait(id, seconds=60)
        one_effect(own, id)
    assert all(worker.process.poll() is None for worker in workers)
    after = own.submit("after")
    own.wait(after)


def test_a_job_delivered_twice_has_one_effect(shop):
    """A worker is frozen over a job, another does it, the first thaws and goes on."""
    subject = "seconds=1 anna"
    frozen = shop.worker()
    id = shop.submit(subject)
    until(lambda: shop.made() == [subject], 10)
    frozen.signal(signal.SIGSTOP)
    shop.worker()
    shop.wait(id, seconds=20)
    frozen.signal(signal.SIGCONT)
    until(lambda: frozen.says(f"event=job.known job={id}") or frozen.says(f"event=job.completed job={id}"), 20)
    one_effect(shop, id)
    assert len(shop.made()) == 2 and shop.find(id).state == "completed"
    after = shop.submit("after")
    shop.wait(after)


def test_two_workers_share_many_jobs_and_each_is_made_once(shop):
    workers = [shop.worker(), shop.worker(WORKER_CHILDREN="2")]
    ids = [shop.submit(f"seconds=0.2 {number}") for number in range(20)]
    for id in ids:
        shop.wait(id)
        one_effect(shop, id)
    assert sorted(shop.made()) == sorted(f"seconds=0.2 {number}" for number in range(20))
    assert all(worker.says("event=job.taken") for worker in workers)


@pytest.mark.parametrize("children", [1, 2])
def test_sigterm_ends_the_job_in_work_and_takes_no_other(shop, children):
    """Longer than the lock, so that it has to be renewed until the end; another worker is there to take what is stalled."""
    worker = shop.worker(WORKER_CHILDREN=str(children))
    id = shop.submit(f"seconds={LOCK_S + 2} anna")
    until(lambda: len(shop.made()) == 1, 10)
    worker.process.terminate()
    until(lambda: worker.says("event=worker.stops busy=1"), 5)
    waiting = shop.submit("next")
    status = worker.process.wait(SLOWER * 30)
    over = time.monotonic()
    assert status == 0 and shop.find(id).state == "completed" and shop.find(waiting).state == "waiting"
    assert shop.find(id).tries == 1 and not worker.says("job.stalled")
    shop.worker()
    shop.wait(waiting)
    measured("start of a worker to its first job done", time.monotonic() - over)
    one_effect(shop, id)


def test_an_idle_worker_ends_at_once(shop):
    worker = shop.worker()
    began = time.monotonic()
    assert worker.end() == 0
    measured("SIGTERM to exit, idle", time.monotonic() - began)
    assert time.monotonic() - began < SLOWER * 4


def test_a_worker_whose_redis_is_away_still_ends(own):
    worker = own.worker()
    own.redis.kill()
    time.sleep(2)
    began = time.monotonic()
    assert worker.end(30) == 0
    measured("SIGTERM to exit, Redis away", time.monotonic() - began)
    assert time.monotonic() - began < SLOWER * 10


def test_a_killed_child_costs_a_second_not_a_lock(shop):
    worker = shop.worker()
    id = shop.submit("seconds=1.5 anna")
    until(lambda: len(shop.made()) == 1, 10)
    began = time.monotonic()
    os.kill(worker.child(), signal.SIGKILL)
    until(lambda: len(shop.made()) == 2, 10)
    measured("kill -9 of the child to restart", time.monotonic() - began)
    assert shop.wait(id).tries == 2
    one_effect(shop, id)


def test_a_storage_that_is_away_costs_no_attempt(redis_server, swift, receiver, tmp_path):
    """Away for longer than all attempts of a job would last."""
    fields = {name.upper(): value for name, value in swift.settings_fields().items()}
    shop = Shop(tmp_path, redis_server, receiver, LIGHT_FOLDER="", **fields)
    try:
        shop.storage = open_storage(ServiceSettings(**swift.settings_fields()))
        shop.storage.write("photos/front.jpg", b"front", "image/jpeg")
        worker = shop.worker()
        swift.kill()
        try:
            id = shop.submit("anna")
            until(lambda: worker.log.read_text().count(f"event=job.waits job={id}") >= 3, 60, "waits")
            seen = shop.find(id)
            assert seen.state in ("delayed", "active", "waiting") and "storage" in seen.reason
        finally:
            swift.start()
        shop.wait(id, seconds=60)
        one_effect(shop, id)
        assert worker.says("event=storage.away")
    finally:
        shop.close()


def test_what_a_killed_worker_left_on_disk_goes_at_the_next_start(shop):
    shop.env["TMPDIR"] = str(shop.folder / "tmp")
    (shop.folder / "tmp").mkdir()
    killed: LightWorker = shop.worker()
    id = shop.submit("seconds=1 anna")
    until(lambda: len(shop.made()) == 1, 10)
    killed.kill()
    left = list((shop.folder / "tmp").glob("avatarlab-work-*"))
    assert len(left) == 1 and list(left[0].rglob("front"))
    alive = shop.worker()
    assert not left[0].exists() and alive.says("event=scratch.swept folders=1")
    shop.worker()
    assert len(list((shop.folder / "tmp").glob("avatarlab-work-*"))) == 2
    shop.wait(id)
