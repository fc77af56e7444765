"""How much content may be on its way to a server at once?"""

from __future__ import annotations

import threading


class Room:
    """Bytes that may be in memory until the server has them."""

    def __init__(self, size_bytes: int) -> None:
        self.free_bytes = size_bytes
        self.changed = threading.Condition()


class Held:
    """What one file takes of a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._bytes = 0
        self._ended = False

    def take(self, size_bytes: int) -> bool:
        """Wait for any room at all, then take so much; False when the file has come to its end meanwhile."""
        with self._room.changed:
            while self._room.free_bytes <= 0 and not self._ended:
                self._room.changed.wait()
            if self._ended:
                return False
            self._room.free_bytes -= size_bytes
            self._bytes += size_bytes
            return True

    def give(self, size_bytes: int) -> None:
        """So much of it has arrived."""
        with self._room.changed:
            self._room.free_bytes += min(size_bytes, self._bytes)
            self._bytes -= min(size_bytes, self._bytes)
            self._room.changed.notify_all()

    def end(self) -> None:
        """Nothing of it is on its way any more."""
        with self._room.changed:
            self._ended = True
            self._room.free_bytes += self._bytes
            self._bytes = 0
            self._room.changed.notify_all()
