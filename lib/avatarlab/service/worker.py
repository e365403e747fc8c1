"""``python -m avatarlab.service.worker``: takes jobs from Redis, has its child make them, tells callers, until SIGTERM.

The parent process holds Redis, storage and HTTP and never a model; ``settings.children`` child processes make. Any number
of workers on any number of machines share one queue. SIGTERM or Ctrl-C: the jobs in work are ended, no more are taken,
exit status 0; wrong settings: one line, 2; models that do not load: one line, 1.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress

import bullmq
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from avatarlab.core.errors import InputError
from avatarlab.service import logs, metrics
from avatarlab.service.bull import BullQueue, connection
from avatarlab.service.callback_queue import CallbackQueue
from avatarlab.service.child import Children, Handler
from avatarlab.service.failures import Failures
from avatarlab.service.health import BEAT_S, Health
from avatarlab.service.job_consumer import JobConsumer
from avatarlab.service.jobs import Unavailable
from avatarlab.service.kinds import Handlers
from avatarlab.service.logs import note, warn
from avatarlab.service.messages import StartFailed
from avatarlab.service.processing import Processor
from avatarlab.service.settings import ServiceSettings, read
from avatarlab.service.storage import Storage, open_storage

LOOK_S = 5.0
"""How often Redis and storage are asked whether they are there (s)."""
REDIS, STORAGE, MODELS = "redis", "storage", "models"


async def serve(
    settings: ServiceSettings,
    load: Callable[[ServiceSettings], Handler] = Handlers.load,
    storage: Storage | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Work until ``stop`` is set or a signal comes. InputError: the settings cannot be used. StartFailed: no models.

    Redis or storage that are away, now or later, are waited for.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(ValueError, RuntimeError):  # in a thread of a test
            loop.add_signal_handler(number, stop.set)
    worker = _WorkerParts(settings, load, storage)
    try:
        await worker.run(stop)
    finally:
        await worker.close()


class _WorkerParts:
    """All parts of a worker and the order in which they begin and end."""

    def __init__(
        self, settings: ServiceSettings, load: Callable[[ServiceSettings], Handler], storage: Storage | None
    ):
        self._settings, self._storage = settings, storage or open_storage(settings)
        self._callbacks = CallbackQueue(settings)
        self._queue = BullQueue(settings, patient=True)
        self._health = Health()
        self._children = Children(load, settings)
        announce, forgotten = self._callbacks.announce, self._queue.forgotten
        self._processor = Processor(settings, self._storage, self._children, announce, forgotten)
        self._failures = Failures(self._queue.jobs, self._processor)
        self._consumers = [JobConsumer(settings, self._processor, self._failed) for _ in range(settings.children)]
        self._tasks: set[asyncio.Task] = set()
        self._there: dict[str, bool] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``: everything."""
        settings = self._settings
        for part in (REDIS, STORAGE, MODELS):
            self._health.set(part, False)
        if settings.worker_metrics_port:
            self._serve_health(settings.worker_metrics_host, settings.worker_metrics_port)
        self._begin(self._beat())
        self._begin(self._look())
        note("worker.starts", queue=settings.queue, children=settings.children)
        starts = asyncio.gather(self._begin(self._redis()), self._begin(self._models()))
        if await _unless(stop, starts):
            await self._callbacks.start()
            for consumer in self._consumers:
                consumer.start()
            self._begin(self._sweep())
            note("worker.ready", queue=settings.queue)
            await stop.wait()
        note("worker.stops", busy=sum(consumer.busy for consumer in self._consumers))
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers))

    def _serve_health(self, host: str, port: int) -> None:
        try:
            self._health.serve(host, port)
        except OSError as error:
            raise InputError(f"WORKER_METRICS_PORT: {host}:{port} cannot be had ({error.strerror}).") from None

    async def _models(self) -> None:
        await self._children.start()
        self._news(MODELS, True)

    async def _redis(self) -> None:
        """Wait for Redis; InputError where it is there but refuses us."""
        client = connection(self._settings, tries=0)
        try:
            while True:
                try:
                    await client.ping()
                    break
                except (AuthenticationError, NoPermissionError):
                    raise InputError("REDIS_URL: Redis refuses this user or password.") from None
                except Exception as error:
                    self._news(REDIS, False, error)
                    await asyncio.sleep(1)
            self._news(REDIS, True)
            await _warned(client)
        finally:
            await client.aclose()

    def _news(self, part: str, there: bool, error: Exception | None = None) -> None:
        """Log what comes and goes, once."""
        self._health.set(part, there)
        if self._there.get(part) != there:
            self._there[part] = there
            note(f"{part}.there") if there else warn(f"{part}.away", kind=type(error).__name__, text=error)

    def _begin(self, work: Coroutine) -> asyncio.Task:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _beat(self) -> None:
        while True:
            self._health.beat()
            await asyncio.sleep(BEAT_S)

    async def _look(self) -> None:
        """Whether Redis, storage and models are there, and how long the queue is."""
        queue = BullQueue(self._settings)
        while True:
            await asyncio.gather(self._ask(REDIS, self._counted(queue)), self._ask(STORAGE, self._stored()))
            if MODELS in self._there:
                self._news(MODELS, self._children.ready)
            await asyncio.sleep(LOOK_S)

    async def _ask(self, part: str, question: Coroutine) -> None:
        try:
            await question
            self._news(part, True)
        except Exception as error:
            self._news(part, False, error)

    async def _counted(self, queue: BullQueue) -> None:
        for state, count in (await queue.counts()).items():
            metrics.QUEUED.labels(state).set(count)

    async def _stored(self) -> None:
        await asyncio.to_thread(self._storage.ready)

    async def _sweep(self) -> None:
        """Tell of failed jobs that nobody told of."""
        while True:
            try:
                await self._failures.sweep()
            except Exception as error:
                warn("sweep.failed", kind=type(error).__name__)
            await asyncio.sleep(2 * self._settings.stalled_s)

    def _failed(self, job: bullmq.Job) -> None:
        self._begin(self._tell(job))

    async def _tell(self, job: bullmq.Job) -> None:
        try:
            await self._failures.tell(job)
        except Exception as error:  # the sweep will
            warn("failure.untold", job=job.id, kind=type(error).__name__)

    async def close(self) -> None:
        """End what is left: callbacks under way are ended first."""
        await self._callbacks.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._children.close()
        with suppress(Unavailable, OSError):
            await self._queue.close()
        self._processor.close()
        self._health.close()
        note("worker.stopped")


async def _warned(client: Redis) -> None:
    """Say so where Redis may forget jobs; a user who may not ask is none to be told."""
    with suppress(RedisError, OSError):
        facts = await client.info()
        if facts.get("maxmemory_policy") != "noeviction" or not facts.get("aof_enabled"):
            warn("redis.forgetful", text="jobs are safe only with appendonly yes and maxmemory-policy noeviction")


async def _unless(stop: asyncio.Event, work: asyncio.Future) -> bool:
    """Wait for ``work``; False where ``stop`` came first, and ``work`` is given up."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([stopped, work], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if work.done():
        work.result()
        return True
    work.cancel()
    await asyncio.wait([work])
    return False


def main(load: Callable[[ServiceSettings], Handler] = Handlers.load, storage: Storage | None = None) -> int:
    """Run by the environment's settings; return the exit status."""
    logs.set_up()
    try:
        asyncio.run(serve(read(), load, storage))
    except InputError as error:
        sys.stderr.write(f"avatarlab.service.worker: {error}\n")
        return 2
    except StartFailed as error:
        sys.stderr.write(f"avatarlab.service.worker: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
