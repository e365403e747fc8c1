"""One job from its photos' keys to its manifest, in an order in which dying at any point loses nothing.

Photos down, avatar made, files up, ``manifest.json`` last, then the callback. Whoever finds the manifest of the same job
goes on from there, so a job that is run again, or by two workers at once, is made once and told once. No queue in here:
the worker and the single process of ``service.local`` use the same.
"""

import asyncio
import errno
import re
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from avatarlab.core.errors import InputError
from avatarlab.core.files import sha256
from avatarlab.service import metrics
from avatarlab.service.child import Children
from avatarlab.service.jobs import (
    MANIFEST,
    PHOTOS,
    Event,
    File,
    JobProgress,
    Manifest,
    Unavailable,
    caller_of,
    job_id,
    read_job,
    result_key,
)
from avatarlab.service.kinds import Job, kind_of
from avatarlab.service.logs import note, warn
from avatarlab.service.messages import Artifacts, ChildDied, StartFailed, Task
from avatarlab.service.scratch import Scratch
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.ssrf import read_url
from avatarlab.service.storage.interface import Storage

Tell = Callable[[JobProgress], Awaitable[None]]
UPLOADED_PERCENT, UPLOAD_PERCENT = 100, 95
LAST_WORD_S = 1.0
MAX_REASON = 1000
RESULT = re.compile(r"(?!manifest\.json$)[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""Names that a result may have; the child's word is not taken for it."""


DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


class Processor:
    """Makes jobs true: ``storage`` holds photos and results, ``children`` make, ``announce`` queues a callback.

    ``forgotten`` tells whether a job was deleted; ``announce`` must take the same event twice as once.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        storage: Storage,
        children: Children,
        announce: Callable[[Event, str], Awaitable[None]],
        forgotten: Callable[[str], Awaitable[bool]],
    ):
        self._settings, self._storage, self._children = settings, storage, children
        self._announce, self._forgotten = announce, forgotten
        self._scratch = Scratch()
        if swept := self._scratch.sweep():
            note("scratch.swept", folders=swept)

    def close(self) -> None:
        """Remove the folder of temporary files."""
        self._scratch.close()

    async def process(self, id: str, data: Any, tell: Tell) -> dict:
        """Make the job; return what the queue keeps of it: {"placeholder", "files", "seconds" by stage}.

        A deleted job gives {"deleted": True} and leaves nothing. InputError: never will be; anything else: try again.
        Failures are not told from here but by ``failed``, once the queue has written them down.
        """
        with metrics.ACTIVE.track_inprogress():
            try:
                result, summary = await self._process(id, data, tell)
            except InputError:
                metrics.JOBS.labels("refused").inc()
                raise
        metrics.JOBS.labels(result).inc()
        note(f"job.{result}", job=id, seconds=sum(summary.get("seconds", {}).values()))
        return summary

    async def _process(self, id: str, data: Any, tell: Tell) -> tuple[str, dict]:
        started = time.monotonic()
        if job_id(id) != id:
            raise InputError(f"id: got {id!r}, expected it in lower case.")
        job = read_job(data)
        if await self._forgotten(id):
            return await self._erased(id)
        if job.callback_url:
            read_url(job.callback_url, self._settings)
        if known := await self._known(id, job):
            return await self._ended(known, {}, "known")
        latest = _Latest(tell)
        try:
            with self._scratch.folder() as folder:
                manifest, seconds = await self._made(id, job, folder, latest)
        finally:
            await latest.end()
        if manifest is None:
            return await self._erased(id)
        metrics.JOB_SECONDS.observe(time.monotonic() - started)
        return await self._ended(manifest, seconds, "placeholder" if manifest.placeholder else "completed")

    async def _made(
        self, id: str, job: Job, folder: Path, latest: "_Latest"
    ) -> tuple[Manifest | None, dict[str, float]]:
        """Do the work; the manifest is None where the job was deleted meanwhile."""
        task = _task(job, folder)
        latest(JobProgress(stage="download", percent=0))
        download_s = await _timed(self._download(task))
        made = await self._make(task, latest)
        latest(JobProgress(stage="upload", percent=UPLOAD_PERCENT))
        seconds = {"download": download_s, **made.seconds}
        if await self._forgotten(id):
            return None, seconds
        if known := await self._known(id, job):  # another worker took over and was faster
            return known, seconds
        files = await asyncio.to_thread(_described, task.out, made, kind_of(job).artifacts)
        seconds["upload"] = await _timed(self._upload(id, task.out, files))
        if await self._forgotten(id):
            return None, seconds
        facts = {name: getattr(made, name) for name in ("placeholder", "reasons", "warnings", "made_by")}
        manifest = Manifest(id=id, job=job, files=files, **facts)
        await asyncio.to_thread(self._storage.write, result_key(id, MANIFEST), manifest.data(), "application/json")
        latest(JobProgress(stage="upload", percent=UPLOADED_PERCENT))
        for stage, spent_s in seconds.items():
            metrics.STAGE_SECONDS.labels(stage).observe(spent_s)
        return (None if await self._forgotten(id) else manifest), seconds

    async def _download(self, task: Task) -> None:
        limit_bytes = self._settings.photo_mb * 1_000_000
        for name, key in task.job.input_keys.items():
            await asyncio.to_thread(self._storage.fetch, key, task.inputs[name], limit_bytes)

    async def _make(self, task: Task, latest: "_Latest") -> Artifacts:
        try:
            return await self._children.make(task, latest)
        except ChildDied as death:
            metrics.CHILD_DEATHS.labels(death.why).inc()
            raise

    async def _upload(self, id: str, out: Path, files: dict[str, File]) -> None:
        """All at once; returns only when no upload is under way any more, whatever became of it."""
        stores = [
            asyncio.to_thread(self._storage.store, result_key(id, name), out / name, file.type)
            for name, file in files.items()
        ]
        for error in await asyncio.gather(*stores, return_exceptions=True):
            if isinstance(error, BaseException):
                raise error

    async def _known(self, id: str, job: Job) -> Manifest | None:
        """The manifest of a job that is done already; InputError where its id names another's."""
        manifest = await self._manifest(id)
        if manifest and manifest.job != job:
            raise InputError(f"id: {id} names the avatar of another job already; give every job an id of its own.")
        return manifest

    async def _manifest(self, id: str) -> Manifest | None:
        data = await asyncio.to_thread(self._storage.read, result_key(id, MANIFEST))
        try:
            return Manifest.model_validate_json(data) if data else None
        except ValidationError:
            warn("manifest.unreadable", job=id)
            return None

    async def _ended(self, manifest: Manifest, seconds: dict[str, float], result: str) -> tuple[str, dict]:
        if manifest.job.callback_url:
            await self._announce(self._completed(manifest), manifest.job.callback_url)
        rounded = {stage: round(spent_s, 3) for stage, spent_s in seconds.items()}
        files = sorted(manifest.files)
        return result, {"placeholder": manifest.placeholder, "files": files, "seconds": rounded}

    def _completed(self, manifest: Manifest) -> Event:
        return Event(
            type=f"{kind_of(manifest.job).name}.completed",
            id=manifest.id,
            subject=manifest.job.subject,
            url=self._url(manifest.id),
            manifest=result_key(manifest.id, MANIFEST),
            placeholder=manifest.placeholder,
            reason="; ".join(manifest.reasons)[:MAX_REASON] or None,
        )

    def _url(self, id: str) -> str:
        return f"{self._settings.api_base_url.rstrip('/')}/avatars/{id}"

    async def _erased(self, id: str) -> tuple[str, dict]:
        """Take back what this or an earlier run wrote of a deleted job, and photos that came while it was deleted."""
        for prefix in (result_key(id), f"{PHOTOS}/{id}/"):
            keys = await asyncio.to_thread(self._storage.keys, prefix)
            await asyncio.to_thread(self._storage.delete, keys)
        return "deleted", {"deleted": True}

    async def failed(self, id: str, data: Any, reason: str) -> bool:
        """Announce that a job failed for good; where its manifest is there after all, that it is done.

        To be called once the queue has the job among the failed, and again where that is in doubt. False: the job was
        deleted, nobody is told, and the queue should not keep it.
        """
        if await self._forgotten(id):
            return False
        kind, subject, url = caller_of(data)
        try:
            if not url or job_id(id) != id:
                return True
        except InputError:
            return True
        manifest = await self._manifest(id)
        if manifest and manifest.job == _job(data):
            event = self._completed(manifest)
        else:
            failure, why = f"{kind.name}.failed", reason[:MAX_REASON]
            event = Event(type=failure, id=id, subject=subject, url=self._url(id), reason=why)
        await self._announce(event, url)
        return True


def surroundings(error: Exception) -> bool:
    """Storage, queue, models or disk are away: not the job's fault, so it waits and no attempt is counted."""
    if isinstance(error, Unavailable | StartFailed | ConnectionError):
        return True
    return isinstance(error, OSError) and error.errno in DISK


def _job(data: Any) -> Job | None:
    try:
        return read_job(data)
    except InputError:
        return None


def _task(job: Job, folder: Path) -> Task:
    inputs, out = folder / "inputs", folder / "out"
    inputs.mkdir()
    out.mkdir()
    return Task(job, {name: inputs / name for name in job.input_keys}, out)


async def _timed(work: Awaitable[None]) -> float:
    started = time.monotonic()
    await work
    return time.monotonic() - started


def _described(out: Path, made: Artifacts, needed: Collection[str] = ()) -> dict[str, File]:
    """Size, hash and type of each result; ValueError for a name or a link that would lead elsewhere, or one missing."""
    if missing := sorted({*needed} - {*made.files}):
        raise ValueError(f"The child made no {', '.join(missing)}.")
    files = {}
    for name, type in sorted(made.files.items()):
        if not RESULT.fullmatch(name) or (out / name).is_symlink() or not (out / name).is_file():
            raise ValueError(f"The child names a result {name!r} that is no plain file.")
        files[name] = File(sha256=sha256(out / name), bytes=(out / name).stat().st_size, type=type)
    return files


class _Latest:
    """Hands the newest progress on, one at a time and never backwards; a queue that is away holds up no work."""

    def __init__(self, tell: Tell):
        self._tell, self._next, self._percent = tell, None, -1
        self._task: asyncio.Task | None = None

    def __call__(self, progress: JobProgress) -> None:
        if progress.percent < self._percent:
            return
        self._next, self._percent = progress, progress.percent
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._hand_on())

    async def _hand_on(self) -> None:
        while progress := self._next:
            self._next = None
            try:
                await self._tell(progress)
            except Exception as error:
                warn("progress.lost", kind=type(error).__name__)

    async def end(self) -> None:
        """Wait a moment for the last word, then give it up."""
        if self._task:
            await asyncio.wait([self._task], timeout=LAST_WORD_S)
            self._task.cancel()
