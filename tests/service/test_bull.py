"""The queue in Redis as the API sees it: atomic, forgetful on demand, and quick to say when it is away."""

import asyncio
import signal
import time
import uuid

import bullmq
import pytest
from patience import SLOWER
from redis_server import free_port

from avatarlab.core.errors import InputError
from avatarlab.service import bull
from avatarlab.service.avatar import AvatarJob
from avatarlab.service.bull import BullQueue, connection
from avatarlab.service.job_consumer import options
from avatarlab.service.jobs import Event, Unavailable
from avatarlab.service.settings import ServiceSettings

JOB = AvatarJob(subject="anna", front_key="p/front.jpg", stature_cm=170)


@pytest.fixture
def settings(redis_server):
    return ServiceSettings(redis_url=redis_server.url, queue=f"q{uuid.uuid4().hex[:8]}")


def told(settings, story):
    """Run a story with a queue."""

    async def run():
        queue = BullQueue(settings)
        try:
            return await story(queue)
        finally:
            await queue.close()

    return asyncio.run(run())


def test_of_many_that_add_the_same_id_at_once_one_adds(settings):
    async def story(queue):
        id = str(uuid.uuid4())
        others = [BullQueue(settings) for _ in range(4)]
        added = await asyncio.gather(*(one.add(id, JOB) for one in [queue, *others] * 3))
        for one in others:
            await one.close()
        return added, await queue.counts()

    added, counts = told(settings, story)
    assert sum(added) == 1 and counts["waiting"] == 1


def test_a_job_is_added_as_other_producers_should_add_it(settings, redis_server):
    id = str(uuid.uuid4())
    told(settings, lambda queue: queue.add(id, JOB))
    with redis_server.client() as client:
        kept = client.hgetall(f"bull:{settings.queue}:{id}")
    assert kept["name"] == "avatar" and '"attempts":3' in kept["opts"]
    assert '"type":"exponential"' in kept["opts"] and '"delay":2000' in kept["opts"]
    assert '"age":1209600' in kept["opts"] and '"count":1000' in kept["opts"]


async def worked(settings, process) -> None:
    """Have one job processed."""
    worker = bullmq.Worker(settings.queue, process, options(settings))
    ended = asyncio.Event()
    for event in ("completed", "failed"):
        worker.on(event, lambda *_: ended.set())
    running = asyncio.create_task(worker.run())
    await asyncio.wait_for(ended.wait(), SLOWER * 10)
    worker.closing = True
    await running
    await worker.close()


def test_a_ticket_tells_state_reason_progress_and_time(settings):
    async def story(queue):
        seen, ids = [], [str(uuid.uuid4()) for _ in range(3)]

        async def good(job, _):
            await job.updateProgress({"stage": "fit", "percent": 40})
            seen.append(await queue.find(job.id))
            await asyncio.sleep(0.05)

        async def bad(_job, _token):
            raise bullmq.UnrecoverableError("no person")

        await queue.add(ids[0], JOB)
        seen.append(await queue.find(ids[0]))
        await worked(settings, good)
        await queue.add(ids[1], JOB)
        await worked(settings, bad)
        await queue.jobs.add("avatar", {"stature_cm": "tall"}, {"jobId": ids[2], "priority": 5})
        return seen + [await queue.find(id) for id in (*ids, "unknown")], await queue.counts()

    (waiting, active, done, failed, strange, unknown), counts = told(settings, story)
    assert (waiting.state, waiting.job, waiting.progress, waiting.seconds) == ("waiting", JOB, None, None)
    assert (active.state, active.progress.percent, active.tries) == ("active", 40, 1)
    assert done.state == "completed" and 0.04 < done.seconds < SLOWER * 5 and done.reason is None
    assert (failed.state, failed.reason) == ("failed", "no person")
    assert (strange.state, strange.job, unknown) == ("waiting", None, None)
    assert counts == {"waiting": 1, "active": 0, "delayed": 0, "completed": 1, "failed": 1}


def test_a_deleted_job_goes_with_its_callbacks_and_stays_known_as_deleted(settings, redis_server):
    async def story(queue):
        id, other = str(uuid.uuid4()), str(uuid.uuid4())
        await queue.add(id, JOB)
        await queue.add(other, JOB)
        key = Event(type="avatar.completed", id=id, subject="", url="").key
        await queue._callbacks.add("callback", {}, {"jobId": key})
        held = await queue.forget(id)
        left = await queue._callbacks.getJobCounts("waiting")
        return held, await queue.find(id), await queue.forgotten(id), await queue.forgotten(other), left

    held, found, forgotten, other, left = told(settings, story)
    assert (held, found, forgotten, other, left) == (False, None, True, False, {"waiting": 0})
    with redis_server.client() as client:
        (key,) = client.keys(f"avatarlab:{settings.queue}:deleted:*")
        assert 29 * 86_400 < client.ttl(key) <= 30 * 86_400


