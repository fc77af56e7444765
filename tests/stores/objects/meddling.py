"""What if replies are lost, bodies damaged and servers busy: a proxy between coldchain and a server of objects."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Meddle = Callable[[str, str], str]
"""Of a request (method and path): ``pass``, ``lose`` its reply, say ``busy``, ``flip`` a bit, ``halve`` its reply, or
``shorten`` it and say so."""
_PIECE_BYTES = 64 << 10


class Proxy(ThreadingHTTPServer):
    """Listens on a free port; every request goes to the server, after ``meddle`` was asked."""

    daemon_threads = True

    def __init__(self, server: str, meddle: Meddle, slow_bytes_s: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Between, bind_and_activate=False)
        if slow_bytes_s:  # else the kernel takes megabytes in at once, which no slow link does
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE_BYTES)
        self.server_bind()
        self.server_activate()
        self.slow_bytes_s = slow_bytes_s
        self.upstream, self.meddle = urlsplit(server).netloc, meddle
        self.seen: list[tuple[str, str, str]] = []

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Between(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body of an answer waits 40 ms for its head to be acknowledged
    server: Proxy

    def _pass_on(self) -> None:
        deed = self.server.meddle(self.command, self.path)
        self.server.seen.append((self.command, self.path, deed))
        body = self._body(int(self.headers.get("Content-Length") or 0))
        if deed == "busy":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if deed == "flip" and body:
            body[len(body) // 2] ^= 1
        there = http.client.HTTPConnection(self.server.upstream, timeout=30)
        there.request(self.command, self.path, bytes(body), {**self.headers, "Host": self.server.upstream})
        reply = there.getresponse()
        content = reply.read()
        there.close()
        if deed == "lose":
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                self.send_header(name, value.replace(self.server.upstream, self.server.netloc))
        if deed == "shorten":
            content = content[: len(content) // 2]
        length = reply.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if deed == "halve":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(content)

    def _body(self, size_bytes: int) -> bytearray:
        if not self.server.slow_bytes_s:
            return bytearray(self.rfile.read(size_bytes))
        taken = bytearray()
        while piece := self.rfile.read(min(_PIECE_BYTES, size_bytes - len(taken))):
            time.sleep(len(piece) / self.server.slow_bytes_s)
            taken += piece
        return taken

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _pass_on  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def between(server: str, meddle: Meddle = lambda method, path: "pass", *, slow_bytes_s: int = 0) -> Iterator[Proxy]:
    """A proxy for as long as the block lasts; ``slow_bytes_s`` is how fast each connection takes, 0 for fast."""
    with Proxy(server, meddle, slow_bytes_s) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


def first(deed: str, fits: Callable[[str, str], bool], times: int = 1) -> Meddle:
    """Do it to the first requests that fit, and pass on everything else."""
    left, lock = [times], threading.Lock()

    def meddle(method: str, path: str) -> str:
        with lock:
            if left[0] and fits(method, path):
                left[0] -= 1
                return deed
            return "pass"

    return meddle
