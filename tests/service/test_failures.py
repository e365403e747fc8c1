"""Failed jobs are told of, once each, by whoever comes to it first."""

import asyncio
import time
import uuid

import pytest

from avatarlab.service.avatar import AvatarJob
from avatarlab.service.bull import BullQueue
from avatarlab.service.failures import LOOK_AGAIN_S, STALLED, Failures, reason_of
from avatarlab.service.jobs import Unavailable
from avatarlab.service.settings import ServiceSettings

JOB = AvatarJob(subject="anna", front_key="p/front.jpg", stature_cm=170)


class Told:
    """Stands where the processor does; ``away`` ids cannot be told of now."""

    def __init__(self):
        self.told, self.away, self.deleted = [], set(), set()

    async def failed(self, id, data, reason):
        await asyncio.sleep(0.01)
        if id in self.away:
            raise Unavailable("the storage is away")
        if id in self.deleted:
            return False
        self.told.append((id, data["subject"], reason))
        return True


def run(redis_server, story):
    async def all_of_it():
        queue = BullQueue(ServiceSettings(redis_url=redis_server.url, queue=f"q{uuid.uuid4().hex[:8]}"))
        told = Told()
        try:
            return await story(queue, told, Failures(queue.jobs, told))
        finally:
            await queue.close()

    return asyncio.run(all_of_it())


async def fail(queue, *reasons: str, at_ms: int = 1) -> list[str]:
    """Put jobs among the failed as BullMQ does."""
    ids = [str(uuid.uuid4()) for _ in reasons]
    for id, reason in zip(ids, reasons, strict=True):
        await queue.add(id, JOB)
        await queue.jobs.client.lrem(queue.jobs.toKey("wait"), 1, id)
        await queue.jobs.client.hset(queue.jobs.toKey(id), "failedReason", reason)
        await queue.jobs.client.zadd(queue.jobs.toKey("failed"), {id: at_ms})
    return ids


def test_each_failed_job_is_told_of_once_with_its_reason(redis_server):
    async def story(queue, told, failures):
        ids = await fail(queue, "no person", STALLED)
        swept = [await failures.sweep(), await failures.sweep(), await Failures(queue.jobs, told).sweep()]
        return ids, swept, told.told

    ids, swept, told = run(redis_server, story)
    assert swept == [2, 0, 0] and {(id, reason) for id, _, reason in told} == {
        (ids[0], "no person"),
        (ids[1], "Every worker that took this job up died over it; it was given up."),
    }


def test_sweeps_at_once_tell_at_most_the_same_again(redis_server):
    async def story(queue, told, failures):
        ids = await fail(queue, *["no person"] * 5)
        await asyncio.gather(*(Failures(queue.jobs, told).sweep() for _ in range(4)))
        return ids, told.told, await failures.sweep()

    ids, told, later = run(redis_server, story)
    assert {id for id, _, _ in told} == set(ids) and later == 0


def test_what_cannot_be_told_now_is_told_later_and_holds_up_no_other(redis_server):
    async def story(queue, told, failures):
        ids = await fail(queue, "a", "b", "c")
        told.away = {ids[1]}
        first = await failures.sweep(), await failures.sweep()
        told.away = set()
        return first, await failures.sweep(), len(told.told)

    assert run(redis_server, story) == ((2, 0), 1, 3)


def test_a_later_sweep_looks_at_what_failed_since_and_shortly_before(redis_server):
    async def story(queue, told, failures):
        await failures.sweep()
        since_ms = failures._since_ms
        await fail(queue, "long ago", at_ms=since_ms - 1)
        await fail(queue, "while clocks differed", at_ms=since_ms + 1)
        return await failures.sweep(), await Failures(queue.jobs, told).sweep()

    assert run(redis_server, story) == (1, 1)


def test_all_are_looked_at_again_in_a_while_for_clocks_may_be_wrong(redis_server):
    async def story(queue, told, failures):
        await failures.sweep()
        await fail(queue, "by a worker of the year 1970", at_ms=1)
        now = await failures.sweep()
        failures._all_s = time.monotonic() - LOOK_AGAIN_S - 1
        return now, await failures.sweep(), await failures.sweep()

    assert run(redis_server, story) == (0, 1, 0)


def test_a_failed_job_that_was_deleted_leaves_the_queue_with_all_its_data(redis_server):
    async def story(queue, told, failures):
        deleted, other = await fail(queue, "no person", "no person")
        told.deleted = {deleted}
        swept = await failures.sweep()
        left = await queue.jobs.client.exists(queue.jobs.toKey(deleted))
        return swept, left, await queue.find(deleted), (await queue.find(other)).state, len(told.told)

    assert run(redis_server, story) == (1, 0, None, "failed", 1)


def test_a_job_that_is_gone_is_not_brought_back_as_a_ghost(redis_server):
    """A hash without a job would keep its id from ever being used again."""

    async def story(queue, told, failures):
        (id,) = await fail(queue, "no person")
        job = await queue.jobs.getJob(id)
        await queue.jobs.client.delete(queue.jobs.toKey(id))
        await failures.tell(job)
        await failures.sweep()
        await queue.jobs.client.zrem(queue.jobs.toKey("failed"), id)
        return len(told.told), await queue.add(id, JOB)

    assert run(redis_server, story) == (1, True)


@pytest.mark.parametrize(("text", "reason"), [("no person", "no person"), (None, "unknown"), ("", "unknown")])
def test_reasons(text, reason):
    assert reason_of(text) == reason
