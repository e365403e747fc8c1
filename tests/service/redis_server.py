"""A redis-server of the test's own, on loopback and with an append-only file, that can be killed and comes back."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import redis
from patience import SLOWER


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class RedisServer:
    """redis-server as a worker would meet it: every write is on disk within a second, nothing is evicted."""

    def __init__(self, folder: Path, port: int | None = None):
        if shutil.which("redis-server") is None:
            pytest.skip("redis-server is not installed")
        self.folder, self.port = Path(folder), port or free_port()
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server, on the same port and with the same data as before, and wait until it answers."""
        options = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": self.folder,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": "",
        }
        words = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        with open(self.folder / "redis.log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", *words], stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def _wait(self, seconds: float = 20) -> None:
        end = time.monotonic() + SLOWER * seconds
        with self.client() as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    if time.monotonic() > end or self.process.poll() is not None:
                        log = (self.folder / "redis.log").read_text(errors="replace")[-500:]
                        raise RuntimeError(f"redis-server did not start: {log}") from None
                    time.sleep(0.02)

    def kill(self) -> None:
        """kill -9: what a power cut leaves, but for the page cache."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End it; the data stay in its folder."""
        self.kill()

    def restart(self, seconds: float = 0) -> None:
        """kill -9, stay away for ``seconds``, come back on the same port with the same data."""
        self.kill()
        time.sleep(seconds)
        self.start()

    def client(self) -> redis.Redis:
        """A plain client that answers in text and does not try again by itself."""
        return redis.Redis.from_url(self.url, decode_responses=True, socket_timeout=SLOWER * 5, retry=None)

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()
