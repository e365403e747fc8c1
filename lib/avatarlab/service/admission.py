"""How much is let in: a longest queue, a number of uploads at once, and time limits on whom we ask."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from avatarlab.service.http_errors import refused
from avatarlab.service.jobs import Unavailable
from avatarlab.service.queues import Queue

T = TypeVar("T")
QUEUE_S = 10.0
"""Longest that the queue is waited for (s)."""
JOB_S = 5.0
"""A job on two cores, about; only for the estimate in Retry-After (s)."""
MAX_RETRY_S = 600
UPLOADS = 16
"""Forms read at once by one API process: with 50 MB each this bounds its temporary files."""


async def within(asked: Awaitable[T], seconds: float = QUEUE_S, who: str = "queue") -> T:
    """What ``asked`` gives; ``Unavailable`` where it takes longer."""
    try:
        return await asyncio.wait_for(asked, seconds)
    except TimeoutError:
        raise Unavailable(f"{who}: no answer within {seconds:g} s") from None


async def room(queue: Queue, limit: int) -> None:
    """Refuse (503, Retry-After) while ``limit`` or more jobs wait. Posts that ask at the same moment all get in."""
    counts = await within(queue.counts())
    waiting = counts["waiting"] + counts["delayed"]
    if waiting >= limit:
        message = f"{waiting} jobs are waiting, {limit} is the limit; try again later."
        raise refused(503, message, Retry_After=retry_s(waiting, limit))


def retry_s(waiting: int, limit: int) -> int:
    """Seconds until there may be room, spread by a third so that not all come back at once."""
    wait = (waiting - limit + 1) * JOB_S
    return round(min(MAX_RETRY_S, wait) * random.uniform(1, 4 / 3))


class Uploads:
    """The places for forms being read."""

    def __init__(self, most: int = UPLOADS):
        self.free = most

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place; 503 where all are taken."""
        if not self.free:
            raise refused(503, "too many uploads at once; try again.", Retry_After=retry_s(0, 1))
        self.free -= 1
        try:
            yield
        finally:
            self.free += 1


class Probe:
    """Asks whether a part answers, one question at a time however often it is wanted: a frozen part holds one thread."""

    def __init__(self, ask: Callable[[], Awaitable[None]]):
        self._ask, self._asking = ask, None

    async def ok(self, seconds: float) -> bool:
        """Whether it answered within so many seconds."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask())
            self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        done, _ = await asyncio.wait([self._asking], timeout=seconds)
        return bool(done) and not self._asking.cancelled() and self._asking.exception() is None


class Afterwards:
    """Work that a request leaves behind, tried until it succeeds, as long as this process lives."""

    DELAYS_S = (5, 5, 15, 60, 300, 900, 1800)

    def __init__(self):
        self._tasks: set[asyncio.Task] = set()

    def do(self, work: Callable[[], Awaitable[bool]]) -> None:
        """Call ``work`` now and then until it returns True; ``Unavailable`` counts as False."""
        task = asyncio.ensure_future(self._keep_at(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_at(self, work: Callable[[], Awaitable[bool]]) -> None:
        for delay_s in self.DELAYS_S:
            await asyncio.sleep(delay_s)
            with contextlib.suppress(Unavailable):
                if await work():
                    return

    def stop(self) -> None:
        """Leave it."""
        for task in self._tasks:
            task.cancel()
