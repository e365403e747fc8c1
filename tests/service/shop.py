"""A shop with its own queue and storage, that submits jobs, runs workers with a light maker, and looks at what came of it."""

import asyncio
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from light import SECRET, LightWorker
from patience import SLOWER
from receiver import SECRET as SIGNING
from receiver import Receiver
from redis_server import RedisServer

from avatarlab.core.files import sha256
from avatarlab.service.avatar import AvatarJob
from avatarlab.service.bull import BullQueue
from avatarlab.service.jobs import Manifest, Ticket, result_key
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import FolderStorage

QUICK = {"WORKER_LOCK_S": "4", "WORKER_STALLED_S": "1"}
"""Recovery in seconds instead of half a minute."""


def until(true: Callable[[], object], seconds: float = 20, what: str = "") -> object:
    """Poll until something is true and return it; fail after SLOWER times ``seconds``."""
    end = time.monotonic() + SLOWER * seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not within {SLOWER * seconds} s: {what or true}"
        time.sleep(0.03)
    return found


class Shop:
    """Close it, and every worker that it started is dead."""

    def __init__(self, folder: Path, redis: RedisServer, receiver: Receiver | None = None, **env: str):
        self.folder, self.redis, self.receiver = folder, redis, receiver
        self.name = f"q{uuid.uuid4().hex[:8]}"
        self.env = QUICK | {
            "REDIS_URL": redis.url,
            "AVATAR_QUEUE": self.name,
            "LIGHT_FOLDER": str(folder / "storage"),
            "LIGHT_LOG": str(folder / "made.log"),
            "WEBHOOK_SECRET": SIGNING,
            "CALLBACK_ORIGINS": receiver.origin if receiver else "",
            **env,
        }
        self.settings = ServiceSettings(redis_url=redis.url, queue=self.name)
        self.storage = FolderStorage(folder / "storage", "http://127.0.0.1:1", SECRET)
        self.storage.write("photos/front.jpg", b"front", "image/jpeg")
        self.workers: list[LightWorker] = []
        self._runner = asyncio.Runner()
        self.queue = BullQueue(self.settings)

    def run(self, work):
        """Wait for a coroutine."""
        return self._runner.run(work)

    def worker(self, wait: bool = True, **env: str) -> LightWorker:
        """Start a worker; by default wait until it takes jobs."""
        folder = self.folder / f"worker{len(self.workers)}"
        folder.mkdir()
        self.workers.append(worker := LightWorker(folder, **(self.env | env)))
        if wait:
            until(lambda: worker.says("event=worker.ready"), 30, "worker ready")
        return worker

    def job(self, subject: str, **fields) -> AvatarJob:
        """What to make; its callback goes to the receiver, where there is one."""
        url = self.receiver.url if self.receiver else None
        given = {"subject": subject, "front_key": "photos/front.jpg", "stature_cm": 170, "callback_url": url}
        return AvatarJob(**(given | fields))

    def submit(self, subject: str, id: str | None = None, **fields) -> str:
        """Put a job into the queue and return its id."""
        id = id or str(uuid.uuid4())
        self.run(self.queue.add(id, self.job(subject, **fields)))
        return id

    def find(self, id: str) -> Ticket | None:
        return self.run(self.queue.find(id))

    def wait(self, id: str, state: str = "completed", seconds: float = 20) -> Ticket:
        """Wait until a job is in a state."""
        return until(lambda: (seen := self.find(id)) and seen.state == state and seen, seconds, f"{id} {state}")

    def made(self) -> list[str]:
        """Subjects of the makings that were begun, in order."""
        log = self.folder / "made.log"
        return log.read_text().splitlines() if log.exists() else []

    def whole(self, id: str) -> Manifest:
        """The manifest, every file of which is there and has the bytes it says."""
        data = self.storage.read(result_key(id, "manifest.json"))
        assert data, "no manifest"
        manifest = Manifest.model_validate_json(data)
        for name, file in manifest.files.items():
            path = self.folder / uuid.uuid4().hex
            assert self.storage.fetch(result_key(id, name), path, 1_000_000) == file.bytes
            assert sha256(path) == file.sha256
        return manifest

    def told(self, id: str) -> list[str]:
        """Types of the events of a job that the receiver took, in order; each verified."""
        calls = [call for call in self.receiver.calls if call.event["id"] == id]
        assert all(call.verified for call in calls)
        return [call.event["type"] for call in calls]

    def callbacks(self, id: str) -> list[str]:
        """Types of the callbacks that were queued for a job."""
        kinds = ("completed", "failed")
        with self.redis.client() as client:
            return [kind for kind in kinds if client.exists(f"bull:{self.name}-callback:cb_{id}_{kind}")]

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.run(self.queue.close())
        self._runner.close()
