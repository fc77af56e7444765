"""Which mail servers does a message meet: real ones, on this machine, of every temper?"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.ports import free_port

USER, PASSWORD = "crew", "canary-h0rse-battery"


@dataclass
class Office:
    """Takes mail, or does what an unwilling server does."""

    rejected: tuple[str, ...] = ()
    greylisted: tuple[str, ...] = ()
    answer: str = "250 taken"
    drop_after_data: bool = False
    stall_s: float = 0.0
    envelopes: list[Envelope] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def mails(self) -> list[EmailMessage]:
        parser = BytesParser(policy=default)
        return [parser.parsebytes(one.original_content or b"") for one in self.envelopes]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _o: Any
    ) -> str:
        if address in self.rejected:
            return "550 5.1.1 nobody of that name here\x1b[31m"
        if address in self.greylisted:
            return "450 4.2.0 come again"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.stall_s:
            await asyncio.sleep(self.stall_s)
        if self.answer.startswith("250"):
            self.envelopes.append(envelope)
        transport: Any = server.transport
        if self.drop_after_data:
            transport.abort()
        return self.answer


class _Controller(Controller):
    def __init__(self, office: Office, port: int, **options: Any) -> None:
        self.options = options
        tls = options.pop("implicit", None)
        super().__init__(office, hostname="127.0.0.1", port=port, ssl_context=tls)

    def factory(self) -> SMTP:
        with warnings.catch_warnings():  # it does not see that the whole line is TLS already
            warnings.simplefilter("ignore", UserWarning)
            return SMTP(self.handler, **self.options)

    def _trigger_server(self) -> None:
        """Look whether it answers, without a certificate: ours are for those who come by name."""
        socket.create_connection((self.hostname, self.port), 5).close()


def _login(_server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any) -> AuthResult:
    right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


class Authority:
    """Signs certificates that nobody trusts but who is told to."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def context(self, host: str = "localhost") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(host).configure_cert(context)
        return context


@contextmanager
def serving(
    office: Office, *, port: int = 0, tls: ssl.SSLContext | None = None, implicit: bool = False
) -> Iterator[int]:
    """Run a server while the block lasts; yields its port."""
    port = port or free_port()
    options: dict[str, Any] = {"enable_SMTPUTF8": True}
    if tls is not None:
        options |= {"authenticator": _login, "auth_required": True}
        options |= (
            {"implicit": tls, "auth_require_tls": False} if implicit else {"tls_context": tls, "require_starttls": True}
        )
    controller = _Controller(office, port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@contextmanager
def saying(*words: bytes, then_drip: bytes = b"") -> Iterator[int]:
    """A server that says these words one by one, whatever it is told, then drips a byte now and then, or nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                try:
                    for number, word in enumerate(words):
                        if number:
                            line.recv(65536)
                        line.sendall(word)
                    while not over.wait(0.1):
                        if then_drip:
                            line.sendall(then_drip)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        with_nothing = socket.socket()
        with_nothing.settimeout(1)
        with_nothing.connect_ex(listener.getsockname())
        with_nothing.close()
        listener.close()
        thread.join(5)


NOBODY = 9
"""A port of this machine at which nothing answers: no program without privileges gets it."""


@contextmanager
def closed() -> Iterator[int]:
    """A port that nobody else gets while the block lasts, and at which nothing answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
