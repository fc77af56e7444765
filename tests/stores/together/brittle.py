"""How does a link to a server break at the n-th moment, and is whole again at once?"""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.stores.sftp.links import reset

_PIECE_BYTES = 64 << 10


class Brittle:
    """Hands bytes on to a server on this computer; a moment is a piece that passes, whichever way it goes.

    Before the piece of the chosen moment is handed on, its connection is reset at both ends.
    """

    def __init__(self) -> None:
        self._target = self._due = self.moments = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, port: int) -> None:
        """To which server."""
        self._target = port

    def break_at(self, moment: int) -> None:
        """Count anew, and break once, at this moment; the first one is 1."""
        with self._lock:
            self.moments, self._due = 0, moment

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            try:
                there = socket.create_connection(("127.0.0.1", self._target))
                for end in (here, there):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:  # an end is gone already
                here.close()
                continue
            threading.Thread(target=self._serve, args=(here, there), daemon=True).start()

    def _serve(self, here: socket.socket, there: socket.socket) -> None:
        self._open |= {here, there}
        back = threading.Thread(target=self._carry, args=(there, here), daemon=True)
        back.start()
        self._carry(here, there)
        back.join()
        self._open -= {here, there}
        here.close()
        there.close()

    def _carry(self, come: socket.socket, go: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := come.recv(_PIECE_BYTES):
                if self._is_due():
                    reset(come, go)
                    return
                go.sendall(piece)
        with contextlib.suppress(OSError):
            go.shutdown(socket.SHUT_WR)

    def _is_due(self) -> bool:
        with self._lock:
            self.moments += 1
            return self.moments == self._due

    def close(self) -> None:
        """End all that it serves."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for end in (self._listener, *self._open.copy()):
            end.close()
