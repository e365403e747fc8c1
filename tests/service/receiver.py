"""A receiver of callbacks on loopback that verifies each by Standard Webhooks and can be told to misbehave."""

import base64
import contextlib
import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from patience import SLOWER
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class Reply:
    """What to answer: status and headers; ``hang_s``: wait before (the effect is done, the answer lost); drip: slowly."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    body: bytes = b"ok"
    drip_s: float = 0.0
    drop: bool = False
    """Close without an answer."""


@dataclass(frozen=True)
class Call:
    """One call as received."""

    id: str | None
    verified: bool
    body: bytes
    headers: dict[str, str]
    path: str
    at: float
    status: int

    @property
    def event(self) -> dict:
        """The body as JSON."""
        return json.loads(self.body)


class Receiver:
    """Context manager; ``url`` to call, ``calls`` as received, ``effects``: id -> event, done once an id.

    ``script`` holds the next replies (a status or a Reply each); when it is empty, ``default`` is given.
    """

    def __init__(self, secrets: tuple[str, ...] = (SECRET,)):
        self.signers = [Webhook(one) for one in secrets]
        self.calls: list[Call] = []
        self.effects: dict[str, dict] = {}
        self.suppressed = 0
        self.script: deque[Reply] = deque()
        self.default = Reply()
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True

    def answer(self, *replies: "int | Reply") -> None:
        """Append to what is answered next."""
        self.script.extend(one if isinstance(one, Reply) else Reply(one) for one in replies)

    @property
    def origin(self) -> str:
        """For CALLBACK_ORIGINS."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def url(self) -> str:
        """To be called."""
        return f"{self.origin}/avatars?shop=7"

    def wait(self, count: int, seconds: float = 10.0) -> list[Call]:
        """The calls once there are so many; AssertionError when the time is over."""
        end = time.monotonic() + SLOWER * seconds
        while len(self.calls) < count:
            assert time.monotonic() < end, f"{len(self.calls)} calls of {count} in {SLOWER * seconds} s"
            time.sleep(0.02)
        return list(self.calls)

    def __enter__(self) -> "Receiver":
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def _take(self, body: bytes, headers: dict[str, str], path: str) -> Reply:
        verified = any(self._verifies(signer, body, headers) for signer in self.signers)
        with self.lock:
            reply = self.reply(headers.get("webhook-id"), path)
            if not verified and reply.status < 300:
                reply = Reply(401)
            id = headers.get("webhook-id")
            self.calls.append(Call(id, verified, body, headers, path, time.monotonic(), reply.status))
            if verified and reply.status < 300:
                self._effect(id, body)
        return reply

    def reply(self, id: str | None, path: str) -> Reply:
        """What to answer to a call: the next of the script, else the default."""
        return self.script.popleft() if self.script else self.default

    def _effect(self, id: str, body: bytes) -> None:
        if id in self.effects:
            self.suppressed += 1
        else:
            self.effects[id] = json.loads(body)

    @staticmethod
    def _verifies(signer: Webhook, body: bytes, headers: dict[str, str]) -> bool:
        with contextlib.suppress(Exception):
            signer.verify(body, headers)
            return True
        return False

    def _handler(receiver):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = receiver._take(body, headers, self.path)
                receiver.over.wait(reply.hang_s)
                with contextlib.suppress(OSError):
                    self.send(reply)

            def send(self, reply: Reply) -> None:
                self.close_connection = True
                if reply.drop:
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                step = 1 if reply.drip_s else max(len(reply.body), 1)
                for at in range(0, len(reply.body), step):
                    self.wfile.write(reply.body[at : at + step])
                    self.wfile.flush()
                    if receiver.over.wait(reply.drip_s):
                        return

            def log_message(self, *_):
                pass

        return Handler
