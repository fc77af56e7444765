"""How does a chain of requests get to the server and its answers back, signed or encrypted, and in bounded time?

The one module that imports smbprotocol; imported when a share is opened.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import sys
import threading
import time
import uuid
from collections import deque
from importlib import import_module
from typing import Any, NamedTuple

from coldchain.stores.smb.credentials import Login
from coldchain.stores.smb.messages import Message
from coldchain.stores.smb.trouble import Broken, Lost, Refused
from coldchain.stores.smb.where import Patience, Where

_connection: Any = import_module("smbprotocol.connection")
_session: Any = import_module("smbprotocol.session")
_tree: Any = import_module("smbprotocol.tree")
_errors: Any = import_module("smbprotocol.exceptions")

# Its thread logs a traceback when a connection breaks; without a handler Python would print that to the terminal.  Who
# waits for an answer is told by an error.
logging.getLogger("smbprotocol").addHandler(logging.NullHandler())

_PENDING = 0x103
_SIGNED = 0x8
_SESSION_SETUP = 1
_SMB_2_1 = 0x0210
_CREDITS = 512
_UNASKED = 64
"""So many answers that nobody waits for may be under way."""


class Answer(NamedTuple):
    """The status (0 when all is well) and the body of one answer."""

    status: int
    body: bytes


class _Connection(_connection.Connection):  # type: ignore[misc]
    """smbprotocol's, which waits for ever and takes unsigned answers, without these."""

    answer_s = 60.0
    sealed: Any = None
    """The session, once every answer must be signed or encrypted."""

    def receive(
        self, request: Any, wait: bool = True, timeout: float | None = None, resolve_symlinks: bool = False
    ) -> Any:
        """Links are never followed by us, whatever the caller says."""
        return super().receive(request, wait, timeout or self.answer_s, resolve_symlinks=False)

    def verify_signature(self, header: Any, session_id: int, force: bool = False) -> None:
        """Called for answers that came unencrypted; [MS-SMB2] 3.2.5.1.3 has the client discard unsigned ones."""
        if self.sealed is not None and header["status"].get_value() != _PENDING:
            if self.sealed.encrypt_data:
                raise _errors.SMBException("an answer that should be encrypted was not")
            if not header["flags"].get_value() & _SIGNED:
                raise _errors.SMBException("an answer that should be signed was not")
        super().verify_signature(header, session_id, force)


class Sent:
    """Requests under way."""

    __slots__ = ("_line", "_requests")

    def __init__(self, line: Line, requests: list[Any]) -> None:
        self._line, self._requests = line, requests

    def answers(self, timeout_s: float | None = None) -> list[Answer]:
        """Wait for all; raises Lost when the connection broke."""
        return [self._line.receive(request, timeout_s) for request in self._requests]

    def wait(self, timeout_s: float = 60.0) -> None:
        """Wait until somebody could read the answers; takes them from nobody."""
        for request in self._requests:
            request.response_event.wait(timeout_s)

    @property
    def arrived(self) -> bool:
        """Whether waiting would take no time."""
        return all(request.response_event.is_set() for request in self._requests)


