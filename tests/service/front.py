"""A door on loopback before a real server, that can be told to pass, refuse, answer 503 or hang."""

import contextlib
import socket
import threading
import time
from typing import Literal

Mode = Literal["pass", "refuse", "503", "hang"]
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 120\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Front:
    """Passes TCP connections on to ``port`` of 127.0.0.1; ``port`` of its own stays the same in every mode."""

    def __init__(self, behind: int, bytes_s: float = 0):
        self.behind = behind
        self.bytes_s = bytes_s
        """How fast requests are passed on; 0: as fast as they come."""
        self.port = 0
        self.asked = 0
        """Connections taken so far."""
        self._mode: Mode = "pass"
        self._left = 0
        self._door: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> "Front":
        self._listen()
        return self

    def __exit__(self, *_) -> None:
        self._shut()

    def be(self, mode: Mode, times: int = -1) -> None:
        """Behave so from now on; after ``times`` connections pass again (-1: until told otherwise).

        Connections that are open are cut, so that a client with kept connections notices too.
        """
        with self._lock:
            self._mode, self._left = mode, times
        self._cut()
        if mode == "refuse":
            self._shut()
        elif self._door is None:
            self._listen()

    def _listen(self) -> None:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", self.port))
        door.listen(128)
        self.port, self._door = door.getsockname()[1], door
        threading.Thread(target=self._accept, args=(door,), daemon=True).start()

    def _shut(self) -> None:
        door, self._door = self._door, None
        if door:
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            door.close()
        self._cut()

    def _cut(self) -> None:
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, self._next()), daemon=True).start()

    def _next(self) -> Mode:
        with self._lock:
            self.asked += 1
            mode = self._mode
            self._left -= 1
            if self._left == 0:
                self._mode = "pass"
        return mode

    def _serve(self, client: socket.socket, mode: Mode) -> None:
        with client, contextlib.suppress(OSError), self._kept(client):
            if mode == "pass":
                self._pass(client)
            elif mode == "503":
                _read_request(client)
                client.sendall(BUSY)
            else:
                while client.recv(65536):
                    pass

    @contextlib.contextmanager
    def _kept(self, *ends: socket.socket):
        with self._lock:
            self._open.update(ends)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(ends)

    def _pass(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self.behind)) as server, self._kept(server):
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server, self.bytes_s)
            back.join()


def _copy(source: socket.socket, target: socket.socket, bytes_s: float = 0) -> None:
    if bytes_s:
        source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
            if bytes_s:
                time.sleep(len(data) / bytes_s)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _read_request(client: socket.socket) -> None:
    """Take the request whole: a server that answers and closes early looks like a broken connection instead."""
    head, body = b"", b""
    while b"\r\n\r\n" not in head:
        data = client.recv(65536)
        if not data:
            return
        head += data
    head, _, body = head.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    left = int(fields.get(b"content-length", 0)) - len(body)
    while left > 0 and (data := client.recv(65536)):
        left -= len(data)
