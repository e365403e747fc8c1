"""A maker that does what the subject's text says, for tests of the process it lives in: quick to load, no model.

Words in the subject, in order: ``seconds=0.5`` works so long, ``hold=300`` allocates so many MB and keeps them a while,
``flood`` talks and talks once the task is done, ``grab=9000`` asks for so many MB at once, ``refuse``, ``break``, ``die``. ``spawn`` starts a long sleep, as gltfpack
would be. Its result names the process and what is left of orders before.
"""

import os
import socket
import subprocess
import sys
import threading
import time

from pydantic import SecretStr

from avatarlab.core.errors import InputError
from avatarlab.service.avatar import AvatarJob
from avatarlab.service.jobs import JobProgress
from avatarlab.service.messages import Artifacts, Task

EARLIER = []


class Obedient:
    """Makes one small file; ``secrets`` is what it was told of the settings' secrets."""

    def __init__(self, secrets=()):
        self.secrets = secrets

    def make(self, task, tell):
        tell(JobProgress(stage="fit", percent=25))
        for word in task.job.subject.split():
            name, _, value = word.partition("=")
            getattr(self, f"_{name}", lambda _: None)(value)
        EARLIER.append(task.job.subject)
        tell(JobProgress(stage="export", percent=90))
        (task.out / "avatar.glb").write_bytes(b"glTF")
        made_by = {"pid": str(os.getpid()), "orders": str(len(EARLIER)), "threads": os.environ["OMP_NUM_THREADS"]}
        made_by |= {"environment": repr(dict(os.environ)), "settings": repr(self.secrets)}
        return Artifacts({"avatar.glb": "model/gltf-binary"}, False, [], [], {"fit": 0.0}, made_by)

    def _seconds(self, value):
        time.sleep(float(value))

    def _hold(self, value):
        held = bytearray(int(value) * 2**20)
        time.sleep(20)
        del held

    def _grab(self, value):
        bytearray(int(value) * 2**20)

    def _refuse(self, _):
        raise InputError("front.jpg: no person was found.")

    def _break(self, _):
        raise RuntimeError("something\nnobody foresaw")

    def _die(self, _):
        os._exit(3)

    def _flood(self, value):
        line = b"[" * 50_000 if value else b'{"progress":{"stage":"fit","percent":25}}'
        threading.Timer(0.2, self._say, [line + b"\n"]).start()

    def _say(self, line):
        with socket.socket(fileno=os.dup(int(sys.argv[1]))) as pipe:
            for _ in range(100_000):
                pipe.sendall(line)

    def _spawn(self, _):
        subprocess.Popen(["sleep", "60"])


def load(settings):
    """The maker; ``body_file`` "missing" cannot be loaded, "dead" kills the process."""
    if settings.body_file == "missing":
        raise InputError("missing: no such body file; leave AVATAR_BODY_FILE out.")
    if settings.body_file == "dead":
        os._exit(7)
    return Obedient([x.get_secret_value() for _, x in settings if isinstance(x, SecretStr)])


def task(out, subject="Anna", **given):
    """A task of that subject."""
    job = AvatarJob(subject=subject, front_key="photos/a.jpg", stature_cm=170)
    return Task(**{"job": job, "inputs": {}, "out": out} | given)
