"""A worker whose maker needs no model: for tests of all that is around the making. `python light.py` runs one.

Words in a job's subject tell its maker what to do, in order: ``seconds=0.5`` sleeps, ``kill-worker`` kills the worker
that holds it (-9), ``die`` ends the child, ``refuse`` finds no person, ``break`` has a bug, ``nan`` counts NaN seconds,
``average`` gives a placeholder.
Each start of a making is a line in the file $LIGHT_LOG. Storage: the folder $LIGHT_FOLDER, or S3 by the settings.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from patience import SLOWER

from avatarlab.core.errors import InputError
from avatarlab.service.jobs import JobProgress
from avatarlab.service.messages import Artifacts

SECRET = "only-for-tests-" * 3
TYPES = {"avatar.glb": "model/gltf-binary", "measurements.json": "application/json"}


class Light:
    """Makes two small files, the same for the same job."""

    def make(self, task, tell):
        subject = task.job.subject
        if log := os.environ.get("LIGHT_LOG"):
            with open(log, "a") as file:
                file.write(subject + "\n")
        tell(JobProgress(stage="observe", percent=20))
        for word in subject.split():
            self._obey(word, tell)
        average, seconds = "average" in subject, float("nan") if "nan" in subject.split() else 0.01
        tell(JobProgress(stage="export", percent=90))
        photos = b"".join(path.read_bytes() for _, path in sorted(task.inputs.items()))
        (task.out / "avatar.glb").write_bytes(b"glTF" + str(task.job.display_pose).encode() + photos)
        (task.out / "measurements.json").write_text('{"waist_cm": 80}')
        reasons = ["no person was found"] if average else []
        return Artifacts(TYPES, average, reasons, [], {"fit": seconds}, {"avatarlab": "light"})

    def _obey(self, word, tell):
        name, _, value = word.partition("=")
        if name == "seconds":
            tell(JobProgress(stage="fit", percent=50))
            time.sleep(float(value))
        elif name == "kill-worker":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        elif name == "die":
            os._exit(3)
        elif name == "refuse":
            raise InputError("front: no person was found; is one in the picture?")
        elif name == "break":
            raise RuntimeError("nobody foresaw this")


def load(settings):
    """What the child loads."""
    if settings.body_file == "missing":
        raise InputError("missing: no such body file; leave AVATAR_BODY_FILE out.")
    return Light()


class LightWorker:
    """A worker process with a light maker, in a group of its own; ``env`` are its settings."""

    def __init__(self, folder: Path, **env: str):
        self.folder, self.log = folder, folder / "worker.log"
        expected = {"OMP_NUM_THREADS": "1", "LIGHT_LOG": str(folder / "made.log"), **env}
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
        with open(self.log, "ab") as log:
            words = [sys.executable, str(Path(__file__))]
            self.process = subprocess.Popen(
                words, env=kept | expected, cwd=folder, stdout=log, stderr=log, start_new_session=True
            )

    def says(self, text: str) -> bool:
        """Whether ``text`` is in its log."""
        return text in self.log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def child(self) -> int:
        """Id of the process that makes."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(pid) for pid in pids if b"service.child_main" in Path(f"/proc/{pid}/cmdline").read_bytes())

    def kill(self) -> None:
        """kill -9, and wait until it is gone; its child dies with it."""
        self.process.kill()
        self.process.wait()

    def end(self, seconds: float = 30) -> int:
        """SIGTERM; return the exit status."""
        self.process.terminate()
        return self.process.wait(SLOWER * seconds)


def main() -> int:
    """Serve until SIGTERM."""
    import light

    from avatarlab.service import worker
    from avatarlab.service.storage import FolderStorage

    folder = os.environ.get("LIGHT_FOLDER")
    storage = FolderStorage(folder, "http://127.0.0.1:1", SECRET) if folder else None
    return worker.main(light.load, storage)


if __name__ == "__main__":
    sys.exit(main())
