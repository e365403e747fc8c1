"""Many jobs over several processes: results in the jobs' order, a failed job is a result too, same input same output.

Each process is started afresh (spawn), has one thread for torch, OpenMP and OpenCV, and loads its models once. The
functions are found by name in their modules, so a notebook hands over functions of the library, not of a cell.
"""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from avatarlab.core.errors import InputError

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What became of job ``number``: its result, or None and the ``error`` in one line.

    ``done`` of ``total`` jobs are finished by now, later ones that wait for their turn included.
    """

    number: int
    result: Any
    error: str | None
    done: int
    total: int
    seconds_left: float


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def outcomes(
    work: Callable[[Any, Any], Any],
    jobs: Sequence,
    workers: int | None = None,
    load: Callable[..., Any] | None = None,
    given: tuple = (),
) -> Iterator[Outcome]:
    """Yield an Outcome per job, in order, each as soon as it and all before it are finished.

    ``work(models, job)`` makes a result; ``models`` is what ``load(*given)`` returned in that process (None without
    ``load``). Both are functions of importable modules. ``workers``: processes, all cores if None; 0 works in this
    process, for debugging. What a job raises becomes its ``error``, as does the death of its process; what ``load``
    raises ends everything. Jobs and results travel between processes: plain data and arrays rather than tensors.
    """
    for name, function in (("work", work), ("load", load)):
        _check_importable(name, function)
    jobs = list(jobs)
    count = min(cores() if workers is None else workers, len(jobs))
    finished = _here(work, jobs, load, given) if workers == 0 else _over(count, work, jobs, load, given)
    yield from _in_order(finished, len(jobs))


def _check_importable(name: str, function) -> None:
    if function is None and name == "load":
        return
    module, place = getattr(function, "__module__", "__main__"), getattr(function, "__qualname__", "<lambda>")
    if module == "__main__" or "<" in place:
        raise InputError(
            f"{name}: got {place} of {module}, which another process cannot import; put the function in a module."
        )


def _in_order(finished: Iterator[tuple[int, Any, str | None]], total: int) -> Iterator[Outcome]:
    begin, waiting, turn, done = time.perf_counter(), {}, 0, 0
    for number, result, error in finished:
        waiting[number], done = (result, error), done + 1
        left = (time.perf_counter() - begin) / done * (total - done)
        while turn in waiting:
            yield Outcome(turn, *waiting.pop(turn), done, total, left)
            turn += 1


def _here(work, jobs, load, given) -> Iterator[tuple[int, Any, str | None]]:
    with one_thread():
        models = load(*given) if load else None
    for number, job in enumerate(jobs):
        with one_thread():
            result = attempt(work, models, job)
        yield number, *result


def attempt(work, models, job) -> tuple[Any, str | None]:
    """Return (result, None) of ``work(models, job)``, or (None, what it raised in one line)."""
    try:
        return work(models, job), None
    except Exception as error:  # whatever a job does, the others go on
        return None, one_line(error)


def one_line(error: BaseException) -> str:
    """An exception in one line; of bad input only the sentence made for the user."""
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch and OpenCV within the block."""
    import cv2
    import torch

    former = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(former[0])
        cv2.setNumThreads(former[1])


def _serve(pipe, work, load, given) -> None:
    """A process' life: load, say so, then answer (number, job) with (number, result, error) until it is ended.

    Ctrl-C reaches the whole group of processes: the first one decides, this one waits to be ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with one_thread():
        try:
            models = load(*given) if load else None
        except Exception as error:
            pipe.send((None, None, one_line(error)))
            return
        pipe.send((None, None, None))
        while True:
            number, job = pipe.recv()
            answer = number, *attempt(work, models, job)
            try:
                pipe.send(answer)
            except Exception as error:  # a result that cannot be sent; nothing of it was
                pipe.send((number, None, f"the result cannot be sent: {one_line(error)}"))


class _Worker:
    """A process, its pipe, and the number of the job it has in hand (None: it is loading or idle)."""

    def __init__(self, arguments: tuple):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, *arguments), daemon=True)
        with _environment(dict.fromkeys(THREADS, "1")):
            self.process.start()
        theirs.close()
        self.number = None

    def give(self, task: tuple[int, Any]) -> None:
        """Hand over a numbered job."""
        self.number = task[0]
        self.pipe.send(task)

    def answer(self) -> tuple[int | None, Any, str | None]:
        """What the process says; its death is an answer too."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            return self.number, None, f"the process died (exit code {self.process.exitcode})"

    def end(self) -> None:
        """Stop at once; nobody waits for what it is doing."""
        self.process.terminate()
        self.process.join()
        self.pipe.close()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    former = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in former.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _over(count: int, work, jobs, load, given) -> Iterator[tuple[int, Any, str | None]]:
    """Yield (number, result, error) as they come from ``count`` processes; a dead one is replaced."""
    tasks, arguments = deque(enumerate(jobs)), (work, load, given)
    workers = [_Worker(arguments) for _ in range(count)]
    try:
        while workers:
            worker = _ready(workers)
            number, result, error = worker.answer()
            if number is None and error is not None:
                raise InputError(f"a process could not be made ready: {error}")
            if not tasks or not worker.process.is_alive():
                workers.remove(worker)
                worker.end()
                workers += [_Worker(arguments)] if len(workers) < min(count, len(tasks)) else []
            else:
                worker.give(tasks.popleft())
            if number is not None:
                yield number, result, error
    finally:
        for worker in workers:
            worker.end()


def _ready(workers: list[_Worker]) -> _Worker:
    """A process that has something to say; waits for the first."""
    by_pipe = {worker.pipe: worker for worker in workers}
    return by_pipe[wait(list(by_pipe))[0]]
