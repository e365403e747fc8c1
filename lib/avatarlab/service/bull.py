"""The queue of jobs in Redis, by BullMQ: what the API asks of it, and how every part of the service connects.

Read in bullmq 3.4.4 and redis 8.1: by themselves they lose idle workers for up to 20 s (a socket time-out of 5 s races
with a blocking wait of 5 s, and tries again after 1, 2, 4 .. 20 s). So all connections are made here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bullmq import Queue as Jobs
from bullmq import Worker
from bullmq.job import Job
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from avatarlab.core.errors import InputError
from avatarlab.service import kinds
from avatarlab.service.jobs import Event, JobProgress, Ticket, Unavailable, read_job
from avatarlab.service.queues import FORGET_S, STATES
from avatarlab.service.settings import ServiceSettings

REMOVE: dict[str, Any] = {"removeOnComplete": {"age": 86_400, "count": 1000}, "removeOnFail": {"age": 1_209_600}}
"""How long the queue remembers (s): a day and 1000 jobs; failed ones two weeks."""
OPTIONS: dict[str, Any] = {"attempts": 3, "backoff": {"type": "exponential", "delay": 2000}, **REMOVE}
"""What a producer should add a job with, besides ``jobId``; in BullMQ's words and units (delay in ms)."""
PATIENCE, HASTE = 25, 2
"""Tries of a command that finds no Redis. A worker waits minutes (a connection is tried as often in each), an API not."""
ANSWER_S = 5
"""Longest that an API waits for Redis (s)."""
STATE_NAMES = {"prioritized": "waiting", "waiting-children": "waiting", "paused": "waiting"}


def connection(settings: ServiceSettings, tries: int = PATIENCE) -> Redis:
    """A client of its own for one queue or worker, which closes it: BullMQ's option ``connection``.

    InputError, without the URL in it, where REDIS_URL is none.
    """
    try:
        return Redis.from_url(
            settings.redis_url.get_secret_value(),
            decode_responses=True,
            socket_timeout=30,
            socket_connect_timeout=5,
            health_check_interval=15,
            retry=Retry(ExponentialBackoff(cap=1, base=0.05), tries),
        )
    except ValueError:
        expected = "redis://user:password@host:port/database, or rediss:// for TLS"
        raise InputError(f"REDIS_URL: expected {expected}; special characters in the password as %40.") from None


@asynccontextmanager
async def asked(seconds: float | None = ANSWER_S) -> AsyncIterator[None]:
    """Whatever Redis does wrong inside becomes ``Unavailable``."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"The queue in Redis does not answer ({type(error).__name__}).") from None


async def let_go(worker: Worker, client: Redis, seconds: float = 1.0) -> bool:
    """Close a BullMQ worker whose loop has ended and the client made for it; False where that took too long.

    Not by its own ``close``: in bullmq 3.4.4 that waits for slots that look for a Redis that is away, and once cancelled
    (as all tasks are when a loop ends) it spins for ever.
    """
    for slot in (*worker.processing, worker.waiting):
        if slot:
            slot.cancel()
    done, _ = await asyncio.wait([asyncio.ensure_future(client.aclose())], timeout=seconds)
    return bool(done) and not any(task.exception() for task in done)


class BullQueue:
    """``queues.Queue`` over BullMQ; producers and workers in Node see the same jobs.

    ``patient``: wait for a Redis that is away, as a worker in the middle of a job does.
    """

    def __init__(self, settings: ServiceSettings, patient: bool = False):
        self._client = connection(settings, PATIENCE if patient else HASTE)
        self._answer_s = None if patient else ANSWER_S
        self._name = settings.queue
        self.jobs = Jobs(settings.queue, {"connection": self._client})
        self._callbacks = Jobs(settings.callback_queue, {"connection": self._client})

    def _asked(self):
        return asked(self._answer_s)

    async def add(self, id: str, job: kinds.Job) -> bool:
        """Put a job into the queue; False where one of that id is known already, which then stays as it is."""
        one = Job(self.jobs, kinds.kind_of(job).name, job.model_dump(mode="json"), OPTIONS | {"jobId": id})
        async with self._asked(), self._client.pipeline(transaction=True) as both:
            both.exists(self.jobs.toKey(id))
            await self.jobs.backend.scripts.addJob(one, both)
            there, _ = await both.execute()
        return not there

    async def find(self, id: str) -> Ticket | None:
        """What is known of a job; None where the queue does not know it (any more)."""
        async with self._asked():
            state = await self.jobs.getJobState(id)  # before the job: one that is failed by then has its reason
            found = await Job.fromId(self.jobs, id)
        state = STATE_NAMES.get(state, state)
        return ticket(found, state) if found and state in STATES else None

    async def counts(self) -> dict[str, int]:
        """Number of jobs in each of ``STATES``."""
        async with self._asked():
            found = await self.jobs.getJobCounts(*STATES, *STATE_NAMES)
        total = dict.fromkeys(STATES, 0)
        for state, count in found.items():
            total[STATE_NAMES.get(state, state)] += count
        return total

    async def forget(self, id: str) -> bool:
        """Mark a job as deleted for ``FORGET_S`` and take it out of the queue; True where a worker holds it now.

        Its callbacks go too, delivered or not, but for one that is being made: that counts as held.
        """
        events = [Event(type=type, id=id, subject="", url="") for type in ("avatar.completed", "avatar.failed")]
        async with self._asked():
            await self._client.set(self._forgotten_key(id), 1, ex=FORGET_S)
            free = await self.jobs.remove(id)
            gone = [await self._callbacks.remove(event.key) for event in events]
        return not (free and all(gone))

    async def forgotten(self, id: str) -> bool:
        """Whether a job was deleted."""
        async with self._asked():
            return bool(await self._client.exists(self._forgotten_key(id)))

    def _forgotten_key(self, id: str) -> str:
        return f"avatarlab:{self._name}:deleted:{id}"

    async def ready(self) -> None:
        """Return where the queue answers, else raise ``Unavailable``."""
        async with asked(ANSWER_S):
            await self._client.ping()

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


def ticket(job: Job, state: str) -> Ticket:
    """What is known of a job of BullMQ, also of one whose data nobody can read."""
    took_ms = (job.finishedOn or 0) - (job.processedOn or 0)
    return Ticket(
        id=job.id,
        state=state,
        job=_if_right(read_job, job.data),
        progress=_if_right(JobProgress.model_validate, job.progress),
        reason=job.failedReason if state != "completed" else None,
        tries=job.attemptsStarted,
        seconds=took_ms / 1000 if state == "completed" and took_ms > 0 else None,
    )


def _if_right(read, value):
    try:
        return read(value)
    except (InputError, ValidationError):
        return None