class Line:
    """One connection with its session and its share; thread-safe.  Broken once, it stays broken."""

    def __init__(self, where: Where, login: Login, patience: Patience) -> None:
        """Connect and sign in; raises Lost, Refused."""
        self._answer_s = patience.answer_s
        self._sending = threading.Lock()
        self._unasked: deque[Sent] = deque()
        self._connection = _Connection(uuid.uuid4(), where.server, where.port, require_signing=True)
        self._connection.answer_s = patience.answer_s
        try:
            self._connection.connect(timeout=patience.connect_s)
            _never_stall(self._connection.transport._sock, patience.answer_s)
            self._tree = self._sign_in(where, login)
        except Exception as error:  # smbprotocol, spnego and cryptography have no common root of errors
            self.close()
            raise _foreign(error) from error
        except BaseException:
            self.close()
            raise

    def _sign_in(self, where: Where, login: Login) -> Any:
        connection = self._connection
        if connection.dialect < _SMB_2_1:
            raise Lost("the server speaks nothing newer than SMB 2.0.2; allow SMB 2.1 or 3 there")
        if where.encrypt == "yes" and not connection.supports_encryption:
            raise Lost('the server offers no encryption, and encrypt = "yes" demands it')
        session = _session.Session(
            connection,
            username=login.user,
            password=login.password,
            require_encryption=where.encrypt != "no" and bool(connection.supports_encryption),
            auth_protocol=where.auth,
        )
        session.connect()
        session.password = None
        connection.sealed = session
        tree = _tree.TreeConnect(session, f"\\\\{where.server}\\{where.share}")
        tree.connect(require_secure_negotiate=True)
        connection.echo(session.session_id, credit_request=_CREDITS)
        return tree

    # --- what was agreed on ----------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as it is known."""
        transport = self._connection.transport
        return bool(transport is not None and transport.connected and self._connection._t_exc is None)

    @property
    def largest(self) -> int:
        """How much one request may read or write."""
        if not self._connection.supports_multi_credit:
            return 65536
        return int(min(self._connection.max_read_size, self._connection.max_write_size))

    @property
    def reads_unbuffered(self) -> bool:
        """SMB2_READFLAG_READ_UNBUFFERED is of 3.0.2 and newer."""
        return bool(self._connection.dialect >= 0x0302)

    @property
    def dfs_prefix(self) -> str:
        """What names begin with on a share that is part of a DFS tree ([MS-SMB2] 3.2.4.3)."""
        return str(self._tree.share_name).lstrip("\\") if self._tree.is_dfs_share else ""

    @property
    def agreed(self) -> str:
        """Dialect and protection, in words."""
        dialect = self._connection.dialect
        words = "encrypted" if self._tree.session.encrypt_data or self._tree.encrypt_data else "signed"
        return f"SMB {dialect >> 8}.{dialect >> 4 & 15}.{dialect & 15}, {words}"

    # --- sending ---------------------------------------------------------------------------------------------------

    def send(self, *chain: Message) -> Sent:
        """Send requests that belong together, in one go; raises Lost."""
        self._reap()
        try:
            with self._sending:
                self._await_credits(sum(message.charge for message in chain))
                session = self._tree.session.session_id
                requests = self._connection._send(
                    list(chain), session_id=session, tree_id=self._tree.tree_connect_id, related=len(chain) > 1
                )
        except Lost:
            raise
        except Exception as error:
            self.close()
            raise _foreign(error) from error
        return Sent(self, requests)

    def forget(self, *chain: Message) -> None:
        """Send, and let nobody wait for the answer."""
        with contextlib.suppress(Lost):
            self._unasked.append(self.send(*chain))

    def _reap(self) -> None:
        while self._unasked and (len(self._unasked) > _UNASKED or self._unasked[0].arrived):
            with contextlib.suppress(IndexError, Lost):  # another thread may have taken it
                self._unasked.popleft().answers()

    def _await_credits(self, charge: int) -> None:
        """smbprotocol raises an error where the server's credits do not suffice yet; answers bring new ones."""
        window, until = self._connection.sequence_window, time.monotonic() + self._answer_s
        while window["high"] - window["low"] < charge:
            if not self.alive or time.monotonic() > until:
                raise Lost("the server gives no more credits")
            time.sleep(0.001)

    def receive(self, request: Any, timeout_s: float | None) -> Answer:
        """Wait for one answer."""
        try:
            response = self._connection.receive(request, timeout=timeout_s or self._answer_s)
        except _errors.SMBResponseException as error:
            response = error.header
        except Exception as error:
            self.close()
            raise _foreign(error) from error
        return Answer(response["status"].get_value(), response["data"].get_value())

    def close(self) -> None:
        """Hang up; the server lets go of all that was open."""
        with contextlib.suppress(Exception):
            if self._connection.transport is not None:
                self._connection.disconnect(close=False)


def _never_stall(sock: socket.socket, seconds: float) -> None:
    """Let sending to a server that takes nothing any more end in an error; smbprotocol would wait for ever."""
    wait = struct.pack("ll", int(seconds), 0) if sys.platform != "win32" else int(seconds * 1000)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":  # a link may be cut while only an answer to a flush is awaited
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, int(seconds / 4)))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, int(seconds / 8)))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def _foreign(error: Exception) -> Lost | Refused:
    """What smbprotocol and its helpers raise."""
    if isinstance(error, Lost | Refused):
        return error
    if isinstance(error, _errors.SMBResponseException):
        return Refused(int(error.status))
    if isinstance(error, _errors.SMBAuthenticationError):
        return Lost(_sign_in_trouble(error))
    if isinstance(error, ValueError) and str(error).startswith("Failed to connect"):
        return Lost(f"the server cannot be reached ({_cause(error)})")
    text = str(error)
    if "encryption is required" in text:
        return Lost("the server offers no encryption, and this share is to be used with it")
    if "as a guest" in text:
        return Lost("the server lets us in as a guest only, who cannot sign: the user or the password is wrong there")
    if "timeout" in text:
        return Lost("the server does not answer")
    if "signature" in text or "signed" in text or "encrypted" in text or "Secure negotiate" in text:
        return Lost("an answer was not signed or encrypted as agreed: somebody may be tampering with the connection")
    return Broken("the connection to the server broke")


def _cause(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, TimeoutError):
        return "it does not answer"
    if isinstance(cause, socket.gaierror):
        return "its name is not known"
    return (cause.strerror or "no connection") if isinstance(cause, OSError) else "no connection"


def _sign_in_trouble(error: Exception) -> str:
    """spnego's words name packages and mechanisms at length, and no secret; a person needs the next step."""
    text = str(error)
    if "No username or password" in text or "SpnegoError (16)" in text or "Unable to negotiate" in text:
        return (
            "nobody to sign in as: set `credentials`, or get a Kerberos ticket with kinit "
            '(which needs a package: pip install "smbprotocol[kerberos]")'
        )
    return f"signing in failed before the server was asked ({text.rpartition(': ')[2][:160]})"
