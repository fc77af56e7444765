"""What stands between coldchain and a server of buckets, and meddles with chosen requests?

The client's Host header is passed on as it is, because signatures cover it.  What is done to a request: ``spoiling``.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}
_TIMEOUT_S = 30
_PIECE_BYTES = 16 << 10
_SLOW_BUFFER_BYTES = 64 << 10


@dataclass
class Exchange:
    """One request, and what came or will come back."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    forward: Callable[[Exchange], None]
    healed: threading.Event
    """Set when the proxy stops to meddle."""
    status: int = 0
    answers: list[tuple[str, str]] = field(default_factory=list)
    answer: bytes = b""
    reset: bool = False
    """End the connection with RST instead of an answer."""
    cut_after: int | None = None
    """Send so many bytes of the answer, and then end the connection with RST."""

    @property
    def path(self) -> str:
        """What is asked for, without the query."""
        return self.target.partition("?")[0]

    def say(self, status: int, code: str = "", **headers: str) -> None:
        """Answer without asking the server, as S3 words its errors."""
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by the proxy</Message></Error>" if code else ""
        self.status, self.answer = status, text.encode()
        self.answers = [("Content-Type", "application/xml"), *((k.replace("_", "-"), v) for k, v in headers.items())]

    def without(self, *names: str) -> None:
        """Take headers out of the request."""
        self.headers = [(name, value) for name, value in self.headers if name.lower() not in names]

    def told(self, name: str) -> str:
        """A header of the answer."""
        return next((value for other, value in self.answers if other.lower() == name), "")

    def tell(self, name: str, value: str) -> None:
        """Put a header into the answer in the place of the one that it has."""
        self.answers = [*((n, v) for n, v in self.answers if n.lower() != name.lower()), (name, value)]


Act = Callable[[Exchange], None]


@dataclass
class Rule:
    """Meddle with requests whose method and target (path and query) match."""

    method: str
    target: str
    act: Act
    skip: int = 0
    times: int | None = 1
    """How often, after ``skip`` of them; None for ever."""
    seen: int = 0

    def takes(self, method: str, target: str) -> bool:
        """Whether it is this rule's turn."""
        if not re.fullmatch(self.method, method) or not re.search(self.target, target):
            return False
        self.seen += 1
        return self.seen > self.skip and (self.times is None or self.seen <= self.skip + self.times)

    @property
    def hits(self) -> int:
        """How often it took its turn."""
        after = max(0, self.seen - self.skip)
        return after if self.times is None else min(after, self.times)


class Proxy(ThreadingHTTPServer):
    """Listens on a free port of this machine; rules may be added by ``spoil`` and removed by ``heal`` at any time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, endpoint: str, slow_bytes_s: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        if slow_bytes_s:  # else the kernel takes megabytes in at once, which no slow link does
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER_BYTES)
        self.server_bind()
        self.server_activate()
        self.upstream = urlsplit(endpoint)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self.seen: list[tuple[str, str]] = []
        """Method and target of every request."""
        self._slow_bytes_s, self._free_at = slow_bytes_s, 0.0
        self._rules: list[Rule] = []
        self._healed = threading.Event()
        self._lock = threading.Lock()

    def spoil(self, method: str, target: str, act: Act, *, skip: int = 0, times: int | None = 1) -> Rule:
        """Do ``act`` instead of passing a request on; the first rule that takes a request has it."""
        rule = Rule(method, target, act, skip, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """Meddle no more."""
        with self._lock:
            self._rules, self.seen = [], []
            self._healed.set()
            self._healed = threading.Event()

    def count(self, method: str, target: str) -> int:
        """How many such requests came since the proxy was healed."""
        with self._lock:
            return sum(re.fullmatch(method, m) is not None and re.search(target, t) is not None for m, t in self.seen)

    def met(self, exchange: Exchange) -> Act:
        """What to do with a request."""
        with self._lock:
            exchange.healed = self._healed
            self.seen.append((exchange.method, exchange.target))
            found = next((rule for rule in self._rules if rule.takes(exchange.method, exchange.target)), None)
        return found.act if found else self.forward

    def pause(self, size_bytes: int) -> None:
        """As long as a slow link takes for so much, shared by all connections."""
        if self._slow_bytes_s:
            with self._lock:
                self._free_at = max(self._free_at, time.monotonic()) + size_bytes / self._slow_bytes_s
                wait_s = self._free_at - time.monotonic()
            time.sleep(wait_s)

    def forward(self, exchange: Exchange) -> None:
        """Ask the real server."""
        link = http.client.HTTPConnection(self.upstream.netloc, timeout=_TIMEOUT_S)
        with contextlib.closing(link):
            link.putrequest(exchange.method, exchange.target, skip_host=True, skip_accept_encoding=True)
            for name, value in exchange.headers:
                if name.lower() not in _HOP:
                    link.putheader(name, value)
            link.putheader("Content-Length", str(len(exchange.body)))
            link.endheaders(exchange.body)
            answer = link.getresponse()
            exchange.status, exchange.answers, exchange.answer = answer.status, answer.getheaders(), answer.read()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body of an answer waits 40 ms for its head to be acknowledged
    server: Proxy

    def _any(self) -> None:
        body = self._body(int(self.headers.get("Content-Length", 0)))
        exchange = Exchange(
            self.command, self.path, list(self.headers.items()), body, self.server.forward, threading.Event()
        )
        self.server.met(exchange)(exchange)
        if not exchange.reset:
            self._answer(exchange)
        if exchange.reset or exchange.cut_after is not None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

    def _body(self, size_bytes: int) -> bytes:
        taken = bytearray()
        while piece := self.rfile.read(min(_PIECE_BYTES, size_bytes - len(taken))):
            self.server.pause(len(piece))
            taken += piece
        if len(taken) < size_bytes:
            raise ConnectionError("the client went away")
        return bytes(taken)

    def _answer(self, exchange: Exchange) -> None:
        self.send_response_only(exchange.status)
        length = str(len(exchange.answer))
        for name, value in exchange.answers:
            if name.lower() == "content-length" and exchange.method == "HEAD":
                length = value
            if name.lower() not in _HOP:
                self.send_header(name, value)
        if exchange.status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        if exchange.method != "HEAD":
            self.server.pause(len(exchange.answer))
            self.wfile.write(exchange.answer[: exchange.cut_after])

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _any  # noqa: N815  (names of http.server)

    def log_message(self, *args: Any) -> None:
        """Tests are quiet."""


@contextlib.contextmanager
def proxied(endpoint: str, slow_bytes_s: int = 0) -> Iterator[Proxy]:
    """A proxy before a server, for as long as the block lasts; ``slow_bytes_s`` is how fast its link is, 0 for fast."""
    proxy = Proxy(endpoint, slow_bytes_s)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.heal()
        proxy.shutdown()
        proxy.server_close()
        thread.join()
