"""What stands between coldchain and a server of buckets, and spoils chosen requests?

The client's Host header is passed on as it is, because signatures cover it.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}
_TIMEOUT_S = 30


@dataclass
class Exchange:
    """One request, and what came or will come back."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    forward: Callable[[Exchange], None]
    status: int = 0
    answers: list[tuple[str, str]] = field(default_factory=list)
    answer: bytes = b""
    reset: bool = False
    """End the connection with RST instead of an answer."""

    def say(self, status: int, code: str = "", **headers: str) -> None:
        """Answer without asking the server, as S3 words its errors."""
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by the proxy</Message></Error>" if code else ""
        self.status, self.answer = status, text.encode()
        self.answers = [("Content-Type", "application/xml"), *((k.replace("_", "-"), v) for k, v in headers.items())]


Act = Callable[[Exchange], None]


@dataclass
class Rule:
    """Spoil requests whose method and target (path and query) match, after ``skip`` of them, ``times`` times."""

    method: str
    target: str
    act: Act
    skip: int = 0
    times: int = 1
    seen: int = 0

    def takes(self, method: str, target: str) -> bool:
        if method != self.method or not re.search(self.target, target):
            return False
        self.seen += 1
        return self.skip < self.seen <= self.skip + self.times

    @property
    def hits(self) -> int:
        return max(0, min(self.seen - self.skip, self.times))


class Proxy(ThreadingHTTPServer):
    """Listens on a free port of this machine; ``rules`` may be changed at any time by ``spoil`` and ``heal``."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(endpoint)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def spoil(self, method: str, target: str, act: Act, *, skip: int = 0, times: int = 1) -> Rule:
        rule = Rule(method, target, act, skip, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self) -> None:
        with self._lock:
            self._rules = []

    def rule_for(self, method: str, target: str) -> Rule | None:
        with self._lock:
            return next((rule for rule in self._rules if rule.takes(method, target)), None)

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
    server: Proxy

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        exchange = Exchange(self.command, self.path, list(self.headers.items()), body, self.server.forward)
        rule = self.server.rule_for(self.command, self.path)
        (rule.act if rule else self.server.forward)(exchange)
        if exchange.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self._answer(exchange)

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
            self.wfile.write(exchange.answer)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _any  # noqa: N815  (names of http.server)

    def log_message(self, *args: Any) -> None:
        """Tests are quiet."""


@contextlib.contextmanager
def proxied(endpoint: str) -> Iterator[Proxy]:
    """A proxy before a server, for as long as the block lasts."""
    proxy = Proxy(endpoint)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


def status(number: int, code: str, **headers: str) -> Act:
    """The server refuses."""
    return lambda exchange: exchange.say(number, code, **headers)


def reset(exchange: Exchange) -> None:
    """The link breaks before the server heard anything."""
    exchange.reset = True


def lost_reply(exchange: Exchange) -> None:
    """The server did it, and the client never hears."""
    exchange.forward(exchange)
    exchange.reset = True


def flip_up(exchange: Exchange) -> None:
    """A bit flips on the way up."""
    exchange.body = _flipped(exchange.body)
    exchange.forward(exchange)


def flip_down(exchange: Exchange) -> None:
    """A bit flips on the way down."""
    exchange.forward(exchange)
    exchange.answer = _flipped(exchange.answer)


def phantom(exchange: Exchange) -> None:
    """The store says yes and keeps nothing."""
    exchange.say(200, ETag='"0123456789abcdef0123456789abcdef"')


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :] if content else content
