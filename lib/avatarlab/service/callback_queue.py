"""The queue of callbacks: their retries over days, apart from the avatars, so that no fit is ever made again for one.

A BullMQ queue of its own whose job id is the event's key: announced twice is called once. The number of tries lies in
Redis, so the schedule goes on where it was, whichever worker is alive then.
"""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from math import ceil

import bullmq
from pydantic import ValidationError

from avatarlab.service.bull import asked, connection, let_go
from avatarlab.service.callbacks import CallbackResponse, Caller, delay_s
from avatarlab.service.jobs import Event
from avatarlab.service.logs import note, warn, warn_seldom
from avatarlab.service.settings import ServiceSettings

CONCURRENCY = 8
"""Calls at once: a receiver that hangs holds one for the time limit of a call."""
SHARE, PUT_OFF_S = 4, (2.0, 6.0)
"""Of those, for one receiver; its further ones are put off for so long (s, at random), which counts as no try."""
ANNOUNCE_S = 60.0
"""Longest wait for a Redis that is away; then the job itself is tried again."""
KEEP_S, KEEP_FAILED_S = 30 * 86_400, 90 * 86_400
"""The id of a callback already made is what keeps it from being made again, so it outlives any job."""
KEEP_MOST = 100_000
"""Of each kind, and no more: a month of a busy service would fill a Redis."""
MAX_STALLED = 1000
"""Workers that die during a call (a restart each day) are no reason to give a callback up."""
BACKOFF = "standard-webhooks"
POLL_S, LAST_WORD_S = 0.05, 3.0
"""At the end: how long Redis may take to note what a call came to."""


class TryAgain(Exception):
    """A call that did not succeed; ``after_s``: not sooner, as its receiver asked."""

    def __init__(self, answer: CallbackResponse):
        super().__init__(answer.reason)
        self.after_s = answer.after_s or 0.0


def wait_ms(tries: int, error: BaseException, delays_s: Sequence[float]) -> int:
    """Milliseconds until the next try after ``tries``, not before what the receiver asked for; -1: give up."""
    wait = delay_s(tries, delays_s)
    return -1 if wait is None else round(1000 * max(wait, getattr(error, "after_s", 0.0)))


class CallbackQueue:
    """Takes callbacks on (``announce``) and, once started, makes them; ValueError where the settings are wrong."""

    def __init__(self, settings: ServiceSettings, caller: Caller | None = None):
        self.settings = settings
        self.caller = caller or Caller(settings)
        self.delays_s = [float(one) for one in settings.callback_delays_s.split(",")]
        self.client = connection(settings)
        self.queue = bullmq.Queue(settings.callback_queue, {"connection": self.client})
        self.worker: bullmq.Worker | None = None
        self.running: asyncio.Task | None = None
        self.closing = False
        self.calling: Counter[str] = Counter()

    async def announce(self, event: Event, url: str) -> None:
        """Put a callback into the queue once, however often announced; Unavailable where Redis does not answer."""
        options = {
            "jobId": event.key,
            "attempts": len(self.delays_s) + 1,
            "backoff": {"type": BACKOFF},
            "removeOnComplete": {"age": KEEP_S, "count": KEEP_MOST},
            "removeOnFail": {"age": KEEP_FAILED_S, "count": KEEP_MOST},
            "stackTraceLimit": 0,
        }
        async with asked(ANNOUNCE_S):
            await self.queue.add("callback", {"event": event.model_dump(mode="json"), "url": url}, options)

    async def start(self) -> None:
        """Begin to make callbacks; without a secret they stay in the queue for a worker that has it."""
        if not self.caller.signers:
            warn("callbacks.off", text="WEBHOOK_SECRET is not set; callbacks wait for a worker that has it")
            return
        self.running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """BullMQ's loop ends where Redis stays away too long; then begin again."""
        while not self.closing:
            self.worker = self._worker()
            try:
                await self.worker.run()
            except Exception as error:
                warn("callbacks.interrupted", kind=type(error).__name__)
            if not self.closing:
                await self._let_go()
                await asyncio.sleep(1)

    def _worker(self) -> bullmq.Worker:
        options = {
            "autorun": False,
            "connection": connection(self.settings),
            "concurrency": CONCURRENCY,
            "lockDuration": 1000 * max(self.settings.lock_s, ceil(self.settings.callback_limit_s + LAST_WORD_S)),
            "stalledInterval": 1000 * self.settings.stalled_s,
            "maxStalledCount": MAX_STALLED,
            "drainDelay": 5,
            "runRetryDelay": 2000,
            "settings": {"backoffStrategy": lambda tries, _, error, __: wait_ms(tries, error, self.delays_s)},
        }
        worker = bullmq.Worker(self.settings.callback_queue, self._process, options)
        worker.on("error", lambda error, *_: warn_seldom("callbacks.error", type(error).__name__))
        return worker

    async def _process(self, job: bullmq.Job, token: str) -> dict:
        try:
            event, url = Event.model_validate(job.data["event"]), str(job.data["url"])
        except (ValidationError, KeyError, TypeError):
            raise bullmq.UnrecoverableError("not a callback of this service") from None
        if event.type == "avatar.failed" and await self._outlived(event, job):
            raise bullmq.UnrecoverableError("the avatar was made after all, and its callback says so")
        host = re.split("[/?#]", url.partition("://")[2])[0].lower()
        if self.calling[host] >= SHARE:
            await job.moveToDelayed(round(1000 * (time.time() + random.uniform(*PUT_OFF_S))), token)
            raise bullmq.DelayedError
        answer = await self._call(event, url, host)
        note(f"callback.{answer.kind}", callback=event.key, tries=job.attemptsMade + 1, text=answer.reason)
        if answer.kind == "retry":
            raise TryAgain(answer)
        if answer.kind != "delivered":
            raise bullmq.UnrecoverableError(answer.reason)
        return {"status": answer.status}

    async def _outlived(self, event: Event, job: bullmq.Job) -> bool:
        """Whether a failed job was tried again by an operator and announced as completed since."""
        key = event.model_copy(update={"type": "avatar.completed"}).key
        later = await bullmq.Job.fromId(self.queue, key)
        return bool(later) and later.timestamp >= job.timestamp

    async def _call(self, event: Event, url: str, host: str) -> CallbackResponse:
        self.calling[host] += 1
        try:
            return await self.caller.call(event, url)
        finally:
            self.calling[host] -= 1
            if not self.calling[host]:
                del self.calling[host]

    async def close(self) -> None:
        """End after the calls under way; those not made stay in the queue.

        bullmq 3.4.4 closes connections under a job that its loop takes just then, and a slot that goes idle just then
        waits on: so the loop is ended first, and only then the worker closed. Locks outlive a call without renewal.
        """
        self.closing, end = True, time.monotonic() + LAST_WORD_S
        while self.running and not self.running.done() and time.monotonic() < end:
            if self.calling:
                end = time.monotonic() + LAST_WORD_S
            if self.worker:
                self.worker.closing = True
                if self.worker.waiting:
                    self.worker.waiting.cancel()
            await asyncio.wait([self.running], timeout=POLL_S)
        if self.running:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
        if self.worker:
            if self.calling and self.worker.processing:
                await asyncio.wait(self.worker.processing, timeout=self.settings.callback_limit_s)
            await self._let_go()
        await self.client.aclose()
        await self.caller.close()

    async def _let_go(self) -> None:
        if not await let_go(self.worker, self.worker.opts["connection"]):
            warn("callbacks.unclosed")
