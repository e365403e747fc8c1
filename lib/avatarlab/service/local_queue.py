"""A queue in one process over a folder: a record per job, each file whole or not at all, so that dying loses nothing.

What BullMQ in Redis is to the workers, this is to ``service.local``; it also works its jobs off, and makes their callbacks.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from avatarlab.core.errors import InputError
from avatarlab.service import metrics
from avatarlab.service.callbacks import Caller, delay_s
from avatarlab.service.child import Children
from avatarlab.service.job_records import Callback, JobRecord, Records
from avatarlab.service.jobs import Event, JobProgress, State, Ticket, Unavailable
from avatarlab.service.kinds import Job
from avatarlab.service.logs import note, warn
from avatarlab.service.processing import Processor, surroundings
from avatarlab.service.queues import STATES
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import Storage

TRIES = 3
"""Of a job, those counted in which this process itself died."""
WAIT_S, LONGEST_WAIT_S = 2.0, 60.0
GRACE_S = 5.0
"""How long a job in work may go on when the process is asked to stop; after that it is put back."""
IDLE_S = 600.0


class LocalQueue:
    """``queues.Queue`` in a folder of one process; ``start`` begins to work with ``children``, ``close`` ends it."""

    def __init__(self, folder: Path, settings: ServiceSettings, storage: Storage, children: Children):
        self._files, self._count = Records(folder), settings.children
        self._write = self._files.write
        self._caller = Caller(settings)
        self._delays_s = [float(one) for one in settings.callback_delays_s.split(",")]
        self._processor = Processor(settings, storage, children, self.announce, self.forgotten)
        self._progress: dict[str, JobProgress] = {}
        self._tasks: list[asyncio.Task] = []
        self._running: set[str] = set()
        self._closing = False
        self._wake = asyncio.Event()
        self._records = {record.id: record for record in self._files.read()}

    async def add(self, id: str, job: Job) -> bool:
        """Put a job into the queue; False where one of that id is known, deleted or not."""
        if id in self._records:
            return False
        record = JobRecord(id=id, job=job, added=time.time())
        self._write(record)
        self._records[id] = record
        self._wake.set()
        return True

    async def find(self, id: str) -> Ticket | None:
        """What is known of a job."""
        record = self._records.get(id)
        if not record or record.deleted:
            return None
        facts = record.model_dump(include={"id", "state", "reason", "tries", "seconds"})
        return Ticket(job=record.job, progress=self._progress.get(id), **facts)

    async def counts(self) -> dict[str, int]:
        """Number of jobs in each state."""
        counts = dict.fromkeys(STATES, 0)
        for record in self._records.values():
            counts[record.state] += not record.deleted
        return counts

    async def forget(self, id: str) -> bool:
        """Mark a job as deleted; True where it is being worked on."""
        unknown = JobRecord(id=id, job=None, state="completed", added=time.time())
        record = self._records.setdefault(id, unknown)
        record.deleted = record.deleted or time.time()
        self._bury(record)
        return id in self._running

    def _bury(self, record: JobRecord) -> None:
        if record.id not in self._running:
            record.job, record.reason, record.callbacks = None, None, []
        self._write(record)

    async def forgotten(self, id: str) -> bool:
        """Whether a job was deleted."""
        return bool((record := self._records.get(id)) and record.deleted)

    async def ready(self) -> None:
        """Return where records can be written."""
        self._files.ready()

    async def announce(self, event: Event, url: str) -> None:
        """Have a callback made, once however often announced."""
        record = self._records[event.id]
        if not record.deleted and all(one.event.key != event.key for one in record.callbacks):
            record.callbacks.append(Callback(event=event, url=url))
            self._write(record)
            self._wake.set()

    async def start(self) -> None:
        """Take up what was left unfinished, then whatever comes."""
        for record in self._records.values():
            if record.deleted and record.job:
                await self._buried(record)
            elif record.state == "active" and not record.deleted:
                await self._taken_up(record)
        work = [self._work() for _ in range(self._count)]
        self._tasks = [asyncio.create_task(one) for one in (*work, self._call())]

    async def _buried(self, record: JobRecord) -> None:
        """Remove what a former run left of a job that was deleted in its hands."""
        with contextlib.suppress(Unavailable):
            await self._processor.process(record.id, record.job.model_dump(mode="json"), self._tell(record.id))
            self._bury(record)

    async def _taken_up(self, record: JobRecord) -> None:
        note("job.again", job=record.id, run=record.tries)
        if record.tries < TRIES:
            record.state = "waiting"
            self._write(record)
        else:
            await self._fail(record, f"The service stopped {record.tries} times over this job.")

    async def close(self, grace_s: float = GRACE_S) -> None:
        """Let jobs in work end within ``grace_s`` seconds, else put them back; take no more."""
        self._closing = True
        self._wake.set()
        end = time.monotonic() + grace_s
        while self._running and time.monotonic() < end:
            await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._caller.close()
        self._processor.close()

    async def _work(self) -> None:
        while not self._closing:
            record = self._next()
            if record:
                await self._one(record)
            else:
                await self._pause(self._due("waiting", "delayed"))

    def _next(self) -> JobRecord | None:
        now = time.time()
        ready = [one for one in self._records.values() if _open(one) and one.due <= now]
        return min(ready, key=lambda one: one.added, default=None)

    def _due(self, *states: str) -> Iterator[float]:
        return (one.due for one in self._records.values() if one.state in states and not one.deleted)

    async def _pause(self, dues: Iterator[float]) -> None:
        """Sleep until the first of these times, or until something is put in."""
        self._wake.clear()
        wait_s = min(dues, default=time.time() + IDLE_S) - time.time()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), max(0.01, wait_s))

    async def _one(self, record: JobRecord) -> None:
        """One try of a job, whose end is noted even where noting it fails at first."""
        self._running.add(record.id)
        record.state, record.tries = "active", record.tries + 1
        try:
            await self._try(record)
        except asyncio.CancelledError:
            record.tries -= 1
            self._to(record, "waiting")
            raise
        except Exception as error:  # the disk is full, or the storage away while a failure was told
            with contextlib.suppress(Unavailable):
                self._again(record, str(error), counted=False)
        finally:
            self._running.discard(record.id)
            self._progress.pop(record.id, None)
        if record.deleted:
            with contextlib.suppress(Unavailable):
                self._bury(record)

    async def _try(self, record: JobRecord) -> None:
        """The try is written down before it begins, for the job that takes this process with it."""
        started = time.monotonic()
        try:
            self._write(record)
            note("job.taken", job=record.id, run=record.tries)
            await self._processor.process(record.id, record.job.model_dump(mode="json"), self._tell(record.id))
            record.seconds = round(time.monotonic() - started, 3)
            self._to(record, "completed")
        except InputError as error:
            await self._fail(record, str(error))
        except Exception as error:
            reason = str(error) or type(error).__name__
            if surroundings(error):
                self._again(record, reason, counted=False)
            else:
                await self._again_or_fail(record, reason)

    def _tell(self, id: str):
        async def tell(progress: JobProgress) -> None:
            before = self._progress.get(id)
            if not before or before.stage != progress.stage:
                note("job.progress", job=id, stage=progress.stage, percent=progress.percent)
            self._progress[id] = progress

        return tell

    async def _again_or_fail(self, record: JobRecord, reason: str) -> None:
        if record.tries >= TRIES:
            await self._fail(record, reason)
        else:
            self._again(record, reason, counted=True)

    def _again(self, record: JobRecord, reason: str, counted: bool) -> None:
        record.waits += 1
        record.tries -= not counted
        record.due = time.time() + min(LONGEST_WAIT_S, WAIT_S * 2 ** min(record.waits - 1, 10))
        metrics.JOBS.labels("retried").inc()
        warn("job.retried", job=record.id, text=reason)
        self._to(record, "delayed", reason)

    async def _fail(self, record: JobRecord, reason: str) -> None:
        """The callback is put down first: whoever dies in between fails the job again."""
        await self._processor.failed(record.id, record.job.model_dump(mode="json"), reason)
        metrics.JOBS.labels("failed").inc()
        warn("job.failed", job=record.id, text=reason)
        self._to(record, "failed", reason)

    def _to(self, record: JobRecord, state: State, reason: str | None = None) -> None:
        record.state, record.reason = state, reason
        self._write(record)

    async def _call(self) -> None:
        """Make the callbacks that are due, one after another."""
        while not self._closing:
            now = time.time()
            for record, one in [*self._callbacks()]:
                if one.due <= now:
                    await self._called(record, one)
            await self._pause(one.due for _, one in self._callbacks())

    def _callbacks(self) -> Iterator[tuple[JobRecord, Callback]]:
        return ((record, one) for record in self._records.values() for one in record.callbacks if not one.over)

    async def _called(self, record: JobRecord, one: Callback) -> None:
        answer = await self._caller.call(one.event, one.url)
        one.tries += 1
        wait_s = delay_s(one.tries, self._delays_s) if answer.kind == "retry" else None
        if wait_s is None:
            one.over = "given up" if answer.kind == "retry" else answer.kind
        else:
            one.due = time.time() + max(wait_s, answer.after_s or 0)
        note("callback", job=record.id, result=answer.kind, text=answer.reason)
        if not record.deleted:
            with contextlib.suppress(Unavailable):
                self._write(record)


def _open(record: JobRecord) -> bool:
    return record.state in ("waiting", "delayed") and not record.deleted
