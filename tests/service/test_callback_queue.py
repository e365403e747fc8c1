"""Callbacks through a real Redis to a real receiver: announced twice, called once; tried again on schedule; given up."""

import asyncio
import logging
import time
from contextlib import asynccontextmanager

import pytest
from bullmq import Job, Queue
from patience import SLOWER
from receiver import SECRET, Receiver, Reply
from redis_server import RedisServer

from avatarlab.service.bull import connection
from avatarlab.service.callback_queue import SHARE, CallbackQueue, TryAgain, wait_ms
from avatarlab.service.callbacks import DELAYS_S, CallbackResponse
from avatarlab.service.jobs import Event, Unavailable
from avatarlab.service.settings import ServiceSettings

ID = "0f8fad5b-d9cb-469f-a165-7086772895%02x"


def event(number: int = 1, type: str = "avatar.completed") -> Event:
    id = ID % number
    return Event(type=type, id=id, subject="anna", url=f"http://127.0.0.1:8080/avatars/{id}")


@pytest.fixture
def settings(redis_server, receiver, request):
    """Of a queue for this test alone, with short waits."""
    name = f"t{abs(hash(request.node.name)) % 10**9}"
    return ServiceSettings(
        _env_file=None,
        redis_url=redis_server.url,
        queue=name,
        webhook_secret=SECRET,
        callback_origins=receiver.origin,
        callback_delays_s="0,0,0",
        callback_limit_s=1,
        lock_s=2,
        stalled_s=1,
    )


@asynccontextmanager
async def running(settings: ServiceSettings):
    queue = CallbackQueue(settings)
    await queue.start()
    try:
        yield queue
    finally:
        await queue.close()


async def until(settings: ServiceSettings, key: str, *states: str, seconds: float = 15) -> Job:
    """The callback's job once it is in one of ``states``."""
    client = connection(settings)
    queue = Queue(settings.callback_queue, {"connection": client})
    end = time.monotonic() + SLOWER * seconds
    try:
        while True:
            state = await queue.getJobState(key)
            if state in states:
                return await Job.fromId(queue, key)
            assert time.monotonic() < end, f"{key} is {state} after {SLOWER * seconds} s, not {states}"
            await asyncio.sleep(0.02)
    finally:
        await client.aclose()


def deliver(settings: ServiceSettings, url: str, *states: str, seconds: float = 15, times: int = 1) -> Job:
    """Announce an event ``times`` times and wait for its end."""

    async def all_of_it():
        async with running(settings) as queue:
            for _ in range(times):
                await queue.announce(event(), url)
            return await until(settings, event().key, *states, seconds=seconds)

    return asyncio.run(all_of_it())


def test_announced_three_times_called_once(settings, receiver):
    job = deliver(settings, receiver.url, "completed", times=3)
    assert job.returnvalue == {"status": 200} and job.attemptsMade == 1
    assert [call.id for call in receiver.calls] == [event().key] and receiver.calls[0].verified
    deliver(settings, receiver.url, "completed")
    assert len(receiver.calls) == 1, "a callback made is not made again while its id is kept"


def test_500_and_then_well(settings, receiver):
    receiver.answer(500, 500, 500)
    job = deliver(settings, receiver.url, "completed")
    assert job.attemptsMade == 4 and [call.status for call in receiver.calls] == [500, 500, 500, 200]
    assert {call.id for call in receiver.calls} == {event().key} and len(receiver.effects) == 1


def test_500_for_ever_is_given_up_and_kept(settings, receiver):
    receiver.default = Reply(500)
    job = deliver(settings, receiver.url, "failed")
    assert len(receiver.calls) == 4 and job.failedReason == "the receiver answered 500"
    assert job.stacktrace == [] and job.opts["removeOnFail"]["age"] == 90 * 86_400


@pytest.mark.parametrize(
    ("status", "reason"), [(302, "redirects are not followed"), (410, "wants no more")], ids=["302", "410"]
)
def test_final_answers_are_asked_for_once(settings, receiver, status, reason):
    receiver.default = Reply(status, {"Location": "http://127.0.0.1:9/"})
    job = deliver(settings, receiver.url, "failed")
    assert len(receiver.calls) == 1 and reason in job.failedReason


def test_retry_after_is_waited_for(settings, receiver):
    receiver.answer(Reply(429, {"Retry-After": "2"}))
    deliver(settings, receiver.url, "completed")
    first, second = receiver.calls
    assert 2 <= second.at - first.at < 4


def test_an_address_that_is_not_allowed_is_refused_with_its_reason(settings, receiver):
    job = deliver(settings, "http://169.254.169.254/latest", "failed")
    assert job.failedReason.startswith("callback_url:") and receiver.calls == []


