"""What is told of an avatar: its state from the queue, its files from the manifest; taken in, and forgotten again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from avatarlab.service.admission import Afterwards, within
from avatarlab.service.http_errors import away, refused
from avatarlab.service.jobs import (
    AVATARS,
    MANIFEST,
    PHOTOS,
    File,
    JobProgress,
    Manifest,
    State,
    Ticket,
    Unavailable,
    result_key,
)
from avatarlab.service.kinds import Job
from avatarlab.service.queues import Queue
from avatarlab.service.settings import ServiceSettings
from avatarlab.service.storage import Storage
from avatarlab.service.uploads import Asked, same

FILE_CSP = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""A result shown by a browser may draw, and nothing else: report.html holds text that a stranger chose."""


class Accepted(BaseModel):
    """The answer to a POST."""

    id: str
    state: State
    url: str = Field(description="ask there how far it is")


class Avatar(BaseModel):
    """The answer to a GET."""

    id: str
    state: State
    subject: str | None = None
    progress: JobProgress | None = None
    reason: str | None = Field(None, description="why it failed, is tried again, or is a placeholder")
    placeholder: bool = False
    warnings: list[str] = []
    files: dict[str, File] = Field({}, description="name -> sha256, bytes, media type")
    links: dict[str, str] = Field({}, description="name -> address that needs no token, for links_s seconds")
    links_s: int | None = Field(None, description="life of the links (s)")
    measurements: str | None = Field(None, description="the link of measurements.json")


