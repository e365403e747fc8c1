"""A service of two real workers with real fits while all around it breaks at random: posts, faults, and the tally.

Times of faults are drawn from a seed; where they hit depends on the machine. A fault that takes a job's worker or child
away hits a job at most once (a child's death costs one of three attempts, a worker's one of three lives), so that what is
promised of every job but the poisoned one is that it is made.
"""

import asyncio
import contextlib
import io
import os
import random
import re
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from receiver import SECRET, Receiver, Reply
from redis_server import RedisServer
from swift_server import Swift

from avatarlab import DATA
from avatarlab.body import Body
from avatarlab.service.avatar import AvatarJob
from avatarlab.service.bull import BullQueue
from avatarlab.service.jobs import Ticket, Unavailable
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import open_storage
from avatarlab.synthetic.rendered import rendered_person

LOCK_S, STALLED_S, JOB_LIMIT_S = 10, 2, 40
WANTED_S, LIMIT_S = 300, 600
"""How long a run takes at most on a quiet machine of two cores, and how long it may on a busy one."""
REAL = DATA / "photos" / "ibm_yogait_apose_tada1.jpg"
SUBMIT_S, FAULTS_S = 80.0, 95.0
"""Jobs come, and faults begin, within so many seconds."""
LINE = re.compile(r"(\S+) \S+ event=(\S+)(?: job=(\S+))?")
FITTING = ("observe", "fit", "measure", "export")
ENDS = {f"job.{end}" for end in ("completed", "placeholder", "known", "deleted", "failed", "retried", "waits")}


class Moody(Receiver):
    """Of the first three calls of an event each may go wrong, by the seed; /gone and /moved always do."""

    def __init__(self, chance: random.Random):
        super().__init__()
        self.chance, self.seen, self.moods = chance, Counter(), Counter()

    def reply(self, id: str | None, path: str) -> Reply:
        fixed = {"/gone": Reply(410), "/moved": Reply(302, {"Location": "/avatars"})}.get(path)
        self.seen[id] += 1
        if fixed or self.seen[id] > 3:
            return fixed or Reply()
        moods = {
            "500": Reply(500),
            "429": Reply(429, {"Retry-After": "2"}),
            "503": Reply(503),
            "answer lost": Reply(hang_s=4),
            "answer cut": Reply(drop=True),
            "well": Reply(),
        }
        (mood,) = self.chance.choices(list(moods), [3, 2, 1, 3, 1, 10])
        self.moods[mood] += 1
        return moods[mood]


@dataclass
class Line:
    """One of a worker's log."""

    at: float
    event: str
    job: str | None


def parsed(text: str) -> Line | None:
    """A line of the log; None for what is none of ours."""
    match = LINE.match(text)
    return match and Line(datetime.fromisoformat(match[1]).timestamp(), match[2], match[3])


class Post:
    """A worker's place: whoever dies there is replaced at once, as systemd would."""

    def __init__(self, number: int, folder: Path, env: dict[str, str]):
        self.number, self.folder, self.log = number, folder, folder / f"worker{number}.log"
        self.env, self.on, self.exits, self.read, self.found = env, False, [], 0, []
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Begin, and begin again."""
        self.on, now = True, datetime.now(UTC).isoformat(timespec="milliseconds")[:23]
        with open(self.log, "ab") as log:
            log.write(f"\n{now}Z INFO event=post.manned\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "avatarlab.service.worker"],
                env=self.env, cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def tend(self) -> None:
        """Replace a worker that is gone."""
        if self.on and self.process.poll() is not None:
            self.exits.append(self.process.returncode)
            self.start()

    def lines(self) -> list[Line]:
        """What the log says, in order; reads only what is new."""
        if self.log.exists():
            with open(self.log, "rb") as log:
                log.seek(self.read)
                data = log.read()
            end = data.rfind(b"\n") + 1
            self.read += end
            self.found += [
                line for text in data[:end].decode(errors="replace").splitlines() if (line := parsed(text))
            ]
        return self.found

    @property
    def job(self) -> str | None:
        """The job in work."""
        job = None
        for line in self.lines():
            if line.event == "job.taken":
                job = line.job
            elif line.event == "post.manned" or (line.event in ENDS and line.job == job):
                job = None
        return job if self.process.poll() is None else None

    @property
    def child(self) -> int | None:
        """Id of its process with the models."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    return int(stat.parent.name)
        return None


