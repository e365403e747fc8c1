"""What the queue of one process keeps: a file of JSON per job, each whole or not at all, so that dying loses nothing."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from avatarlab.core.files import whole
from avatarlab.service.jobs import AnyJob, Event, State, Unavailable
from avatarlab.service.logs import warn
from avatarlab.service.queues import FORGET_S


class Callback(BaseModel):
    """A callback to be made, until ``over`` says how it ended."""

    event: Event
    url: str
    tries: int = 0
    due: float = 0.0
    over: str | None = None


class JobRecord(BaseModel):
    """All that is kept of a job; times in seconds since 1970. Of a deleted one no more than that it was."""

    id: str
    job: AnyJob | None
    state: State = "waiting"
    added: float
    due: float = 0.0
    tries: int = 0
    waits: int = 0
    reason: str | None = None
    seconds: float | None = None
    deleted: float | None = None
    callbacks: list[Callback] = []


class Records:
    """The records of a folder."""

    def __init__(self, folder: Path):
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def read(self) -> Iterator[JobRecord]:
        """Records of former runs; those deleted long ago go, those nobody can read are left alone."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                record = JobRecord.model_validate_json(path.read_bytes())
            except (ValidationError, OSError):
                warn("record.unreadable", file=path.name)
                continue
            if record.deleted and record.deleted < time.time() - FORGET_S:
                path.unlink()
            elif record.id == path.stem:
                yield record

    def write(self, record: JobRecord) -> None:
        """Replace a job's record; ``Unavailable`` where the disk is full."""
        with _written(), whole(self._folder / f"{record.id}.json") as part:
            part.write_text(record.model_dump_json(), encoding="utf-8")

    def ready(self) -> None:
        """Return where records can be written."""
        with _written():
            (self._folder / ".ready").write_text("")


@contextlib.contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"The queue's folder cannot be written: {error.strerror}.") from None