def test_what_is_no_callback_is_refused(settings):
    async def all_of_it():
        async with running(settings) as queue:
            await queue.queue.add("callback", {"event": {"type": "x"}}, {"jobId": "odd", "attempts": 5})
            return await until(settings, "odd", "failed")

    assert asyncio.run(all_of_it()).failedReason == "not a callback of this service"


def test_a_lost_answer_is_two_calls_of_one_id_and_one_effect(settings, receiver):
    receiver.answer(Reply(hang_s=20))
    job = deliver(settings, receiver.url, "completed")
    assert [call.id for call in receiver.calls] == [event().key] * 2 and job.attemptsMade == 2
    assert len(receiver.effects) == 1 and receiver.suppressed == 1


def test_a_receiver_that_hangs_does_not_hold_up_another(settings, receiver, monkeypatch):
    monkeypatch.setattr("avatarlab.service.callback_queue.PUT_OFF_S", (0.1, 0.2))
    receiver.default = Reply(hang_s=20)
    with Receiver() as other:
        told = settings.model_copy(
            update={"callback_origins": f"{receiver.origin},{other.origin}", "callback_limit_s": SLOWER * 0.6}
        )

        async def all_of_it():
            async with running(told) as queue:
                for number in range(10):
                    await queue.announce(event(number), receiver.url)
                await queue.announce(event(99), other.url)
                await until(told, event(99).key, "completed", seconds=0.5)
                assert len(receiver.calls) == SHARE
                receiver.default = Reply()
                return [await until(told, event(number).key, "completed") for number in range(10)]

        jobs = asyncio.run(all_of_it())
    assert len(receiver.effects) == 10 and max(job.attemptsMade for job in jobs) == 2
    assert sum(job.attemptsMade for job in jobs) == 14, "to be put off counts as no try"


def test_the_share_of_a_receiver_is_the_same_whatever_follows_its_name(settings, receiver, monkeypatch):
    """An order's number in the query, and no path: one receiver, not many."""
    monkeypatch.setattr("avatarlab.service.callback_queue.PUT_OFF_S", (0.1, 0.2))
    receiver.default = Reply(hang_s=20)

    async def all_of_it():
        async with running(settings) as queue:
            for number in range(2 * SHARE):
                await queue.announce(event(number), f"{receiver.origin}?order={number}")
            await asyncio.sleep(0.6)
            return len(receiver.calls)

    assert asyncio.run(all_of_it()) == SHARE


def test_of_an_avatar_that_was_made_after_all_no_failure_is_told_late(settings, receiver):
    """Its receiver was down when the job failed; an operator had the job tried again, and it was made."""
    receiver.answer(500)
    told = settings.model_copy(update={"callback_delays_s": "1,1,1"})
    failed = event(1, "avatar.failed")

    async def all_of_it():
        async with running(told) as queue:
            await queue.announce(failed, receiver.url)
            while not receiver.calls:
                await asyncio.sleep(0.02)
            await queue.announce(event(1), receiver.url)
            await until(told, event(1).key, "completed")
            return await until(told, failed.key, "failed", "completed")

    job = asyncio.run(all_of_it())
    assert "made after all" in job.failedReason and [*receiver.effects] == [event(1).key]


def test_a_failure_after_an_avatar_of_that_id_is_told(settings, receiver):
    """Another job was added under an id that was taken."""
    failed = event(1, "avatar.failed")

    async def all_of_it():
        async with running(settings) as queue:
            for one in (event(1), failed):
                await queue.announce(one, receiver.url)
                await until(settings, one.key, "completed")

    asyncio.run(all_of_it())
    assert [*receiver.effects] == [event(1).key, failed.key]


def test_callbacks_made_are_kept_by_number_too(settings, receiver, monkeypatch):
    monkeypatch.setattr("avatarlab.service.callback_queue.KEEP_MOST", 2)

    async def all_of_it():
        async with running(settings) as queue:
            for number in range(4):
                await queue.announce(event(number), receiver.url)
                await until(settings, event(number).key, "completed")
            return await queue.queue.getJobCounts("completed")

    assert asyncio.run(all_of_it()) == {"completed": 2}


def test_a_call_under_way_is_ended_before_the_worker_is(settings, receiver):
    receiver.answer(Reply(hang_s=0.5))

    async def all_of_it():
        async with running(settings) as queue:
            await queue.announce(event(), receiver.url)
            while not receiver.calls:
                await asyncio.sleep(0.02)
            start = time.monotonic()
        took_s = time.monotonic() - start
        return took_s, await until(settings, event().key, "completed", seconds=0.1)

    took_s, job = asyncio.run(all_of_it())
    assert job.returnvalue == {"status": 200} and 0.3 < took_s < SLOWER * 2


