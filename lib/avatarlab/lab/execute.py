"""Runs a notebook in a kernel of its own through papermill; whatever ends the run, the kernel ends too."""

import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import papermill
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from avatarlab import ROOT
from avatarlab.lab.notebook import read, tags

logging.getLogger("papermill").setLevel(logging.CRITICAL + 1)  # what matters comes as an exception

SETTINGS = {
    "AVATARLAB_REPORT": "1",  # view.show gives snapshots
    "PYTHONHASHSEED": "0",  # sets iterate alike in every run
    "SOURCE_DATE_EPOCH": "0",  # no dates inside figures
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # cuBLAS is deterministic only with a fixed workspace
    "PYTHONPATH": str(ROOT / "lib"),  # the checkout that runs, not the one that is installed
}


class Failure(Exception):
    """A cell failed: its number in the notebook file counted from 1 (0: not known) and the error in one line."""

    def __init__(self, cell: int, error: str):
        super().__init__(f"cell {cell}: {error}" if cell else error)


class Interrupted(Exception):
    """SIGINT or SIGTERM arrived; the first argument is the signal's number."""


def execute(notebook: Path, executed: Path, parameters: dict) -> None:
    """Run ``notebook`` with ``parameters`` from the project root, prints streaming; write ``executed`` as it goes.

    Raises Failure when a cell fails, Interrupted on SIGINT or SIGTERM. No kernel is left behind in any case.
    """
    with _private_runtime() as folder, _interruptible():
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{folder}/kernel")
        try:
            _run_aside(notebook, executed, parameters, kernel)
        except PapermillExecutionError as error:
            raise Failure(_position(notebook, error.cell_index), _one_line(error.ename, error.evalue)) from None
        except DeadKernelError:
            raise Failure(0, "the kernel died; the likely cause is too little memory.") from None
        finally:
            _kill(kernel)


def _run_aside(notebook: Path, executed: Path, parameters: dict, kernel: AsyncKernelManager) -> None:
    """Run papermill in a thread: signals then reach us in the main thread instead of nbclient's own handlers."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            papermill.execute_notebook,
            notebook,
            executed,
            parameters=parameters,
            kernel_name="python3",
            progress_bar=False,
            cwd=ROOT,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
            km=kernel,
            store_widget_state=False,
        )
        try:
            future.result()
        except Interrupted:
            _kill(kernel)  # only then does the thread come to an end
            raise


def _kill(kernel: AsyncKernelManager) -> None:
    """End the kernel and every process it started (it leads a process group of its own)."""
    process = getattr(kernel.provisioner, "process", None)
    if process is None:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    except ProcessLookupError:
        pass


def _position(notebook: Path, index: int) -> int:
    """Return the file's cell number, from 1, of papermill's ``index``, from 0 with the injected cell counted."""
    tagged = ["parameters" in tags(cell) for cell in read(notebook)["cells"]]
    return index if index > tagged.index(True) else index + 1


def _one_line(name: str, value: str) -> str:
    lines = [line.strip() for line in str(value).splitlines() if line.strip()]
    return f"{name}: {lines[0]}" if lines else name


@contextmanager
def _private_runtime() -> Iterator[str]:
    """Set the kernel's environment; its connection files and sockets live in a short-lived folder."""
    with tempfile.TemporaryDirectory(prefix="avatarlab-") as folder:
        former = dict(os.environ)
        os.environ.update(SETTINGS, JUPYTER_RUNTIME_DIR=folder)
        try:
            yield folder
        finally:
            os.environ.clear()
            os.environ.update(former)


@contextmanager
def _interruptible() -> Iterator[None]:
    def stop(number: int, _) -> None:
        raise Interrupted(number)

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
