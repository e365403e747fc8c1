"""The real API with its page on loopback, over a folder and a queue whose jobs a test moves by hand: no worker, no model."""

import json
import threading
import time
import uuid
from pathlib import Path

import uvicorn
from front import Front
from patience import SLOWER

from avatarlab.core.files import sha256
from avatarlab.service.api import create
from avatarlab.service.avatar import AvatarJob
from avatarlab.service.jobs import MANIFEST, File, JobProgress, Manifest, Ticket, result_key
from avatarlab.service.queues import STATES
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import FolderStorage

TOKEN = "token-of-the-page-tests"
MADE_BY = {"avatarlab": "0", "body": "0", "weights": "0"}


class ToldQueue:
    """``queues.Queue`` in which nothing happens by itself."""

    def __init__(self):
        self.tickets: dict[str, Ticket] = {}
        self.gone: set[str] = set()
        self.full = False

    async def add(self, id: str, job: AvatarJob) -> bool:
        fresh = id not in self.tickets
        self.tickets.setdefault(id, Ticket(id=id, state="waiting", job=job))
        return fresh

    async def find(self, id: str) -> Ticket | None:
        return None if id in self.gone else self.tickets.get(id)

    async def counts(self) -> dict[str, int]:
        return dict.fromkeys(STATES, 0) | {"waiting": 10_000 if self.full else 0}

    async def forget(self, id: str) -> bool:
        self.gone.add(id)
        return False

    async def forgotten(self, id: str) -> bool:
        return id in self.gone

    async def ready(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Showroom:
    """Context manager; ``address`` is the API's, reached through ``front``, which can refuse, hang or dawdle."""

    def __init__(self, folder: Path):
        self.queue = ToldQueue()
        self.settings = ServiceSettings(_env_file=None, api_tokens=TOKEN)
        self.storage = FolderStorage(folder / "storage", "http://127.0.0.1:1", "secret-of-the-page-tests")
        app = create(self.settings, self.storage, self.queue)
        self._server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> "Showroom":
        self._thread.start()
        end = time.monotonic() + SLOWER * 20
        while not self._server.started and time.monotonic() < end:
            time.sleep(0.02)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.front = Front(port).__enter__()
        return self

    def __exit__(self, *_) -> None:
        self.front.__exit__()
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "the API did not stop"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.front.port}"

    def job(self) -> str:
        """Id of the job posted last, once one has come."""
        end = time.monotonic() + SLOWER * 10
        while not self.queue.tickets and time.monotonic() < end:
            time.sleep(0.02)
        return [*self.queue.tickets][-1]

    def be(self, id: str, state: str, stage: str = "", percent: int = 0, reason: str | None = None) -> None:
        """Move a job."""
        progress = JobProgress(stage=stage, percent=percent) if stage else None
        known = self.queue.tickets[id]
        self.queue.tickets[id] = known.model_copy(update={"state": state, "progress": progress, "reason": reason})

    def wait(self, subject: str = "Anna") -> str:
        """Put a job into the queue without a POST."""
        id = str(uuid.uuid4())
        job = AvatarJob(subject=subject, front_key="photos/x/front.jpg", stature_cm=170)
        self.queue.tickets[id] = Ticket(id=id, state="waiting", job=job)
        return id

    def finish(self, id: str, results: Path, placeholder: bool = False, reasons=()) -> None:
        """Store the files of a folder as the results of a job, as the worker would."""
        files = {}
        for path in sorted(results.iterdir()):
            name = path.name.replace("avatar.", "avatar_placeholder.") if placeholder else path.name
            self.storage.store(result_key(id, name), path, "application/octet-stream")
            files[name] = File(sha256=sha256(path), bytes=path.stat().st_size, type="application/octet-stream")
        manifest = Manifest(
            id=id, job=self.queue.tickets[id].job, placeholder=placeholder, reasons=list(reasons), warnings=[],
            files=files, made_by=MADE_BY,
        )  # fmt: skip
        self.storage.write(result_key(id, MANIFEST), manifest.data(), "application/json")
        self.be(id, "completed")


def write_results(folder: Path, body) -> Path:
    """Results of a mean woman as the worker writes them; two measures withheld, two definitions."""
    import numpy as np
    from PIL import Image

    from avatarlab.body import Block, MeasureUncertainty, Person, Uncertainty
    from avatarlab.export import write_glb
    from avatarlab.measure import measure

    mean = body.shape_prior("female")[0].numpy()
    blocks = {"body": Block(mean, np.full_like(mean, 0.02))}
    why = {"calf": "the legs are not in the picture", "ankle": "<b>the feet</b> are not in the picture"}
    plain = measure(body, Person(blocks, stature_m=1.63)).measures
    known = {name: MeasureUncertainty(one.interval, 1.0, (), why.get(name)) for name, one in plain.items()}
    person = Person(blocks, stature_m=1.63, sex="female", uncertainty=Uncertainty(known))
    for definition in ("ansur", "iso8559"):
        name = "measurements.json" if definition == "ansur" else f"measurements_{definition}.json"
        measure(body, person, definition).save(folder / name)
    write_glb(folder / "avatar.glb", body, person)
    views = [{"view": view, "iou": 0.97} for view in ("front", "side")]
    warnings = ["front view: <img src=x onerror=alert(1)> loose clothes suspected."]
    quality = {"warnings": warnings, "views": views, "calibrated": True, "reasons": []}
    (folder / "quality.json").write_text(json.dumps(quality))
    for view in ("front", "side"):
        mask = np.zeros((160, 90), np.uint8)
        mask[10:150, 30:60] = 255
        Image.fromarray(mask).save(folder / f"mask_{view}.png")
    return folder
