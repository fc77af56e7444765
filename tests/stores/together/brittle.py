"""How does a link to a server break at the n-th moment, and is whole again at once?"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from tests.links import reset

_PIECE_BYTES = 64 << 10
_LARGE_BYTES = 8 << 10


class Brittle:
    """Hands bytes on to a server on this computer; a moment is a piece that passes, whichever way it goes.

    Before the piece of the chosen moment is handed on, its connection is reset at both ends; at the server's it may be
    later, as on a real link, where nobody tells it.
    """

    def __init__(self, port: int = 0) -> None:
        self._target = self._due = self.moments = 0
        self._noticed_after_s = 0.0
        self._uploads: list[int] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, port: int) -> None:
        """To which server."""
        self._target = port

    @property
    def amid_content(self) -> int:
        """The middle one of the moments in which much is sent to the server."""
        return self._uploads[len(self._uploads) // 2]

    def break_at(self, moment: int, noticed_after_s: float = 0.0) -> None:
        """Count anew, and break once, at this moment; the first one is 1.  The server notices it so much later."""
        with self._lock:
            self.moments, self._due, self._noticed_after_s = 0, moment, noticed_after_s
            self._uploads.clear()

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
        whole = threading.Event()
        whole.set()
        back = threading.Thread(target=self._carry, args=(there, here, here, whole), daemon=True)
        back.start()
        self._carry(here, there, here, whole)
        back.join()
        self._open -= {here, there}
        here.close()
        there.close()

    def _carry(self, come: socket.socket, go: socket.socket, client: socket.socket, whole: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while piece := come.recv(_PIECE_BYTES):
                if self._is_due(is_upload=len(piece) >= _LARGE_BYTES and come is client):
                    whole.clear()
                    reset(client)
                    time.sleep(self._noticed_after_s)
                    reset(come if go is client else go)
                    return
                go.sendall(piece)
        if whole.is_set():
            with contextlib.suppress(OSError):
                go.shutdown(socket.SHUT_WR)

    def _is_due(self, *, is_upload: bool) -> bool:
        with self._lock:
            self.moments += 1
            if is_upload:
                self._uploads.append(self.moments)
            return self.moments == self._due

    def close(self) -> None:
        """End all that it serves."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for end in (self._listener, *self._open.copy()):
            end.close()
