"""Telling callers of jobs that failed, each once: from BullMQ's own list of failed jobs, which survives whoever failed them.

A worker tells of its own jobs at once; a sweep finds those whose worker died in between, which were failed because their
workers kept dying, or whose telling did not succeed. That it was told stands in the job's own hash.
"""

import time
from typing import Any

from bullmq import Queue as Jobs
from bullmq.job import Job

from avatarlab.service.logs import note, warn
from avatarlab.service.processing import Processor

TOLD = "told"
"""Field of a job's hash in Redis, ours."""
MARK = "if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('HSET', KEYS[1], ARGV[1], '1') end"
"""Never makes a hash: one without a job would keep its id from being used again."""
LOOK_BACK_MS = 3_600_000
"""A sweep after the first looks at jobs failed since the last one, and this long before: clocks of workers differ."""
LOOK_AGAIN_S = 6 * 3600
"""How often a sweep looks at all failed jobs: a worker's clock may be wrong by more than that."""
CHUNK = 1000
STALLED = "job stalled more than allowable limit"


def reason_of(text: str | None) -> str:
    """Why a job failed, in a sentence."""
    if text == STALLED:
        return "Every worker that took this job up died over it; it was given up."
    return text or "unknown"


class Failures:
    """Looks after the failed jobs of a queue; several in several workers do no harm."""

    def __init__(self, jobs: Jobs, processor: Processor):
        self._jobs, self._processor = jobs, processor
        self._since_ms, self._all_s = 0, time.monotonic()

    async def tell(self, job: Job) -> bool:
        """Have a failed job announced, unless that was done; True if it was done now."""
        key = self._jobs.toKey(job.id)
        if await self._jobs.client.hexists(key, TOLD):
            return False
        if not await self._processor.failed(job.id, job.data, reason_of(job.failedReason)):
            await self._jobs.remove(job.id)
            return False
        await self._jobs.client.eval(MARK, 1, key, TOLD)
        note("failure.settled", job=job.id)
        return True

    async def sweep(self) -> int:
        """Tell what was not told; return how many. What cannot be told now stays for the next sweep."""
        began_ms = round(time.time() * 1000)
        if time.monotonic() - self._all_s > LOOK_AGAIN_S:
            self._since_ms, self._all_s = 0, time.monotonic()
        ids = await self._jobs.client.zrangebyscore(self._jobs.toKey("failed"), self._since_ms, "+inf")
        told, complete = 0, True
        for id in await self._untold(ids):
            try:
                job = await Job.fromId(self._jobs, id)
                told += bool(job) and await self.tell(job)
            except Exception as error:
                complete = False
                warn("failure.untold", job=id, kind=type(error).__name__)
        if complete:
            self._since_ms = began_ms - LOOK_BACK_MS
        return told

    async def _untold(self, ids: list[str]) -> list[Any]:
        found = []
        for begin in range(0, len(ids), CHUNK):
            async with self._jobs.client.pipeline(transaction=False) as asked:
                for id in ids[begin : begin + CHUNK]:
                    asked.hexists(self._jobs.toKey(id), TOLD)
                told = await asked.execute()
            found += [id for id, known in zip(ids[begin : begin + CHUNK], told, strict=True) if not known]
        return found
