"""What counts as an attempt of a job, and what does not."""

import asyncio
import errno
import math
import uuid
from types import SimpleNamespace
from unittest.mock import AsyncMock

import pytest
import redis.exceptions
from bullmq import DelayedError
from patience import SLOWER

from avatarlab.service.bull import OPTIONS, REMOVE, BullQueue
from avatarlab.service.job_consumer import GIVE_UP_WAITS, STACKS, JobConsumer, _mend, _surroundings
from avatarlab.service.jobs import Unavailable
from avatarlab.service.messages import ChildDied, StartFailed, TimeLimit
from avatarlab.service.settings import ServiceSettings


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("storage"),
        StartFailed("models"),
        redis.exceptions.ConnectionError("gone"),
        ConnectionResetError("gone"),
        OSError(errno.ENOSPC, "no space left"),
    ],
)
def test_what_is_not_the_jobs_fault_costs_no_attempt(error):
    assert _surroundings(error)


@pytest.mark.parametrize(
    "error",
    [ChildDied("x"), TimeLimit("x"), ValueError("x"), FileNotFoundError(errno.ENOENT, "x"), TypeError("x")],
)
def test_what_may_be_costs_one(error):
    assert not _surroundings(error)


class Done:
    """A processor that is always done, or that finds something away."""

    def __init__(self, error=None, **summary):
        self.error, self.summary, self.runs = error, summary, 0

    async def process(self, id, data, tell):
        self.runs += 1
        if self.error:
            raise self.error
        return self.summary if self.runs == 1 else {}


def job(**given):
    """A job as a desk is given it."""
    facts = {"id": "7", "data": {}, "opts": {"attempts": 1}, "attemptsMade": 0, "attemptsStarted": 1} | given
    facts["backend"] = SimpleNamespace(moveToDelayed=AsyncMock())
    return SimpleNamespace(stalledCounter=0, timestamp=0, **facts)


def worked(one, processor):
    desk = JobConsumer(ServiceSettings(_env_file=None), processor, lambda _: None)
    return asyncio.run(desk._process(one, "token"))


@pytest.mark.parametrize(("started", "waits"), [(1, True), (GIVE_UP_WAITS, True), (GIVE_UP_WAITS + 5, False)])
def test_a_job_of_any_age_waits_for_days_for_what_is_away(started, waits):
    """It was added in 1970, by its producer's clock, or lay in the queue for a week."""
    one = job(attemptsStarted=started)
    with pytest.raises(DelayedError if waits else Unavailable):
        worked(one, Done(Unavailable("the storage is away")))
    assert one.backend.moveToDelayed.called == waits


@pytest.mark.parametrize(
    ("opts", "attempts", "backoff"),
    [
        ({"attempts": 5, "backoff": {"type": "fixed", "delay": 10}}, 5, {"type": "fixed", "delay": 10}),
        ({"attempts": 0}, 0, None),
        ({"attempts": "3", "backoff": {"type": "jitter", "delay": 10}}, 3, OPTIONS["backoff"]),
        ({"attempts": None, "backoff": {"type": "exponential"}}, 3, OPTIONS["backoff"]),
        ({"attempts": [], "backoff": 2.5}, 3, OPTIONS["backoff"]),
    ],
)
def test_options_that_bullmq_stumbles_over_are_mended(opts, attempts, backoff):
    one = SimpleNamespace(opts=opts | {"removeOnFail": True})
    _mend(one)
    assert one.opts["attempts"] == attempts and one.opts.get("backoff") == backoff
    assert one.opts["removeOnFail"] == REMOVE["removeOnFail"] and one.opts["stackTraceLimit"] == STACKS


async def _ended(settings, processor, **options):
    """A job's state and how often it was run, by a desk on a real queue."""
    told, queue = [], BullQueue(settings)
    desk = JobConsumer(settings, processor, told.append)
    desk.start()
    await queue.jobs.add("avatar", {"subject": "anna"}, {"jobId": "one", **options})
    while (state := await queue.jobs.getJobState("one")) not in ("completed", "failed"):
        await asyncio.sleep(0.05)
    kept = (await queue.jobs.getJob("one")) is not None
    await desk.stop()
    await queue.close()
    return state, processor.runs, len(told), kept


def ended(redis_server, processor, **options):
    settings = ServiceSettings(
        _env_file=None, redis_url=redis_server.url, queue=f"q{uuid.uuid4().hex[:8]}", lock_s=2, stalled_s=1
    )
    return asyncio.run(asyncio.wait_for(_ended(settings, processor, **options), SLOWER * 20))


def test_a_job_that_is_done_does_not_fail_because_noting_so_did(redis_server):
    """NaN stands for a Redis that refuses in that very moment; the job's only attempt is over."""
    assert ended(redis_server, Done(seconds=math.nan), attempts=1) == ("completed", 2, 0, True)


def test_a_job_with_odd_options_fails_when_its_attempts_are_over_and_is_kept(redis_server):
    crash = Done(ValueError("a bug"))
    options = {"attempts": "2", "backoff": {"type": "jitter", "delay": 1}, "removeOnFail": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OPTIONS, "backoff", {"type": "fixed", "delay": 10})
        assert ended(redis_server, crash, **options) == ("failed", 3, 1, True)