def test_an_idle_worker_ends_at_once(settings):
    async def once(wait_s):
        async with running(settings):
            await asyncio.sleep(wait_s)
            start = time.monotonic()
        return time.monotonic() - start

    assert max(asyncio.run(once(0.01 * tenth)) for tenth in range(10)) < SLOWER * 1


def test_tries_go_on_where_they_were_with_another_worker(settings, receiver):
    receiver.default = Reply(500)
    told = settings.model_copy(update={"callback_delays_s": "0,2,3600"})

    async def all_of_it():
        async with running(told) as queue:
            await queue.announce(event(), receiver.url)
            while len(receiver.calls) < 2:
                await asyncio.sleep(0.02)
            await until(told, event().key, "delayed")
        async with running(told):
            while len(receiver.calls) < 3:
                await asyncio.sleep(0.02)
            return await until(told, event().key, "delayed")

    job = asyncio.run(asyncio.wait_for(all_of_it(), SLOWER * 20))
    assert job.attemptsMade == 3 and 3_600_000 <= job.delay <= 1.1 * 3_600_000
    assert receiver.calls[2].at - receiver.calls[1].at >= 2


def test_without_a_secret_callbacks_wait_for_a_worker_that_has_it(settings, receiver, caplog):
    without = settings.model_copy(
        update={"webhook_secret": ServiceSettings.model_fields["webhook_secret"].default}
    )

    async def all_of_it():
        with caplog.at_level(logging.WARNING):
            async with running(without) as queue:
                await queue.announce(event(), receiver.url)
                await asyncio.sleep(0.3)
        assert "WEBHOOK_SECRET" in caplog.text and receiver.calls == []
        async with running(settings):
            return await until(settings, event().key, "completed")

    assert asyncio.run(all_of_it()).attemptsMade == 1


def test_wrong_secrets_stop_the_start_without_being_shown(settings):
    told = ServiceSettings(_env_file=None, webhook_secret="whsec_geheim")
    with pytest.raises(ValueError, match="WEBHOOK_SECRET") as fault:
        CallbackQueue(told)
    assert "geheim" not in str(fault.value)


def test_neither_secret_nor_url_is_logged(settings, receiver, caplog):
    receiver.answer(500)
    with caplog.at_level(logging.DEBUG, "avatarlab"):
        deliver(settings, receiver.url, "completed")
    assert event().key in caplog.text
    assert SECRET not in caplog.text and "shop=7" not in caplog.text and "anna" not in caplog.text


def test_waits_by_schedule_but_not_before_the_receiver_asked():
    asked = TryAgain(CallbackResponse("retry", 429, "x", 100.0))
    assert 5000 <= wait_ms(1, TryAgain(CallbackResponse("retry", 500, "x")), DELAYS_S) <= 5500
    assert wait_ms(1, asked, DELAYS_S) == 100_000 and wait_ms(2, asked, DELAYS_S) >= 300_000
    assert wait_ms(10, asked, DELAYS_S) == -1 and 5000 <= wait_ms(1, RuntimeError(), DELAYS_S) <= 5500


@pytest.mark.faults
def test_calls_go_on_after_redis_was_away(settings, receiver, tmp_path):
    with RedisServer(tmp_path) as server:
        told = settings.model_copy(update={"redis_url": type(settings.redis_url)(server.url)})

        async def all_of_it():
            async with running(told) as queue:
                await queue.announce(event(1), receiver.url)
                await until(told, event(1).key, "completed")
                await asyncio.sleep(1.1)  # the append-only file is synced each second
                server.kill()
                waiting = asyncio.create_task(queue.announce(event(2), receiver.url))
                await asyncio.sleep(3)
                assert not waiting.done()
                await asyncio.to_thread(server.start)
                await waiting
                back = time.monotonic()
                await queue.announce(event(1), receiver.url)
                await until(told, event(2).key, "completed", seconds=30)
                return time.monotonic() - back

        assert asyncio.run(all_of_it()) < SLOWER * 10
    assert sorted(call.id for call in receiver.calls) == sorted([event(1).key, event(2).key])


@pytest.mark.faults
def test_announcing_to_a_redis_that_stays_away_says_so(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("avatarlab.service.callback_queue.ANNOUNCE_S", 1.0)
    told = settings.model_copy(update={"redis_url": type(settings.redis_url)("redis://127.0.0.1:9/0")})

    async def once():
        queue = CallbackQueue(told)
        await queue.start()
        try:
            with pytest.raises(Unavailable):
                await queue.announce(event(), "http://127.0.0.1:9/")
        finally:
            start = time.monotonic()
            await queue.close()
        return time.monotonic() - start

    assert asyncio.run(once()) < SLOWER * 8
