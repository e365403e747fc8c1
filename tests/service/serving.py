"""The API as clients meet it: a real uvicorn on loopback in a thread, over a folder and light children by default."""

import asyncio
import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import light
import uvicorn
from patience import SLOWER
from pydantic import SecretStr

from avatarlab.service import local
from avatarlab.service.settings import ServiceSettings

TOKEN = "token-for-the-tests-1"
OTHER = "token-for-the-tests-2"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
JPEG = b"\xff\xd8\xff\xe0" + bytes(64)


def settings_of(port: int, **fields) -> ServiceSettings:
    """Settings for a server on ``port``, from nothing in the environment."""
    given = {"api_base_url": f"http://127.0.0.1:{port}", "api_tokens": SecretStr(f"{TOKEN}, {OTHER}"), **fields}
    return ServiceSettings(_env_file=None, **given)


class Serving:
    """Runs ``opening(settings)``, an async context manager that gives an app, under uvicorn."""

    def __init__(self, opening, **fields):
        self.door = socket.socket()
        self.door.bind(("127.0.0.1", 0))
        self.settings = settings_of(self.door.getsockname()[1], **fields)
        self.url = self.settings.api_base_url
        self.opening, self.app, self.fault = opening, None, None
        self.listening = threading.Event()

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.listening.wait(SLOWER * 60)
        if self.fault:
            raise self.fault
        self.client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=SLOWER * 30
        )
        self.stranger = httpx.Client(base_url=self.url, timeout=SLOWER * 30)
        return self

    def _run(self) -> None:
        try:
            self.loop.run_until_complete(self._serve())
        except BaseException as error:
            self.fault = error
        finally:
            self.listening.set()
            self.loop.close()

    async def _serve(self) -> None:
        async with self.opening(self.settings) as self.app:
            config = uvicorn.Config(self.app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
            self.server = local.Server(config, self.listening.set)
            await self.server.serve([self.door])

    def __exit__(self, *_) -> None:
        self.client.close()
        self.stranger.close()
        self.server.should_exit = True
        self.thread.join(30)
        self.door.close()
        assert not self.thread.is_alive()
        if self.fault:
            raise self.fault

    def run(self, work):
        """The result of a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(SLOWER * 30)

    @property
    def avatars(self):
        """The app's own: settings, storage, queue."""
        return self.app.state.avatars

    def post(self, subject="anna", files=None, **fields) -> httpx.Response:
        """Ask for an avatar with a form."""
        files = {"front": ("me.png", PNG, "image/png")} if files is None else files
        return self.client.post("/avatars", data={"subject": subject, "stature_cm": "170", **fields}, files=files)

    def until(self, id: str, *states: str, seconds: float = 20) -> dict:
        """The avatar once it is in one of these states."""
        end = time.monotonic() + SLOWER * seconds
        while (found := self.client.get(f"/avatars/{id}").json()).get("state") not in states:
            assert time.monotonic() < end, found
            time.sleep(0.02)
        return found


def local_service(folder: Path, load=light.load, **fields) -> Serving:
    """The embedded service over ``folder``."""
    return Serving(lambda settings: local.running(Path(folder), settings, "links-" * 8, load), **fields)


def ran(work):
    """The result of a coroutine, in a thread: Playwright's loop occupies the main one in a run with browser tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@contextlib.contextmanager
def kept(obj, name: str, value):
    """Set an attribute for a while."""
    before = getattr(obj, name)
    setattr(obj, name, value)
    try:
        yield
    finally:
        setattr(obj, name, before)
