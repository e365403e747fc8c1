"""The child process from inside: made safe first, then the models, then one task after the other.

Nothing heavy is imported before the process is bound to its parent's life and to its limits.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

from pydantic import TypeAdapter

from avatarlab.core.errors import InputError
from avatarlab.core.parallel import one_line
from avatarlab.service.jobs import JobProgress
from avatarlab.service.kinds import register, resolve
from avatarlab.service.messages import Artifacts, Task
from avatarlab.service.settings import ServiceSettings

PR_SET_PDEATHSIG = 1
_TASK, _ARTIFACTS = TypeAdapter(Task), TypeAdapter(Artifacts)


def serve(pipe: socket.socket, parent: int) -> None:
    """The process' life: bind it, load what the first line names, answer tasks until the parent hangs up."""
    _bound(parent)
    lines = pipe.makefile("rwb")
    first = json.loads(lines.readline())
    settings, sys.path[:] = ServiceSettings.model_construct(**first["settings"]), first["path"]
    _limited(settings.memory_limit_mb)

    def say(**word) -> None:
        lines.write(json.dumps(word, allow_nan=False).encode() + b"\n")
        lines.flush()

    try:
        register(settings.job_kinds)
        handler = resolve(first["load"])(settings)
    except Exception as error:
        return say(unfit=one_line(error))
    with suppress(BrokenPipeError):
        say(ready=True)
        for line in lines:
            _answer(handler, _TASK.validate_json(line), say)


def _bound(parent: int) -> None:
    """Die with the parent, whatever ends it; let SIGTERM and Ctrl-C, which reach a whole group, be its decision."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before that line
        os._exit(1)


def _limited(memory_mb: int) -> None:
    """No core files (photos would be in them), first choice of a kernel short of memory.

    The parent watches what is resident; allocations beyond any sense fail at once, in here.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (2 * memory_mb * 2**20,) * 2)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


def _answer(handler, task: Task, say: Callable[..., None]) -> None:
    try:
        made = handler.make(task, lambda far: say(progress=JobProgress.model_dump(far)))
        say(made=_ARTIFACTS.dump_python(made, mode="json"))
    except InputError as error:
        say(refused=str(error))
    except MemoryError:
        say(memory="The fit ran out of the memory it may hold.")
    except Exception as error:
        say(failed=f"{one_line(error)} ({_where(error)})")


def _where(error: BaseException) -> str:
    """File, line and function in which it was raised: no data of the job, unlike a whole traceback's message."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{os.path.basename(last.filename)}:{last.lineno} in {last.name}"


if __name__ == "__main__":
    handle, parent = (int(number) for number in sys.argv[1:])
    serve(socket.socket(fileno=handle), parent)
