"""The process that holds the models, seen from its parent: started, given tasks, watched, ended, started again.

One task at a time per ``Child``; ``Children`` is a pool of them. Whatever is no InputError costs the child its life:
it is killed and a fresh one started, so no task sees what another left behind. ``service.child_main`` is the process' own
side. They talk in lines of JSON over a pair of sockets, so a child that a photo has taken over has no pickle to send.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr, TypeAdapter

from avatarlab.core.errors import InputError
from avatarlab.core.parallel import THREADS
from avatarlab.service.jobs import JobProgress
from avatarlab.service.kinds import register
from avatarlab.service.messages import Artifacts, ChildDied, MemoryLimit, StartFailed, Task, TimeLimit
from avatarlab.service.settings import ServiceSettings

START_LIMIT_S = 120.0
"""Longest that a child may load; some seconds on a quiet machine."""
WATCH_S = 0.1
LINE_BYTES, WORDS = 1_000_000, 10_000
"""Longest line, and most of them that nobody has heard yet: a child that says more has lost its mind."""
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
_TASK, _ARTIFACTS = TypeAdapter(Task), TypeAdapter(Artifacts)


class Handler(Protocol):
    """What a child loads: what makes jobs' artifacts."""

    def make(self, task: Task, report: Callable[[JobProgress], None]) -> Artifacts:
        """Fill ``task.out``; InputError where the photo or the job cannot be used."""


class _Life:
    """One process from its start to its end: what it says arrives in ``said``, None last."""

    def __init__(self, place: str, settings: ServiceSettings):
        """Start the process. Linux ends it with the *thread* that did, so this runs in the loop's own, not in a pool's."""
        self._socket, theirs = socket.socketpair()
        with theirs:
            handle = str(theirs.fileno())
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "avatarlab.service.child_main", handle, str(os.getpid())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=_environment(), process_group=0,
            )  # fmt: skip
        secret = {name for name, value in settings if isinstance(value, SecretStr)}
        self.first = {"load": place, "settings": settings.model_dump(exclude=secret), "path": sys.path}
        self.pid, self.loaded, self.verdict, self._ended = self.process.pid, False, None, False
        self.said: asyncio.Queue[dict | None] = asyncio.Queue()

    async def listen(self) -> None:
        """Collect what the process says until its end, then clear it away."""
        reader, writer = await asyncio.open_connection(sock=self._socket, limit=LINE_BYTES)
        self._writer = writer
        writer.write(json.dumps(self.first).encode() + b"\n")
        try:
            while self.said.qsize() < WORDS and (line := await reader.readline()):
                self.said.put_nowait(dict(json.loads(line)))
        except (OSError, ValueError, TypeError, RecursionError):  # cut off, or no line of ours
            pass
        finally:
            self.kill()
            self.said.put_nowait(None)
            writer.close()

    def give(self, task: Task) -> None:
        """Hand over a task."""
        self._writer.write(_TASK.dump_json(task) + b"\n")

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def resident_mb(self) -> float:
        """Memory that it holds (MB, resident); 0 once it is gone."""
        with suppress(OSError, ValueError, IndexError):
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_MB
        return 0.0

    def kill(self, verdict: ChildDied | None = None) -> None:
        """End it at once, and what it started; ``verdict`` says why."""
        if not self._ended:
            self._ended, self.verdict = True, verdict
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)


def _environment() -> dict[str, str]:
    """Ours, with one thread for maths and without secrets: the child decodes strangers' files and needs no keys."""
    fields = [field for field in ServiceSettings.model_fields.values() if isinstance(field.default, SecretStr)]
    secret = {name for field in fields for name in field.validation_alias.choices}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in secret}
    return kept | dict.fromkeys(THREADS, "1")


