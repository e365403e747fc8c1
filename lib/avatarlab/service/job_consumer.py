"""A place in a worker where one job at a time is worked on: BullMQ's Worker, kept alive and ended gently.

Each consumer is a BullMQ Worker of concurrency 1. With more in one, bullmq 3.4.4 stops renewing the locks of jobs still in
work as soon as an idle slot notices the end. Nor is its ``close`` called, which closes connections under a job taken in
that moment: its loop is ended, and only then let go of Redis.
"""

import asyncio
import time
from collections.abc import Callable

import bullmq
from bullmq.backoffs import Backoffs
from redis.exceptions import RedisError

from avatarlab.core.errors import InputError
from avatarlab.service import metrics
from avatarlab.service.bull import OPTIONS, REMOVE, connection, let_go
from avatarlab.service.jobs import JobProgress
from avatarlab.service.logs import note, warn, warn_seldom
from avatarlab.service.processing import Processor, surroundings
from avatarlab.service.settings import ServiceSettings

WAIT_MS, LONGEST_WAIT_MS = 2000, 60_000
GIVE_UP_WAITS = 3 * 86_400_000 // LONGEST_WAIT_MS
"""A job that has waited so often, which is three days or more, and still finds something away uses up its attempts.

Not by its age: that would be zero patience for one that was long in the queue, or whose producer's clock is wrong.
"""
STACKS = 3
"""Tracebacks kept of a job."""
AGAIN_S = 1.0
POLL_S, LAST_WORD_S = 0.05, 3.0
"""At the end: how long Redis may take to note that a job is done; if not, another worker finds it done."""


def options(settings: ServiceSettings) -> dict:
    """BullMQ's options of a worker (ms, but for drainDelay in s); locks are renewed every sixth of their life."""
    return {
        "connection": connection(settings),
        "concurrency": 1,
        "lockDuration": 1000 * settings.lock_s,
        "lockRenewTime": 1000 * settings.lock_s // 3,
        "stalledInterval": 1000 * settings.stalled_s,
        "maxStalledCount": settings.max_stalled,
        "drainDelay": 5,
        "runRetryDelay": 2000,
        "autorun": False,
        **REMOVE,
    }


class JobRefused(bullmq.UnrecoverableError):
    """A job that never will be, counted where it was refused."""


class JobConsumer:
    """Takes jobs until told to stop; ``on_failed(job)`` hears of those that failed for good."""

    def __init__(self, settings: ServiceSettings, processor: Processor, on_failed: Callable[[bullmq.Job], None]):
        self._settings, self._processor, self._on_failed = settings, processor, on_failed
        self._worker: bullmq.Worker | None = None
        self._running: asyncio.Task | None = None
        self._stopping, self.busy = False, False

    def start(self) -> None:
        """Begin to take jobs."""
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """BullMQ's loop, begun again where it ends: it does so if Redis is away while it starts."""
        while not self._stopping:
            self._worker = self._opened()
            try:
                await self._worker.run()
            except Exception as error:
                warn("consumer.restarted", kind=type(error).__name__)
            if not self._stopping:
                await self._close()
                await asyncio.sleep(AGAIN_S)

    def _opened(self) -> bullmq.Worker:
        worker = bullmq.Worker(self._settings.queue, self._process, options(self._settings))
        worker.on("error", lambda error, *_: warn_seldom("queue.error", type(error).__name__, text=error))
        worker.on("active", _mend)
        worker.on("stalled", _stalled)
        worker.on("failed", self._failed)
        return worker

    async def _process(self, job: bullmq.Job, token: str) -> dict:
        """One job, in BullMQ's words: what cannot succeed is not tried again, what is not the job's fault waits.

        Once it is done, a Redis that fails to note so is a reason to look again, and not to call the job failed.
        """
        self.busy = True
        note("job.taken", job=job.id, run=job.attemptsStarted, stalls=job.stalledCounter)

        async def tell(progress: JobProgress) -> None:
            await job.updateProgress(progress.model_dump())

        try:
            summary = await self._processor.process(str(job.id), job.data, tell)
            job.opts["attempts"] = max(job.opts["attempts"] or 1, job.attemptsMade + 2)
            if summary.get("deleted"):
                job.opts["removeOnComplete"] = True
            return summary
        except InputError as error:
            raise JobRefused(str(error)) from None
        except Exception as error:
            if not _surroundings(error) or _waits(job) > GIVE_UP_WAITS:
                raise
            await self._wait(job, token, error)
            raise bullmq.DelayedError() from None
        finally:
            self.busy = False

    async def _wait(self, job: bullmq.Job, token: str, error: Exception) -> None:
        wait_ms = min(WAIT_MS * 2 ** min(_waits(job), 10), LONGEST_WAIT_MS)
        warn("job.waits", job=job.id, kind=type(error).__name__, text=error, seconds=wait_ms / 1000)
        more = {"skipAttempt": True, "fieldsToUpdate": {"failedReason": str(error)}}
        await job.backend.moveToDelayed(job.id, round(time.time() * 1000), wait_ms, token, more)

    def _failed(self, job: bullmq.Job, error: Exception) -> None:
        if isinstance(error, bullmq.UnrecoverableError) or job.attemptsMade >= (job.opts.get("attempts") or 1):
            if not isinstance(error, JobRefused):
                metrics.JOBS.labels("failed").inc()
            warn("job.failed", job=job.id, kind=type(error).__name__)
            self._on_failed(job)
        else:
            metrics.JOBS.labels("retried").inc()
            warn("job.retried", job=job.id, kind=type(error).__name__, text=error, tries=job.attemptsMade)

    async def stop(self) -> None:
        """Take no more, wait for the job in work however long it takes, let go of Redis."""
        self._stopping, quiet_s = True, 0.0
        while self._running and not self._running.done():
            if self._worker:
                self._worker.closing = True
                if self._worker.waiting:
                    self._worker.waiting.cancel()
            quiet_s = 0.0 if self.busy else quiet_s + POLL_S
            begun = self._worker and self._worker.running
            if quiet_s > LAST_WORD_S or not begun:
                self._running.cancel()
            await asyncio.wait([self._running], timeout=POLL_S)
        await self._close()

    async def _close(self) -> None:
        if self._worker and not await let_go(self._worker, self._worker.opts["connection"]):
            warn("consumer.unclosed")


def _waits(job: bullmq.Job) -> int:
    return max(job.attemptsStarted - job.attemptsMade - 1, 0)


def _mend(job: bullmq.Job, *_) -> None:
    """Replace what a producer may have written and bullmq 3.4.4 stumbles over while it notes a failure: for ever.

    A failed job is kept whatever its producer said: it is told of from there, and perhaps not at once.
    """
    backoff, opts = job.opts.get("backoff"), job.opts
    known = isinstance(backoff, dict) and backoff.get("type") in Backoffs.builtin_strategies
    if backoff and not (known and isinstance(backoff.get("delay"), int | float)):
        opts["backoff"] = OPTIONS["backoff"]
    if not isinstance(opts["attempts"], int | float):
        opts["attempts"] = OPTIONS["attempts"]
    if opts.get("removeOnFail") is not False:
        opts["removeOnFail"] = REMOVE["removeOnFail"]
    opts["stackTraceLimit"] = STACKS


def _surroundings(error: Exception) -> bool:
    return isinstance(error, RedisError) or surroundings(error)


def _stalled(id: str) -> None:
    metrics.STALLED.inc()
    warn("job.stalled", job=id)
