"""How does a large body travel over a slow link?

The time limit of a socket is for all of what it is given at once (Python, ``socket.sendall``), so a body in one piece
would be given up although it makes progress: 8 MiB at 500 kB/s take longer than a connection may.  Given as a file, it
is sent a few kilobytes at a time, each with the whole limit.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from coldchain.stores.objects.held import InMemory

_AT_ONCE_BYTES = 64 << 10
"""What is no larger goes as it is."""


class InPieces:
    """An adapter of ``requests`` (``Session.mount``) that passes large bodies on as files."""

    def __init__(self, connections: int) -> None:
        """Keep up to so many connections to each server; nothing is tried again."""
        self._inner: Any = import_module("requests.adapters").HTTPAdapter(
            pool_connections=4, pool_maxsize=connections, max_retries=0
        )

    def send(self, request: Any, **manner: Any) -> Any:
        """Send a request whose headers say already how long its body is."""
        if isinstance(request.body, bytes | bytearray) and len(request.body) > _AT_ONCE_BYTES:
            request.body = InMemory(request.body)
        return self._inner.send(request, **manner)

    def close(self) -> None:
        """Let go of connections."""
        self._inner.close()


def session(connections: int) -> Any:
    """A session of ``requests`` that sends so."""
    made = import_module("requests").Session()
    mount(made, connections)
    return made


def mount(session: Any, connections: int) -> None:
    """Let a session send so."""
    adapter = InPieces(connections)
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