@dataclass
class Avatars:
    """Jobs in the queue and files in the storage as one."""

    settings: ServiceSettings
    storage: Storage
    queue: Queue
    afterwards: Afterwards = field(default_factory=Afterwards)

    async def take(self, asked: Asked) -> Accepted:
        """Take a job in; the same again is as good as the first time, another under the same id is refused (409)."""
        known = await self._standing(asked)
        if known:
            return known
        try:
            for file in asked.files:
                await run_in_threadpool(self.storage.store, file.key, file.path, file.type)
            added = await within(self.queue.add(asked.id, asked.job))
        except Unavailable as fault:
            self._tidy(asked)
            raise away(fault, asked.id) from None
        except BaseException:
            self._tidy(asked)
            raise
        if not added:
            self._tidy(asked)
            known = await self._standing(asked)
            if known:
                return known
            raise refused(409, "there was a job of this id a moment ago; choose another id.", "id")
        return self._accepted(asked.id, "waiting")

    async def show(self, id: str) -> Avatar:
        """All that is known; 404 for an id nobody posted, 410 for a deleted one."""
        ticket = await self._ticket(id)
        manifest = await self.manifest(id) if not ticket or ticket.state in ("completed", "failed") else None
        if manifest:
            return await asyncio.to_thread(self._whole, manifest)
        if not ticket:
            raise refused(404, "no avatar of this id; it was never asked for, or long ago.", "id")
        if ticket.state == "completed":
            raise refused(410, "its files are no longer stored.", "id")
        subject = ticket.job.subject if ticket.job else None
        return Avatar(subject=subject, **ticket.model_dump(include={"id", "state", "progress", "reason"}))

    async def file(self, id: str, name: str) -> StreamingResponse:
        """A result, streamed through; for pages that hold a token rather than a link."""
        if await within(self.queue.forgotten(id)):
            raise refused(410, "this avatar was deleted.", "id")
        manifest = await self.manifest(id)
        if not manifest or name not in (*manifest.files, MANIFEST):
            raise refused(404, "no such file, or not yet.", "name")
        return await stream(self.storage, result_key(id, name), name)

    async def manifest(self, id: str) -> Manifest | None:
        """The manifest; None where the avatar is not whole (any more)."""
        data = await run_in_threadpool(self.storage.read, result_key(id, MANIFEST))
        if data is None:
            return None
        try:
            return Manifest.model_validate_json(data)
        except ValidationError:
            raise Unavailable(f"{result_key(id, MANIFEST)} is not a manifest of ours") from None

    async def forget(self, id: str) -> bool:
        """Delete a job, its photos and results; True where a worker holds it and will remove what it makes."""
        before = await within(self.queue.forgotten(id))
        ticket = await within(self.queue.find(id))
        manifest = await self.manifest(id)
        keys = await run_in_threadpool(self._keys, id)
        if not (before or ticket or manifest or keys):
            raise refused(404, "no avatar of this id.", "id")
        jobs = [one.job for one in (ticket, manifest) if one and one.job]
        keys = {*keys, *(key for job in jobs for key in job.input_keys.values() if _own(id, key))}
        keys |= {result_key(id, name) for name in (*(manifest.files if manifest else ()), MANIFEST)}
        held = await within(self.queue.forget(id))
        left = keys
        try:
            await run_in_threadpool(self.storage.delete, keys | {*await run_in_threadpool(self._keys, id)})
            left = {key for key in keys if key.startswith((f"{PHOTOS}/{id}/", result_key(id)))}
        finally:
            self.afterwards.do(lambda: self._removed(id, left))
        return held

    async def _removed(self, id: str, keys: set[str]) -> bool:
        """Once more: a worker or a POST may have been in the midst of it, the storage away, its list behind the times.

        A producer's own key is deleted once: there may be another photo under it by now.
        """
        held = await within(self.queue.forget(id))
        await run_in_threadpool(self.storage.delete, keys | {*await run_in_threadpool(self._keys, id)})
        return not held

    def _keys(self, id: str) -> list[str]:
        return [*self.storage.keys(f"{PHOTOS}/{id}/"), *self.storage.keys(result_key(id))]

    async def _ticket(self, id: str) -> Ticket | None:
        if await within(self.queue.forgotten(id)):
            raise refused(410, "this avatar was deleted.", "id")
        return await within(self.queue.find(id))

    async def _standing(self, asked: Asked) -> Accepted | None:
        """What there is under the id already, if it is the same job."""
        ticket = await self._ticket(asked.id)
        found = ticket or await self.manifest(asked.id)
        if not found:
            return None
        if not found.job or not same(asked.id, found.job, asked.job):
            raise refused(409, "there is another job of this id; choose another, or leave it out.", "id")
        return self._accepted(asked.id, ticket.state if ticket else "completed")

    def _accepted(self, id: str, state: State) -> Accepted:
        return Accepted(id=id, state=state, url=f"{self.settings.api_base_url.rstrip('/')}/avatars/{id}")

    def _whole(self, manifest: Manifest) -> Avatar:
        seconds = self.settings.link_s
        names = (*manifest.files, MANIFEST)
        links = {name: self.storage.link(result_key(manifest.id, name), seconds, name) for name in names}
        return Avatar(
            id=manifest.id,
            state="completed",
            subject=manifest.job.subject,
            reason=" ".join(manifest.reasons) or None,
            links=links,
            links_s=seconds,
            measurements=links.get("measurements.json"),
            **manifest.model_dump(include={"placeholder", "warnings", "files"}),
        )

    def _tidy(self, asked: Asked) -> None:
        """Remove the photos of a request that failed, once it is sure that no job names them.

        An answer that did not come does not say that the job was not added, and a job without its photos would be
        lost; so the queue is asked first, later, and twice where it does not know the job.
        """
        keys = [photo.key for photo in asked.files]
        seen: list[Job | None] = []

        async def tidied() -> bool:
            found = await within(self.queue.find(asked.id)) or await self.manifest(asked.id)
            seen.append(found.job if found else None)
            if seen[-1] is None and seen != [None, None]:
                return False
            used = seen[-1].input_keys.values() if seen[-1] else ()
            await run_in_threadpool(self.storage.delete, [key for key in keys if key not in used])
            return True

        if keys:
            self.afterwards.do(tidied)


def _own(id: str, key: str) -> bool:
    """Whether a photo goes with its avatar: wherever a producer put it, but not if it was uploaded for another one."""
    first, second = f"{key}/".split("/")[:2]
    return first != AVATARS and not (first == PHOTOS and len(second) == len(id) and second != id)


async def stream(
    storage: Storage, key: str, name: str, headers: dict[str, str] | None = None
) -> StreamingResponse:
    """An object as a response; 404 where it is not there."""
    found = await run_in_threadpool(storage.open, key)
    if found is None:
        raise refused(404, "no such file (any more).", "name")
    chunks, size, kind = found
    named = {"Content-Length": str(size), "Content-Security-Policy": FILE_CSP}
    named["Content-Disposition"] = f'attachment; filename="{name}"'
    return StreamingResponse(_chunks(chunks), media_type=kind, headers=named | (headers or {}))


async def _chunks(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, read in threads; closed in the end however it comes, or the storage's connection stays taken."""
    try:
        while chunk := await run_in_threadpool(next, chunks, b""):
            yield chunk
    finally:
        with contextlib.suppress(AttributeError):
            chunks.close()