class Child:
    """One persistent process that makes avatars; it dies with its parent and ignores SIGTERM and SIGINT.

    ``load(settings)``, a function of an importable module, runs in the process and returns what makes. It is found
    there by name, so the parent need not import what it imports.
    """

    def __init__(self, load: Callable[[ServiceSettings], Handler], settings: ServiceSettings):
        self._place, self._settings = _place(load), settings
        self._turn, self._life, self._starting, self._closed = asyncio.Lock(), None, None, False
        self._listening: set[asyncio.Task] = set()
        self._busy = False

    @property
    def pid(self) -> int | None:
        """The process' id, None while there is none."""
        return self._life.pid if self._life and self._life.alive else None

    @property
    def ready(self) -> bool:
        """Whether it has loaded its models and lives."""
        return bool(self._life and self._life.loaded and self._life.alive)

    async def start(self) -> None:
        """Wait until the models are loaded; StartFailed says why they cannot be."""
        if self.ready:
            return
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._begin())
        await asyncio.shield(self._starting)

    async def _begin(self) -> None:
        if self._closed:
            raise StartFailed("The child was closed.")
        self._life = life = _Life(self._place, self._settings)
        task = asyncio.create_task(self._attend(life))
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)
        try:
            word = await asyncio.wait_for(life.said.get(), START_LIMIT_S)
        except TimeoutError:
            life.kill()
            raise StartFailed(f"The models were not loaded within {START_LIMIT_S:g} s.") from None
        if not word or "ready" not in word:
            life.kill()
            why = word.get("unfit") if word else f"its process ended, exit code {life.process.returncode}"
            raise StartFailed(f"The models cannot be loaded: {why}")
        life.loaded = True

    async def _attend(self, life: _Life) -> None:
        """Listen to the process; where it ends between two tasks, start another."""
        await life.listen()
        if life.loaded and not self._busy:
            self._again()

    def _again(self) -> None:
        """Start a fresh process in the background; if that fails, the next task tries again and says why."""
        if not self._closed and (self._starting is None or self._starting.done()):
            self._starting = asyncio.create_task(self._begin())
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def make(self, task: Task, report: Callable[[JobProgress], None]) -> Artifacts:
        """Have ``task`` made; ``report`` hears how far it is.

        InputError: the photo or the job cannot be used. ChildDied: the process ended over it, TimeLimit and MemoryLimit:
        it was ended; StartFailed: there is none. Given up while it runs (cancelled), the process is ended too.
        """
        async with self._turn:
            await self.start()
            life, self._busy = self._life, True
            watch = asyncio.create_task(self._watch(life))
            try:
                return await self._answer(life, task, report)
            except InputError:
                raise
            except BaseException:
                life.kill()
                raise
            finally:
                watch.cancel()
                self._busy = False
                if not life.alive:
                    self._again()

    async def _answer(self, life: _Life, task: Task, report) -> Artifacts:
        life.give(task)
        while word := await life.said.get():
            match word:
                case {"progress": {**far}}:
                    report(JobProgress(**far))
                case {"made": {**made}}:
                    return _ARTIFACTS.validate_python(made)
                case {"refused": str(reason)}:
                    raise InputError(reason)
                case {"failed": str(reason)}:
                    raise ChildDied(reason)
                case {"memory": str(reason)}:
                    raise MemoryLimit(reason)
        raise life.verdict or ChildDied(f"The child died over the task (exit code {life.process.returncode}).")

    async def _watch(self, life: _Life) -> None:
        """End the process once it is over its time or memory."""
        limit_s, limit_mb = self._settings.job_limit_s, self._settings.memory_limit_mb
        end = asyncio.get_running_loop().time() + limit_s
        while (left := end - asyncio.get_running_loop().time()) > 0:
            if (held := life.resident_mb()) > limit_mb:
                return life.kill(MemoryLimit(f"The fit held {held:.0f} MB of memory, {limit_mb} are allowed."))
            await asyncio.sleep(min(WATCH_S, left))
        life.kill(TimeLimit(f"The fit took longer than {limit_s:g} s."))

    async def close(self) -> None:
        """End the process for good; a task in hand ends with ChildDied."""
        self._closed = True
        if self._life:
            self._life.kill()
        tasks = [task for task in (self._starting, *self._listening) if task and not task.done()]
        await asyncio.gather(*tasks, return_exceptions=True)


def _place(load: Any) -> str:
    """``module:name`` by which another process finds the function."""
    module, name = getattr(load, "__module__", "__main__"), getattr(load, "__qualname__", "<lambda>")
    if module == "__main__" or "<" in name:
        raise InputError(f"load: got {name} of {module}, which another process cannot import; put it in a module.")
    return f"{module}:{name}"


class Children:
    """``settings.children`` of them; a task goes to one that is free."""

    def __init__(self, load: Callable[[ServiceSettings], Handler], settings: ServiceSettings):
        register(settings.job_kinds)
        self.all = [Child(load, settings) for _ in range(settings.children)]
        self._free: asyncio.Queue[Child] = asyncio.Queue()
        for child in self.all:
            self._free.put_nowait(child)

    @property
    def ready(self) -> bool:
        """Whether at least one has its models loaded."""
        return any(child.ready for child in self.all)

    @property
    def pids(self) -> list[int]:
        """Ids of the living processes."""
        return [child.pid for child in self.all if child.pid]

    async def start(self) -> None:
        """Wait until all are loaded; StartFailed says why one cannot be."""
        await asyncio.gather(*(child.start() for child in self.all))

    async def make(self, task: Task, report: Callable[[JobProgress], None]) -> Artifacts:
        """As ``Child.make``, by the first that is free."""
        child = await self._free.get()
        try:
            return await child.make(task, report)
        finally:
            self._free.put_nowait(child)

    async def close(self) -> None:
        """End them all."""
        await asyncio.gather(*(child.close() for child in self.all))
