"""What every request passes on its way in: counting, headers, and a limit to what it may send and how slowly."""

import asyncio
import contextlib
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avatarlab.core.errors import InputError
from avatarlab.service.http_errors import HEADERS, refused
from avatarlab.service.metrics import REQUEST_SECONDS, REQUESTS

IDLE_S = 20.0
"""Longest wait for the next piece of a body."""
BODY_S = 300.0
"""Longest time for a whole body: 50 MB at 1.4 Mbit/s."""
LINGER_S, LINGER_BYTES = 2.0, 16_000_000
"""How long, and for how much, a sender is heard out after a refusal, so that it can read the answer before a reset."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Startup:
    """Says in one line why the app does not start, where the operator's settings are the reason."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await self.app(scope, receive, send)

        async def told(message: Message) -> None:
            fault = scope["app"].state.fault
            if fault and message["type"] == "lifespan.startup.failed":
                message = message | {"message": fault}
            await send(message)

        with contextlib.suppress(InputError):
            await self.app(scope, receive, told)


class Counted:
    """Counts answers and their seconds by route; never by path, which a stranger chooses."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status, start = 500, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in METHODS else "other"
            REQUESTS.labels(method, route, status).inc()
            REQUEST_SECONDS.labels(route).observe(time.perf_counter() - start)


class Guarded:
    """Sets the headers that keep a browser from doing more with an answer than it should."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, headed if scope["type"] == "http" else send)


class Limited:
    """Ends a request whose body grows over ``app.state.limit_bytes`` (413) or dawdles (408), while it streams.

    Nobody else counts: a declared length may be missing or a lie. An answer given before the body is read whole closes
    the connection, or the server would read the rest of a gigabyte only to throw it away.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body = _RequestBody(scope, receive, send)
        await self.app(scope, body.receive, body.send)


class _RequestBody:
    """The body of one request, and what is still to come of it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send):
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "0")
        self.limit: int = scope["app"].state.limit_bytes
        self.declared = int(declared) if declared.isascii() and declared.isdigit() else 0
        self.ended = not self.declared and "transfer-encoding" not in headers
        self.count, self.deadline = 0, time.monotonic() + BODY_S
        self._receive, self._send = receive, send

    async def receive(self) -> Message:
        """The next piece; refuses (413, 408)."""
        if self.ended:
            return await self._receive()
        if self.declared > self.limit:
            raise self._too_large()
        message = await self._piece(min(IDLE_S, self.deadline - time.monotonic()))
        if self.count > self.limit:
            raise self._too_large()
        return message

    def _too_large(self) -> Exception:
        return refused(413, f"more than {self.limit / 1e6:g} MB; send smaller photos.", "body")

    async def _piece(self, seconds: float) -> Message:
        try:
            message = await asyncio.wait_for(self._receive(), seconds)
        except TimeoutError:
            raise refused(408, "the request came too slowly.", "body") from None
        self.count += len(message.get("body", b""))
        self.ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """An answer on its way out."""
        if self.ended:
            return await self._send(message)
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message | {"more_body": True} if last else message)
        if last:
            await self._hear_out()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _hear_out(self) -> None:
        end, most = time.monotonic() + LINGER_S, self.count + LINGER_BYTES
        with contextlib.suppress(Exception):
            while not self.ended and self.count < most:
                await self._piece(end - time.monotonic())
