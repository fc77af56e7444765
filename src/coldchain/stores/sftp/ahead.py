"""Which files are asked for before somebody reads them back?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future

from coldchain.stores.sftp.line import Line
from coldchain.stores.sftp.reading import FROM_SERVER, Opened, SftpReader, closing, opened

_FILES = 16


class Ahead:
    """Small files that will be read back, in this order."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._next: deque[tuple[str, str]] = deque()
        self._asked: dict[str, tuple[str, Future[Opened]]] = {}

    def plan(self, files: Iterable[tuple[str, str]]) -> None:
        """These, as (key, temporary name), will probably be read back next."""
        self._next = deque(files)

    def reader(self, key: str, name: str) -> SftpReader:
        """Open a file, which was asked for already if it came in its turn."""
        asked = self._asked.pop(key, None)
        if asked is None:
            if any(key == other for other, _ in self._next):
                while self._next and self._next[0][0] != key:
                    self._next.popleft()
                self._next.popleft()
            future = self._ask(name, key)
        elif asked[0] != name:
            self._let_go(asked[1])
            future = self._ask(name, key)
        else:
            future = asked[1]
        while self._next and len(self._asked) < _FILES:
            other, temporary = self._next.popleft()
            self._asked[other] = temporary, self._ask(temporary, other)
        return SftpReader(self._line, key, self._line.result(future, key), FROM_SERVER)

    def _ask(self, name: str, key: str) -> Future[Opened]:
        url = self._line.url
        return self._line.submit(lambda channel: opened(channel, channel.path(name), key, url), key)

    def _let_go(self, future: Future[Opened]) -> None:
        loop = self._line.loop

        def close(done: Future[Opened]) -> None:
            if not done.cancelled() and done.exception() is None:
                found = done.result()
                loop.call_soon_threadsafe(closing, found.channel, found.file)

        future.add_done_callback(close)

    def close(self) -> None:
        """Nobody reads any more."""
        self._next.clear()
        for _, future in self._asked.values():
            self._let_go(future)
        self._asked.clear()
