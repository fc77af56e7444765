"""Who may ask for metrics, and how is nobody able to keep the server busy?

Two pages, read only, without names of files.  A name in the Host header that is not one of this machine is refused: a
web page elsewhere could make a browser here ask under its own name (DNS rebinding).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from socket import AF_INET6, SHUT_RDWR, socket
from socketserver import TCPServer
from threading import BoundedSemaphore, Lock, Thread, Timer
from typing import TYPE_CHECKING, Any

from coldchain.cli import metrics
from coldchain.cli.printing import complain
from coldchain.cli.stopping import STOPPING
from coldchain.errors import ColdchainError, ConfigurationError, UsageError

if TYPE_CHECKING:
    from coldchain.config.values import Config, Job

REQUEST_S = 10.0
"""A request that is not over by then is cut off."""
_AT_ONCE = 16
_FRESH_S = 5.0
"""A page is made anew after so long only, however often it is asked for."""
_TEXT = "text/plain; charset=utf-8"

Answer = tuple[int, str, bytes]


def serve(config: Config, jobs: list[Job], where: str, *, public: bool, while_started: bool) -> int:
    """Answer until somebody stops this process; raises UsageError for an address that is none, or may not be used."""
    host, port = _address(where)
    if not _is_loopback(host):
        if not public:
            raise UsageError(f"--listen {where}: others can reach that address; if they may: --public")
        complain(f"whoever can reach {where} can read the metrics; there is no password")
    pages = {"/metrics": _Page(lambda: _metrics(config, jobs)), "/healthz": _Page(lambda: _health(config, jobs))}
    from coldchain.operate.watching.agent import read_states

    try:
        server = _Server(host, port, pages)
    except OSError as error:
        raise ConfigurationError(f"cannot listen at {where}: {error.strerror or error}") from error
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
    thread.start()
    print(f"http://{host if ':' not in host else f'[{host}]'}:{server.server_address[1]}/metrics", flush=True)
    try:
        while not STOPPING.wait(1.0):
            if while_started and not read_states(config.state / "agents"):
                break  # each was stopped as it should be: one that died leaves its state
    finally:
        server.shutdown()
        server.server_close()
    return 0


def _metrics(config: Config, jobs: list[Job]) -> Answer:
    return 200, "text/plain; version=0.0.4; charset=utf-8", metrics.page(config, jobs)


def _health(config: Config, jobs: list[Job]) -> Answer:
    said = metrics.health(config, jobs)
    return (503 if said else 200), _TEXT, ("\n".join(said or ["all is well"]) + "\n").encode()


class _Page:
    """Made when it is asked for, and kept for some seconds; trouble with it is an answer too."""

    def __init__(self, make: Callable[[], Answer]) -> None:
        self._make, self._lock = make, Lock()
        self._made, self._answer = 0.0, (503, _TEXT, b"")

    def answer(self) -> Answer:
        """Status, kind of content, content."""
        with self._lock:
            if not self._made or time.monotonic() - self._made > _FRESH_S:
                try:
                    self._answer = self._make()
                except ColdchainError as error:
                    self._answer = 503, _TEXT, f"the ledger cannot be read ({type(error).__name__})\n".encode()
                self._made = time.monotonic()
            return self._answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, pages: dict[str, _Page]) -> None:
        if ":" in host:
            self.address_family = AF_INET6
        self.pages = pages
        self.names = {"localhost", host.lower(), platform.node().lower()}
        self.places = BoundedSemaphore(_AT_ONCE)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without asking a name server for the name of this host, as the class above does: it may not answer."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give it a thread, if there is one left."""
        if not self.places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and be over in time: a limit for each read alone lets a drop every few seconds last for ever."""
        over = Timer(REQUEST_S, _cut, (request,))
        over.daemon = True
        over.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            over.cancel()
            self.places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked went away; nobody needs to hear of it."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_S
    server_version = "coldchain"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with a page."""
        self._answer(*self._found())

    def do_HEAD(self) -> None:
        """Answer without it."""
        self._answer(*self._found())

    def _found(self) -> Answer:
        if not self._is_ours(self.headers.get("Host", "")):
            return 421, _TEXT, b"this is another host\n"
        page = self.server.pages.get(self.path.partition("?")[0])
        return page.answer() if page is not None else (404, _TEXT, b"there are /metrics and /healthz\n")

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _is_ours(self, said: str) -> bool:
        """An address, or a name of this machine: a name that somebody else gave it is none."""
        host = said.rpartition(":")[0] if not said.endswith("]") and said.rpartition(":")[2].isdigit() else said
        host = host.strip("[]").lower()
        if host in self.server.names:
            return True
        with suppress(ValueError):
            ip_address(host)
            return True
        return not said and self.request_version == "HTTP/1.0"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing: what was asked for could steer a terminal."""


def _cut(request: socket) -> None:
    with suppress(OSError):
        request.shutdown(SHUT_RDWR)


def _address(where: str) -> tuple[str, int]:
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{where} is no address: write HOST:PORT, such as 127.0.0.1:9464")
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
