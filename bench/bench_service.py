"""Throughput and latency of the avatar worker, as JSON: real Redis, real S3 (Swift), real workers, real fits.

Protocol: the servers of the tests on loopback (``make service-test`` installs them; without them nothing is measured),
rendered people of 540 x 800 px, front and side view, every job with report.html. Start is from the process' first
instruction to readyz. One job: from adding it to a queue that is idle until it is completed, median of --repeats.
Throughput: --jobs jobs added at once to one worker, then to two; all processes share this machine's cores, Redis and S3
included. Memory: largest sum of the resident sets of a worker's two processes, looked at every 50 ms.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

import httpx
from PIL import Image

from avatarlab import ROOT
from avatarlab.body import Body
from avatarlab.service.bull import BullQueue
from avatarlab.service.jobs import AvatarJob
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import open_storage
from avatarlab.synthetic.rendered import rendered_person

sys.path.insert(0, str(ROOT / "tests" / "service"))
from redis_server import RedisServer, free_port
from swift_server import Swift, installed

SEEDS = (7, 11, 13)
POLL_S = 0.02


class Worker:
    """``python -m avatarlab.service.worker`` with its health port, and the most memory it was seen to hold."""

    def __init__(self, fields: dict[str, str]):
        self.port = free_port()
        env = os.environ | {name.upper(): value for name, value in fields.items()}
        env |= {"WORKER_METRICS_PORT": str(self.port), "OMP_NUM_THREADS": "1"}
        self.begun, self.most_mb = time.perf_counter(), 0.0
        words = [sys.executable, "-m", "avatarlab.service.worker"]
        self.process = subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL)
        threading.Thread(target=self._watch, daemon=True).start()

    def wait_ready(self) -> float:
        """Seconds from its start until it takes jobs."""
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200:
                    return time.perf_counter() - self.begun
            except httpx.HTTPError:
                pass
            time.sleep(POLL_S)

    def _watch(self) -> None:
        while self.process.poll() is None:
            self.most_mb = max(self.most_mb, sum(map(resident_mb, self._pids())))
            time.sleep(0.05)

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return [self.process.pid, *map(int, children.read_text().split())]
        except OSError:
            return []

    def end(self) -> None:
        """SIGTERM, as a supervisor ends it."""
        self.process.terminate()
        self.process.wait(60)


def resident_mb(pid: int) -> float:
    """Resident memory of a process (MB), 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def jobs(storage, folder: Path) -> list[AvatarJob]:
    """Put the photos of some people into the bucket; return a job each."""
    body, made = Body.load(), []
    for seed in SEEDS:
        person, keys = rendered_person(body, seed), {}
        for view, shot in person.shots.items():
            keys[f"{view}_key"] = f"photos/bench/{seed}-{view}.png"
            Image.fromarray(shot.photo.rgb).save(folder / "photo.png")
            storage.store(keys[f"{view}_key"], folder / "photo.png", "image/png")
        made.append(AvatarJob(subject=f"person {seed}", stature_cm=100 * person.stature_m, sex=person.sex, **keys))
    return made


async def seconds_of(settings: ServiceSettings, some: list[AvatarJob]) -> float:
    """Add jobs at once; seconds until the last is completed. RuntimeError where one fails."""
    queue, ids = BullQueue(settings), [str(uuid.uuid4()) for _ in some]
    begin = time.perf_counter()
    for id, job in zip(ids, some, strict=True):
        await queue.add(id, job)
    for id in ids:
        while (ticket := await queue.find(id)).state != "completed":
            if ticket.state == "failed":
                raise RuntimeError(ticket.reason)
            await asyncio.sleep(POLL_S)
    taken = time.perf_counter() - begin
    await queue.close()
    return taken


def measured(count: int, repeats: int) -> dict[str, float]:
    """All figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        positions = [folder / name for name in ("redis", "swift", "photo")]
        for place in positions:
            place.mkdir()
        redis, swift = stack.enter_context(RedisServer(positions[0])), stack.enter_context(Swift(positions[1]))
        fields = {"redis_url": redis.url, **swift.settings_fields()}
        settings = ServiceSettings(_env_file=None, **fields)
        some = jobs(open_storage(settings), positions[2])
        many = (some * count)[:count]
        one = Worker(fields)
        stack.callback(one.end)
        found = {"service_start_s": one.wait_ready()}
        alone = [asyncio.run(seconds_of(settings, many[:1])) for _ in range(repeats + 1)][1:]
        found |= {"service_job_s": statistics.median(alone)}
        found |= {"service_jobs_per_min_1": 60 * count / asyncio.run(seconds_of(settings, many))}
        two = Worker(fields)
        stack.callback(two.end)
        two.wait_ready()
        asyncio.run(seconds_of(settings, many[:2]))
        found |= {"service_jobs_per_min_2": 60 * count / asyncio.run(seconds_of(settings, many))}
        return found | {"service_worker_mb": max(one.most_mb, two.most_mb)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=24, help="jobs added at once (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="single jobs (default: %(default)s)")
    given = parser.parse_args()
    there = shutil.which("redis-server") and installed()
    found = measured(given.jobs, given.repeats) if there else {}
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