@dataclass
class Wish:
    """A job and what shall come of it: whole, placeholder, refused, poisoned; ``effect``: whether its caller hears."""

    id: str
    job: AvatarJob
    hope: str = "whole"
    effect: bool = True
    at: float = 0.0


@dataclass
class Chaos:
    """All of it. ``folder`` is where everything lies; ``say`` writes a line of the run's own log."""

    folder: Path
    redis: RedisServer
    swift: Swift
    receiver: Moody
    chance: random.Random
    wishes: list[Wish] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    hit: set[str] = field(default_factory=set)
    faults: Counter = field(default_factory=Counter)
    killed: list[tuple[float, str]] = field(default_factory=list)
    """When a worker was killed, and over which job."""
    planned: list[tuple[float, str]] = field(default_factory=list)
    quiet: bool = True
    seconds: float = 0.0

    def __post_init__(self):
        self.name = f"chaos{uuid.uuid4().hex[:6]}"
        told = {
            "redis_url": self.redis.url,
            "queue": self.name,
            **self.swift.settings_fields(bucket="chaos"),
            "webhook_secret": SECRET,
            "callback_origins": self.receiver.origin,
            "callback_limit_s": 2,
            "callback_delays_s": "1,1,2,2,3,3,5,5,5,5",
            "lock_s": LOCK_S,
            "stalled_s": STALLED_S,
            "job_limit_s": JOB_LIMIT_S,
        }
        self.settings = ServiceSettings(_env_file=None, **told)
        self.storage = open_storage(self.settings)
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        self.temp = self.folder / "tmp"
        self.temp.mkdir()
        names = {field: ServiceSettings.model_fields[field].validation_alias.choices[0] for field in told}
        env = kept | {"TMPDIR": str(self.temp)} | {names[field]: str(value) for field, value in told.items()}
        self.posts = [Post(number, self.folder, env) for number in range(2)]
        self.locks = {name: asyncio.Lock() for name in ("redis", "swift", "worker")}

    def say(self, text: str) -> None:
        """To stdout, with the seconds since the start."""
        sys.stdout.write(f"{time.monotonic() - self.began:6.1f} s  {text}\n")

    # jobs

    def wish(self, subject: str, hope: str = "whole", effect: bool = True, **fields) -> None:
        """Note down a job for a random moment."""
        url = fields.pop("callback_url", self.receiver.url)
        id = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        job = AvatarJob(subject=subject, callback_url=url, **fields)
        self.wishes.append(Wish(id, job, hope, effect, self.chance.uniform(0, SUBMIT_S)))

    def think_up(self) -> None:
        """Photos into the storage, jobs into the list."""
        self.people = people = photos(self.storage)
        for number in range(15):
            self.wish(f"guest {number % 3}", **people[number % 3], definitions=[("ansur", "iso8559")[number % 2]])
        self.wish("turned", front_key="photos/turned.jpg", stature_cm=people[0]["stature_cm"])
        if REAL.exists():
            self.storage.store("photos/real.jpg", REAL, "image/jpeg")
            self.wish("real", front_key="photos/real.jpg", stature_cm=175)
        self.wish("nobody", "placeholder", front_key="photos/nobody.png", stature_cm=170, on_failure="placeholder")
        self.wish("gone", effect=False, callback_url=f"{self.receiver.origin}/gone", **people[1])
        self.wish("moved", effect=False, callback_url=f"{self.receiver.origin}/moved", **people[2])
        for kind in ("cut.jpg", "nobody.png", "bomb.png", "none.jpg"):
            self.wish(kind, "refused", front_key=f"photos/{kind}", stature_cm=170)
        self.wish("poison", "poisoned", **people[0])
        self.poison = self.wishes[-1]
        self.poison.at = 1.0

    async def submit(self, wish: Wish) -> None:
        """As a shop does: the same id until the queue took it."""
        await asyncio.sleep(wish.at)
        while True:
            with contextlib.suppress(Unavailable):
                return await self.queue.add(wish.id, wish.job)
            self.faults["submitted again, queue away"] += 1
            await asyncio.sleep(1)

    # faults

    def schedule(self) -> list[tuple[float, str]]:
        """What breaks when."""
        counts = {
            "worker killed": 4,
            "worker ended": 1,
            "child killed": 3,
            "child frozen": 1,
            "redis away 3 s": 1,
            "redis away 20 s": 1,
            "storage refused": 1,
            "storage frozen": 1,
            "storage busy": 1,
            "submitted twice": 5,
        }
        drawn = [(self.chance.uniform(3, FAULTS_S), name) for name, count in counts.items() for _ in range(count)]
        return sorted(drawn)

    async def strike(self, at: float, name: str) -> None:
        """One fault at its time; those of one thing come one after the other."""
        await asyncio.sleep(at)
        what, _, how = name.partition(" ")
        async with self.locks.get({"child": "worker", "storage": "swift"}.get(what, what), asyncio.Lock()):
            await getattr(self, f"_{what}")(how)
        self.faults[name] += 1

    async def _redis(self, how: str) -> None:
        seconds = int(how.split()[1])
        self.say(f"redis killed for {seconds} s")
        self.redis.kill()
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.redis.start)
        self.say("redis back")
        await asyncio.sleep(5)

    async def _storage(self, how: str) -> None:
        self.say(f"storage {how}")
        if how == "frozen":
            self.swift.freeze()
        else:
            self.swift.front.be({"refused": "refuse", "busy": "503"}[how])
        try:
            await asyncio.sleep(8)
        finally:
            self.swift.thaw() if how == "frozen" else self.swift.front.be("pass")
        self.say("storage back")
        await asyncio.sleep(2)

    async def _submitted(self, how: str) -> None:
        wish = self.chance.choice([wish for wish in self.wishes if wish.at < time.monotonic() - self.began])
        for _ in range(2):
            with contextlib.suppress(Unavailable):
                await self.queue.add(wish.id, wish.job)

    async def _worker(self, how: str) -> None:
        post = await self._victim()
        self.say(f"worker {post.number} {how} over {post.job}")
        self._end(post, signal.SIGKILL if how == "killed" else signal.SIGTERM)
        await asyncio.sleep(1)

    async def _child(self, how: str) -> None:
        post = await self._victim()
        self.say(f"child of worker {post.number} {how} over {post.job}")
        os.kill(post.child, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        await asyncio.sleep(1)

    async def _victim(self) -> Post:
        """A worker in the middle of a fit that was not hit before; where no job is left, another guest comes."""
        while True:
            posts = self.posts if self.chance.random() < 0.5 else self.posts[::-1]
            for post in posts:
                job = post.job
                if job and job not in self.hit | {self.poison.id} and await self._fitting(job):
                    self.hit.add(job)
                    return post
            await asyncio.sleep(0.1)
            with contextlib.suppress(Unavailable):
                counts = await self.queue.counts()
                if not counts["waiting"] + counts["active"] + counts["delayed"]:
                    self.wish("late guest", **self.people[2])
                    self.wishes[-1].at = 0
                    await self.submit(self.wishes[-1])

    async def _fitting(self, job: str) -> bool:
        with contextlib.suppress(Unavailable):
            ticket = await self.queue.find(job)
            return ticket.state == "active" and bool(ticket.progress) and ticket.progress.stage in FITTING
        return False

    def _end(self, post: Post, number: int) -> None:
        if job := post.job:
            self.killed.append((time.time(), job)) if number == signal.SIGKILL else None
        post.process.send_signal(number)

    async def poisoning(self) -> None:
        """Whoever takes the poisoned job up dies at once, until nobody does any more."""
        while True:
            for post in self.posts:
                if post.job == self.poison.id:
                    self.say(f"worker {post.number} dies of the poison")
                    self._end(post, signal.SIGKILL)
                    self.faults["worker poisoned"] += 1
                    await asyncio.to_thread(post.process.wait)
            await asyncio.sleep(0.05)

    # the run

    async def tending(self) -> None:
        """Replace the dead."""
        while True:
            for post in self.posts:
                post.tend()
            await asyncio.sleep(0.2)

    async def run(self) -> None:
        """Everything at once, until every job came to its end and every caller that can be told was told."""
        self.began = time.monotonic()
        self.queue = BullQueue(self.settings)
        for post in self.posts:
            post.start()
        self.think_up()
        while not all(any(line.event == "worker.ready" for line in post.lines()) for post in self.posts):
            assert time.monotonic() < self.began + 120, "workers did not start"
            await asyncio.sleep(0.2)
        self.quiet = os.getloadavg()[0] < 1.5 * os.cpu_count()
        self.began, self.planned = time.monotonic(), self.schedule()
        for at, name in self.planned:
            sys.stdout.write(f"planned at {at:5.1f} s: {name}\n")
        for_ever = [asyncio.create_task(work) for work in (self.tending(), self.poisoning())]
        try:
            async with asyncio.timeout(LIMIT_S):
                jobs = [self.submit(wish) for wish in self.wishes]
                await asyncio.gather(*jobs, *(self.strike(at, name) for at, name in self.planned))
                await self.settled()
        finally:
            self.seconds = time.monotonic() - self.began
            for task in for_ever:
                task.cancel()
            await asyncio.gather(*for_ever, return_exceptions=True)
            await self.queue.close()

    async def settled(self) -> None:
        """Wait for the ends, and until no callback is to be made any more."""
        while (left := [wish for wish in self.wishes if not await self._over(wish)]) or await self._calling():
            if time.monotonic() > self.began + LIMIT_S - 5:
                self.say(f"left: {[(wish.id, wish.job.subject) for wish in left]}")
            await asyncio.sleep(0.5)

    async def _over(self, wish: Wish) -> bool:
        with contextlib.suppress(Unavailable):
            ticket = await self.queue.find(wish.id)
            ended = bool(ticket) and ticket.state in ("completed", "failed")
            return ended and (not wish.effect or any(wish.id in key for key in tuple(self.receiver.effects)))
        return False

    async def _calling(self) -> bool:
        def count() -> int:
            with self.redis.client() as client:
                key = f"bull:{self.settings.callback_queue}:"
                return client.llen(f"{key}wait") + client.llen(f"{key}active") + client.zcard(f"{key}delayed")

        return bool(await asyncio.to_thread(count))

    def stop(self) -> list[int]:
        """SIGTERM to both; their exit statuses."""
        for post in self.posts:
            post.on = False
            post.process.terminate()
        return [post.process.wait(60) for post in self.posts]

    def end(self) -> None:
        """Whatever happened: nothing is left running."""
        for post in self.posts:
            post.on = False
            if post.process and post.process.poll() is None:
                post.process.kill()
                post.process.wait()
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def processes(self) -> list[int]:
        """Ids of all processes that belong to this run's queue."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if f"AVATAR_QUEUE={self.name}".encode() in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
        return found

    def tickets(self) -> dict[str, Ticket]:
        """What the queue says of each job at the end."""

        async def ask() -> dict[str, Ticket]:
            queue = BullQueue(self.settings)
            try:
                return {wish.id: await queue.find(wish.id) for wish in self.wishes}
            finally:
                await queue.close()

        return asyncio.run(ask())


def photos(storage) -> list[dict]:
    """Put photos into the storage; what a job says of each of three people."""
    body, people = Body.load(), []
    for seed in (7, 8, 9):
        person, keys = rendered_person(body, seed), {}
        for view, shot in person.shots.items():
            keys[f"{view}_key"] = key = f"photos/guest{seed}/{view}.png"
            storage.write(key, encoded(shot.photo.rgb, "PNG"), "image/png")
        if seed == 7:
            front = person.shots["front"].photo.rgb
        people.append({**keys, "stature_cm": round(100 * person.stature_m, 1), "sex": person.sex})
    del people[2]["side_key"]
    jpeg = encoded(front, "JPEG")
    storage.write("photos/cut.jpg", jpeg[: len(jpeg) // 3], "image/jpeg")
    storage.write("photos/turned.jpg", encoded(np.rot90(front), "JPEG", orientation=6), "image/jpeg")
    storage.write("photos/bomb.png", encoded(np.zeros((10_000, 10_000), bool), "PNG"), "image/png")
    noise = np.random.default_rng(1).integers(90, 160, (600, 400, 3), np.uint8)
    storage.write("photos/nobody.png", encoded(noise, "PNG"), "image/png")
    return people


def encoded(pixels: np.ndarray, form: str, orientation: int = 1) -> bytes:
    """A picture as a file; EXIF's orientation 6 says: turn it right by 90 degrees."""
    exif, data = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(pixels)).save(data, form, exif=exif)
    return data.getvalue()
