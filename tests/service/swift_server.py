"""OpenStack Swift with s3api as a real S3 server on loopback: it checks signatures, and can be killed and frozen.

``python tests/service/swift_server.py`` installs it into its own environment, .run/swift.
"""

import contextlib
import ctypes
import getpass
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from pathlib import Path
from string import Template

import pytest
from front import Front
from patience import SLOWER

from avatarlab import ROOT

HERE = Path(__file__).parent
HOME = ROOT / ".run" / "swift"
WANTED = HERE / "swift.txt"
KINDS = ("account", "container", "object")
RINGS = """
import sys
from swift.common.ring import RingBuilder
folder, *ports = sys.argv[1:]
for kind, port in zip(("account", "container", "object"), map(int, ports)):
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder = RingBuilder(6, 1, 1)
    builder.add_dev({"region": 1, "zone": 1, "device": "d1", "weight": 1, "meta": "", **place})
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")
"""
DEATH = 1
"""PR_SET_PDEATHSIG: whom the tests start dies with them."""
LIBC = ctypes.CDLL(None)


def install() -> None:
    """Make .run/swift with the versions of swift.txt; nothing to do where it is so already."""
    if not installed():
        venv.create(HOME, clear=True, with_pip=True)
        words = [HOME / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "-r", WANTED]
        subprocess.run(words, check=True)
        (HOME / WANTED.name).write_bytes(WANTED.read_bytes())


def installed() -> bool:
    """Is .run/swift there, with the versions of swift.txt?"""
    stamp = HOME / WANTED.name
    return stamp.exists() and stamp.read_bytes() == WANTED.read_bytes()


class Swift:
    """Four processes and a door before them; data lie in ``folder`` and outlive ``kill``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.keys = {"worker": secrets.token_urlsafe(24), "viewer": secrets.token_urlsafe(24)}
        self.processes: list[subprocess.Popen] = []
        self._ports = dict(zip((*KINDS, "proxy"), _free_ports(4), strict=True))
        self.front = Front(self._ports["proxy"])

    def __enter__(self) -> "Swift":
        if not installed():
            pytest.skip("Swift is not installed (make service-test, or python tests/service/swift_server.py)")
        self._configure()
        try:
            self.front.__enter__()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def settings_fields(self, user: str = "worker", bucket: str = "avatars") -> dict[str, str]:
        """For ``Settings``: how ``user`` (worker, or viewer, who may only read) reaches it through the door."""
        return {
            "s3_endpoint": f"http://127.0.0.1:{self.front.port}",
            "s3_access_key": f"avatar:{user}",
            "s3_secret_key": self.keys[user],
            "s3_bucket": bucket,
            "s3_region": "us-east-1",
        }

    def start(self, seconds: float = 90) -> None:
        """Start, or start again on the same data; returns when it answers."""
        self.processes = [self._start(kind) for kind in self._ports]
        until = time.monotonic() + SLOWER * seconds
        while not self._answers():
            dead = [process for process in self.processes if process.poll() is not None]
            if dead or time.monotonic() > until:
                log = (self.folder / "log").read_text(errors="replace")[-2000:]
                self.kill()
                raise RuntimeError(f"Swift did not start: {log}")
            time.sleep(0.05)
        self.front.be("pass")

    def kill(self) -> None:
        """kill -9 of all four; connections are refused until ``start``."""
        self.front.be("refuse")
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
        self.processes = []

    stop = kill

    def freeze(self) -> None:
        """Stop all four where they stand: connections are taken, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    @contextlib.contextmanager
    def frozen(self):
        """Frozen inside the block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def _signal(self, number: int) -> None:
        for process in self.processes:
            process.send_signal(number)

    def _configure(self) -> None:
        etc = self.folder / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        (self.folder / "devices" / "d1").mkdir(parents=True, exist_ok=True)
        (etc / "swift.conf").write_bytes((HERE / "swift" / "swift.conf").read_bytes())
        for kind, port in self._ports.items():
            text = Template((HERE / "swift" / f"{'proxy' if kind == 'proxy' else 'storage'}.conf").read_text())
            filled = text.substitute(
                self.keys, port=port, kind=kind, user=getpass.getuser(), etc=etc, home=self.folder
            )
            (etc / f"{kind}.conf").write_text(filled)
        ports = [str(self._ports[kind]) for kind in KINDS]
        subprocess.run([HOME / "bin" / "python", "-c", RINGS, etc, *ports], check=True)

    def _start(self, kind: str) -> subprocess.Popen:
        etc = self.folder / "etc"
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen(
                [HOME / "bin" / "python", HOME / "bin" / f"swift-{kind}-server", etc / f"{kind}.conf", "-v"],
                env=os.environ | {"SWIFT_DIR": str(etc)}, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=_die_with_parent,
            )  # fmt: skip

    def _answers(self) -> bool:
        try:
            for kind in KINDS:
                socket.create_connection(("127.0.0.1", self._ports[kind]), timeout=1).close()
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._ports['proxy']}/healthcheck", timeout=2
            ) as answer:
                return answer.status == 200
        except OSError:
            return False


def _die_with_parent() -> None:
    LIBC.prctl(DEATH, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


if __name__ == "__main__":
    install()
    sys.stdout.write(f"{HOME}\n")
