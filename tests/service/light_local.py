"""``python light_local.py --folder ...``: the embedded service with a light maker, for tests that end and kill it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
from patience import SLOWER
from serving import PNG


class LocalProcess:
    """The command in a process group of its own; a context manager that leaves nothing alive."""

    def __init__(self, folder: Path, *words: str, script=None, **env: str):
        self.folder, self.words, self.env = Path(folder), words, env
        self.command = [sys.executable, *(script or [str(Path(__file__))])]

    def __enter__(self):
        names = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        words = [*self.command, "--folder", str(self.folder), "--no-browser", *(self.words or ("--port", "0"))]
        self.process = subprocess.Popen(
            words, env=names | {"OMP_NUM_THREADS": "1"} | self.env, cwd=self.folder.parent, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=SLOWER * 20)

    def client(self) -> httpx.Client:
        """A client of it, once it listens."""
        for line in self.process.stdout:
            if line.startswith("http://127.0.0.1:"):
                self.url, _, self.token = line.strip().partition("/#token=")
                headers = {"Authorization": f"Bearer {self.token}"}
                return httpx.Client(base_url=self.url, headers=headers, timeout=30)
        raise AssertionError(self.process.stderr.read())

    def ended(self, seconds: float = 30) -> tuple[int, str, str]:
        """Exit status, output and errors, when it has ended by itself."""
        out, err = self.process.communicate(timeout=SLOWER * seconds)
        return self.process.returncode, out, err


def post(client: httpx.Client, subject: str, front: bytes = PNG, **fields) -> str:
    """Ask for an avatar; return its id."""
    data = {"subject": subject, "stature_cm": "170", **fields}
    answer = client.post("/avatars", data=data, files={"front": ("me.png", front)})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def until(client: httpx.Client, id: str, *states: str, seconds: float = 30) -> dict:
    """The avatar once it is in one of these states."""
    end = time.monotonic() + SLOWER * seconds
    while (found := client.get(f"/avatars/{id}").json()).get("state") not in states:
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


if __name__ == "__main__":
    import light

    from avatarlab.service import local

    sys.exit(local.main(load=light.load))
