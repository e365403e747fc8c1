"""The same jobs on a cluster: one array of jobs through submitit, or its local executor on this machine."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from avatarlab.core.errors import InputError
from avatarlab.core.parallel import Outcome, one_line

AUTO = "auto"
MINUTES, MEMORY_GB = 30, 6
"""What each job asks for; a person takes some ten seconds and 1.5 GB, a busy file system may stretch that."""


def over_cluster(
    work: Callable, jobs: Sequence, logs: Path, cluster: str = AUTO, at_once: int | None = None
) -> Iterator[Outcome]:
    """Yield an Outcome per job, in order, of ``work(job)`` run by submitit's ``map_array``; at most ``at_once`` at a time.

    ``cluster``: slurm, local (processes of this machine, all at once) or auto. ``logs`` is
    seen by all nodes and holds what submitit writes. An interrupted run cancels what is not finished.
    """
    tasks = _submitted(work, jobs, logs, cluster, at_once) if jobs else []
    begin = time.perf_counter()
    try:
        for number, task in enumerate(tasks):
            result, error = _ended(task)
            left = (time.perf_counter() - begin) / (number + 1) * (len(tasks) - number - 1)
            yield Outcome(number, result, error, number + 1, len(tasks), left)
    finally:
        for task in tasks:
            if not task.done():
                task.cancel()


def _submitted(work: Callable, jobs: Sequence, logs: Path, cluster: str, at_once: int | None) -> list:
    try:
        import submitit
    except ModuleNotFoundError:
        raise InputError("--cluster needs submitit: pip install 'avatarlab[cluster]'.") from None
    try:
        executor = submitit.AutoExecutor(folder=logs, cluster=None if cluster == AUTO else cluster)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"--cluster {cluster}: {error}") from None
    executor.update_parameters(
        name="avatarlab_fit", timeout_min=MINUTES, cpus_per_task=1, mem_gb=MEMORY_GB,
        slurm_array_parallelism=at_once or len(jobs),
    )  # fmt: skip
    return executor.map_array(work, jobs)


def _ended(task) -> tuple[object, str | None]:
    """Wait for one job: (result, None) or (None, what happened to it in one line)."""
    try:
        return task.result(), None
    except Exception as error:  # the job's own, or the cluster's: cancelled, out of memory, node lost
        return None, one_line(error)
