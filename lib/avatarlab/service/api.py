"""The HTTP API: photos in, avatars out. ``uvicorn avatarlab.service.api:app``; settings are read when it starts.

It holds no model and decodes no photo; it puts jobs into the queue and tells what became of them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp

from avatarlab import __version__
from avatarlab.core.errors import InputError
from avatarlab.service import http_errors, logs, pages
from avatarlab.service.admission import Probe, Uploads, room, within
from avatarlab.service.auth import Bearer, tokens
from avatarlab.service.callbacks import read_secrets
from avatarlab.service.jobs import Unavailable, job_id
from avatarlab.service.kinds import register
from avatarlab.service.metrics import QUEUED
from avatarlab.service.middleware import Counted, Guarded, Limited, Startup
from avatarlab.service.openapi import body, describe, refusals
from avatarlab.service.queues import Queue
from avatarlab.service.results import Accepted, Avatar, Avatars
from avatarlab.service.scratch import Scratch
from avatarlab.service.settings import ServiceSettings, read
from avatarlab.service.ssrf import origins
from avatarlab.service.storage import Storage, open_storage
from avatarlab.service.uploads import reading

READY_S = 3.0
THREADS = 32
"""For the storage's blocking calls, of which one against a frozen server lasts half a minute."""
OPEN = APIRouter(tags=["health"])
CLOSED = APIRouter(dependencies=[Depends(Bearer())], responses=refusals(401))
Opening = Callable[[], AbstractAsyncContextManager[tuple[ServiceSettings, Storage, Queue]]]


async def checked_id(id: Annotated[str, Path(description="UUID of the avatar")]) -> str:
    """The id of a path in its one form; 422 for what is none."""
    try:
        return job_id(id)
    except InputError as error:
        raise http_errors.HTTPRefusal(422, [http_errors.sentence(error, "id")]) from None


Id = Annotated[str, Depends(checked_id)]


def avatars(request: Request) -> Avatars:
    """What the app was opened with."""
    return request.app.state.avatars


@CLOSED.post(
    "/avatars", summary="Ask for an avatar", status_code=202, openapi_extra=body(), tags=["avatars"],
    responses=refusals(408, 409, 410, 413, 415, 422, 503),
)  # fmt: skip
async def post(request: Request, response: Response) -> Accepted:
    """Ask for an avatar: a form with photos, or JSON with the keys of photos that are in the bucket already.

    202 with its id and address. Sent again with the same id and content, nothing is made twice.
    """
    ours, state = avatars(request), request.app.state
    await room(ours.queue, ours.settings.max_waiting)
    with state.uploads.place():
        async with reading(request, ours.settings) as asked:
            accepted = await ours.take(asked)
    response.headers["Location"] = accepted.url
    return accepted


@CLOSED.get(
    "/avatars/{id}", summary="State, progress, links", tags=["avatars"], responses=refusals(404, 410, 422, 503)
)
async def get(request: Request, id: Id) -> Avatar:
    """How far it is; when completed, links to its files that need no token and expire."""
    return await avatars(request).show(id)


@CLOSED.get(
    "/avatars/{id}/files/{name}", summary="One of its files", response_class=Response, tags=["avatars"],
    responses=refusals(404, 410, 422, 503),
)  # fmt: skip
async def file(request: Request, id: Id, name: str) -> Response:
    """A file of a completed avatar, by the names that its manifest lists."""
    return await avatars(request).file(id, name)


@CLOSED.delete(
    "/avatars/{id}", summary="Remove it", status_code=204, tags=["avatars"],
    responses=refusals(404, 422, 503) | {202: {"description": "a worker holds it and removes what it makes"}},
)  # fmt: skip
async def delete(request: Request, id: Id) -> Response:
    """Remove an avatar: job, photos, results. The id stays known as deleted and is not taken again."""
    held = await avatars(request).forget(id)
    return Response(status_code=202 if held else 204)


@CLOSED.get("/metrics", summary="For Prometheus", response_class=Response, tags=["health"])
async def metrics(request: Request) -> Response:
    """For Prometheus; the queue is counted when asked, and left out while it is away."""
    QUEUED.clear()
    with contextlib.suppress(Unavailable):
        for state, number in (await within(avatars(request).queue.counts(), READY_S)).items():
            QUEUED.labels(state).set(number)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@OPEN.get("/healthz", summary="Does it live")
async def healthz() -> dict[str, bool]:
    """Whether this process answers; asks nobody else."""
    return {"ok": True}


@OPEN.get("/readyz", summary="Can it work")
async def readyz(request: Request) -> JSONResponse:
    """Whether queue and storage answer; 503 where one does not."""
    probes: dict[str, Probe] = request.app.state.probes
    found = await asyncio.gather(*(probe.ok(READY_S) for probe in probes.values()))
    return JSONResponse(dict(zip(probes, found, strict=True)), 200 if all(found) else 503)


def build(opening: Opening) -> FastAPI:
    """The app over what ``opening`` opens when it starts, and closes when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "api"))
        try:
            async with opening() as (settings, storage, queue):
                furnish(app, settings, storage, queue)
                yield
                app.state.avatars.afterwards.stop()
                app.state.scratch.close()
        except InputError as error:
            app.state.fault = str(error)
            raise

    app = FastAPI(
        title="avatarlab", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
        description="Two photos in, a measured and rigged avatar out. At least once; nothing is made twice.",
    )  # fmt: skip
    app.state.fault, app.state.limit_bytes = None, 0
    for router in (CLOSED, OPEN, pages.ROUTES):
        app.include_router(router)
    layers: tuple[Callable[..., ASGIApp], ...] = (Limited, Guarded, Counted, Startup)
    for layer in layers:
        app.add_middleware(layer)
    http_errors.install(app)
    describe(app)
    return app


def furnish(app: FastAPI, settings: ServiceSettings, storage: Storage, queue: Queue) -> None:
    """Give ``app`` what its routes use; InputError where the settings let nobody in."""
    state = app.state
    state.tokens = tokens(settings)
    register(settings.job_kinds)
    origins(settings.callback_origins)
    read_secrets(settings.webhook_secret.get_secret_value())
    state.limit_bytes = settings.upload_mb * 1_000_000
    state.uploads, state.scratch = Uploads(), Scratch()
    state.scratch.sweep()
    state.avatars = Avatars(settings, storage, queue)
    state.probes = {"queue": Probe(queue.ready), "storage": Probe(lambda: asyncio.to_thread(storage.ready))}


def create(settings: ServiceSettings, storage: Storage, queue: Queue) -> FastAPI:
    """The app over parts that are open already, and stay so."""

    @contextlib.asynccontextmanager
    async def opening():
        yield settings, storage, queue

    return build(opening)


@contextlib.asynccontextmanager
async def from_environment() -> AsyncIterator[tuple[ServiceSettings, Storage, Queue]]:
    """The parts that the settings name."""
    from avatarlab.service.bull import BullQueue

    logs.set_up()
    settings = read()
    tokens(settings)
    storage, queue = open_storage(settings), BullQueue(settings)
    try:
        yield settings, storage, queue
    finally:
        await queue.close()


app = build(from_environment)
