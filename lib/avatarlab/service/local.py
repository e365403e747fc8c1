"""The whole service in one process without any server: a folder for storage, a queue of its own, the same API and page.

``python -m avatarlab.service.local`` prints an address for the browser. For a first try on one's own machine: it listens
on 127.0.0.1 only, and answers to no other name.
"""

import argparse
import asyncio
import contextlib
import errno
import html
import json
import secrets
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.responses import Response
from pydantic import SecretStr
from starlette.middleware.trustedhost import TrustedHostMiddleware

from avatarlab.core.errors import InputError
from avatarlab.core.files import write_json
from avatarlab.core.lock import hold
from avatarlab.service import logs
from avatarlab.service.api import create
from avatarlab.service.child import Children, Handler
from avatarlab.service.http_errors import refused
from avatarlab.service.kinds import Handlers
from avatarlab.service.local_queue import LocalQueue
from avatarlab.service.messages import StartFailed
from avatarlab.service.results import stream
from avatarlab.service.settings import ServiceSettings, read
from avatarlab.service.storage import FolderStorage

HOST = "127.0.0.1"
BODY_REMEDY = " The published open body is used where AVATAR_BODY_FILE is not set."
CLOSE_S = 3
"""Longest wait for open connections at the end (s)."""
Load = Callable[[ServiceSettings], Handler]


@dataclass(frozen=True)
class Secrets:
    """Of this folder: the bearer token, and what signs links."""

    token: str
    links: str


class Server(uvicorn.Server):
    """Says when it listens, and ends when told to without raising the signal again.

    As uvicorn does, which cancels whatever comes after it: here the end of the job in work.
    """

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]):
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End; a second signal does not wait for open connections."""
        self.force_exit = self.should_exit
        self.should_exit = True


def app_of(settings: ServiceSettings, storage: FolderStorage, queue: LocalQueue) -> FastAPI:
    """The API, with the storage's signed links, for browsers that came to 127.0.0.1 and to no other name.

    A page elsewhere whose name is made to point here (DNS rebinding) sends its own name as Host, and is refused.
    """
    app = create(settings, storage, queue)
    files = APIRouter(include_in_schema=False)

    @files.get("/files/{key:path}")
    async def file(key: str, expires: str = "", signature: str = "", filename: str = "") -> Response:
        """A file by a link of ``FolderStorage.link``."""
        plain = expires.isascii() and expires.isdigit() and len(expires) < 16
        if not plain or not storage.verify(key, expires, signature, filename):
            raise refused(403, "this link is wrong or has expired.")
        name = filename or key.rpartition("/")[2]
        return await stream(storage, key, name)

    app.include_router(files)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False)
    return app


@contextlib.asynccontextmanager
async def running(folder: Path, settings: ServiceSettings, links: str, load: Load) -> AsyncIterator[FastAPI]:
    """The service over ``folder``, its models loaded and its jobs taken up; ends within seconds, losing none."""
    storage = FolderStorage(folder, settings.api_base_url, links)
    children = Children(load, settings)
    try:
        await children.start()
        queue = LocalQueue(folder / "jobs", settings, storage, children)
        await queue.start()
        try:
            yield app_of(settings, storage, queue)
        finally:
            await queue.close()
    finally:
        await children.close()


async def serve(
    folder: Path, port: int, load: Load = Handlers.load, listening: Callable[[str], None] = print
) -> None:
    """Serve until told to end by SIGINT or SIGTERM; ``listening`` is told the address with the token in it."""
    with _alone(folder), _door(port) as door:
        port, known = door.getsockname()[1], read_secrets(folder)
        settings = local_settings(port, known.token)
        async with running(folder, settings, known.links, load) as app:
            # no access log: links carry their signature in the query
            config = uvicorn.Config(
                app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=CLOSE_S
            )
            address = f"http://{HOST}:{port}/#token={known.token}"
            await Server(config, lambda: listening(address)).serve([door])


def local_settings(port: int, token: str) -> ServiceSettings:
    """The settings of the environment where they matter here; where one reaches it, and by which token, is ours."""
    given = read()
    own = {"api_base_url": f"http://{HOST}:{port}", "api_tokens": SecretStr(token)}
    return given.model_copy(update=own)


def read_secrets(folder: Path) -> Secrets:
    """The folder's secrets, made at first; kept so that an open page and its links outlive a restart."""
    path = folder / "secrets.json"
    try:
        return Secrets(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        made = Secrets(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
    write_json(path, {"token": made.token, "links": made.links})
    path.chmod(0o600)
    return made


@contextlib.contextmanager
def _alone(folder: Path):
    """Hold the folder: two processes would each take up the other's jobs."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = hold(folder / ".lock")
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be used as a folder ({error.strerror}); give --folder another."
        ) from None
    if lock is None:
        raise InputError(f"{folder}: in use by another process of this service; end it, or give --folder.")
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _door(port: int):
    with socket.socket() as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HOST, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise InputError(
                f"port {port}: {'taken' if taken else error.strerror}; give --port another."
            ) from None
        yield door


def _greet(folder: Path, browse: bool) -> Callable[[str], None]:
    def listening(address: str) -> None:
        sys.stdout.write(f"{address}\nOpen it in a browser; end with Ctrl-C. Files are in {folder.resolve()}.\n")
        sys.stdout.flush()
        if browse:
            webbrowser.open(_opener(folder, address).as_uri())

    return listening


def _opener(folder: Path, address: str) -> Path:
    """A page that leads on to ``address``: as an argument of the browser, all users of this machine could read it."""
    path = folder / "open.html"
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(address)}">')
    return path.resolve()


def main(argv: list[str] | None = None, load: Load = Handlers.load) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m avatarlab.service.local", description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("avatars-local"), help="photos, avatars and jobs")
    parser.add_argument("--port", type=int, default=8080, help="on 127.0.0.1; 0: any free one")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    given = parser.parse_args(argv)
    logs.set_up()
    sys.stdout.write("Loading the models, some seconds ...\n")
    sys.stdout.flush()
    try:
        asyncio.run(serve(given.folder, given.port, load, _greet(given.folder, not given.no_browser)))
    except (InputError, StartFailed) as error:
        text = str(error)
        sys.stderr.write(f"{text}{BODY_REMEDY if 'no such file' in text else ''}\n")
        return 1
    except KeyboardInterrupt:  # while the models load, or a second one
        pass
    sys.stdout.write("Stopped; unfinished jobs go on at the next start.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