def test_a_deleted_job_whose_callback_is_being_made_is_held_too(settings):
    async def story(queue):
        id = str(uuid.uuid4())
        key = Event(type="avatar.failed", id=id, subject="", url="").key
        await queue._callbacks.add("callback", {}, {"jobId": key})
        await queue._client.set(queue._callbacks.toKey(key) + ":lock", "a worker's")
        held = await queue.forget(id)
        await queue._client.delete(queue._callbacks.toKey(key) + ":lock")
        return held, await queue.forget(id), await queue._client.exists(queue._callbacks.toKey(key))

    assert told(settings, story) == (True, False, 0)


def test_a_deleted_job_that_a_worker_holds_is_said_to_be_held(settings):
    async def story(queue):
        answers = []

        async def process(job, _):
            answers.append(await queue.forget(job.id))

        await queue.add(str(uuid.uuid4()), JOB)
        await worked(settings, process)
        return answers

    assert told(settings, story) == [True]


CALLS = {
    "add": lambda queue: queue.add(str(uuid.uuid4()), JOB),
    "find": lambda queue: queue.find(str(uuid.uuid4())),
    "counts": lambda queue: queue.counts(),
    "forget": lambda queue: queue.forget(str(uuid.uuid4())),
    "forgotten": lambda queue: queue.forgotten(str(uuid.uuid4())),
    "ready": lambda queue: queue.ready(),
}


async def unavailable_s(settings, call) -> float:
    queue = BullQueue(settings)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        await call(queue)
    await queue.close()
    return time.monotonic() - began


def test_a_redis_that_is_away_is_said_to_be_within_a_second(tmp_path):
    settings = ServiceSettings(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    for name, call in CALLS.items():
        assert asyncio.run(unavailable_s(settings, call)) < SLOWER * 1, name


def test_a_redis_that_is_frozen_is_not_waited_for(settings, redis_server, monkeypatch):
    monkeypatch.setattr(bull, "ANSWER_S", 0.2)
    redis_server.process.send_signal(signal.SIGSTOP)
    try:
        assert asyncio.run(unavailable_s(settings, CALLS["find"])) < SLOWER * 1
    finally:
        redis_server.process.send_signal(signal.SIGCONT)
    told(settings, lambda queue: queue.ready())


def test_a_redis_that_is_full_is_unavailable(settings, redis_server):
    with redis_server.client() as client:
        client.config_set("maxmemory", "1")
        try:
            asyncio.run(unavailable_s(settings, CALLS["add"]))
        finally:
            client.config_set("maxmemory", "0")


def test_every_connection_outlasts_a_blocking_wait(settings):
    """redis 8 gives up after 5 s by default, and BullMQ waits for 5 s: the idle worker then hears nothing for up to 20 s."""
    given = options(settings)
    for client in (connection(settings), given["connection"]):
        kept = client.connection_pool.connection_kwargs
        assert kept["socket_timeout"] == 30 > given["drainDelay"] * 2
        assert (kept["socket_connect_timeout"], kept["health_check_interval"]) == (5, 15)
        assert kept["retry"]._backoff.compute(20) == 1


def test_the_options_of_a_worker(settings):
    given = options(settings.model_copy(update={"lock_s": 30, "stalled_s": 5, "max_stalled": 2}))
    assert given["lockDuration"] == 30_000 and given["stalledInterval"] == 5000 and given["maxStalledCount"] == 2
    assert given["runRetryDelay"] == 2000 and given["lockRenewTime"] == 10_000 and given["concurrency"] == 1
    assert given["removeOnComplete"] == {"age": 86_400, "count": 1000}
    assert given["removeOnFail"] == {"age": 1_209_600}


@pytest.mark.parametrize(
    "url", ["http://:hunter22@host", "redis://u:hun/ter22@host", "redis://:hunter22@h:port/0"]
)
def test_a_wrong_url_is_refused_without_repeating_it(url):
    with pytest.raises(InputError, match="REDIS_URL: expected redis://") as caught:
        connection(ServiceSettings(redis_url=url))
    assert "ter22" not in str(caught.value) and caught.value.__suppress_context__
