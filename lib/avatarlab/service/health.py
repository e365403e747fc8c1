"""The worker's own port: /metrics for Prometheus, /healthz (it lives), /readyz (it can take jobs).

Served by a thread of its own, so that it answers, and tells, where the worker's loop hangs.
"""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import REGISTRY
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

BEAT_S = 1.0
HUNG_S = 30.0
"""A loop that has not beaten for so long hangs; a supervisor should end the process."""
PLAIN = "text/plain; charset=utf-8"


class Health:
    """What is known of the worker: ``missing`` names what it waits for; ``beat`` says that its loop turns."""

    def __init__(self):
        self.missing: frozenset[str] = frozenset()
        self._beaten = time.monotonic()
        self._server: ThreadingHTTPServer | None = None

    def beat(self) -> None:
        """The loop turns."""
        self._beaten = time.monotonic()

    def set(self, part: str, there: bool) -> None:
        """Note whether a part is there."""
        self.missing = self.missing - {part} if there else self.missing | {part}

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a path."""
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
        if path == "/healthz":
            hangs = time.monotonic() - self._beaten > HUNG_S
            return (503, PLAIN, b"the loop hangs\n") if hangs else (200, PLAIN, b"ok\n")
        if path == "/readyz":
            waits = ", ".join(sorted(self.missing))
            return (503, PLAIN, f"waiting for {waits}\n".encode()) if waits else (200, PLAIN, b"ready\n")
        return 404, PLAIN, b"/metrics, /healthz or /readyz\n"

    def serve(self, host: str, port: int) -> int:
        """Begin to answer on ``host:port`` (0: any free one); return the port. OSError where it is taken."""
        self._server = ThreadingHTTPServer((host, port), _handler(self.answer))
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()
        return self._server.server_address[1]

    def close(self) -> None:
        """Let go of the port."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()


def _handler(answer: Callable[[str], tuple[int, str, bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self):
            status, kind, body = answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """A probe every few seconds is no event."""

    return Handler
