"""Where on its way to the server is one file?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import Future

import asyncssh

from coldchain.errors import StoreError, Unreliable
from coldchain.model import Entry
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.folders import Folders
from coldchain.stores.sftp.keys import encoded, seen
from coldchain.stores.sftp.line import Line
from coldchain.stores.sftp.room import Held, Room
from coldchain.stores.sftp.writing import Stream, write_whole

WHOLE_BYTES = 1 << 20
"""A file up to this size is kept in memory until the server has it, and sent again when the connection is lost."""


class Outgoing:
    """One file; used by the thread of its staging."""

    def __init__(self, line: Line, folders: Folders, room: Room, entry: Entry, name: Callable[[], str]) -> None:
        """Begin a file; ``name`` makes temporary names, and ``entry.path`` is the key."""
        encoded(entry.path, line.url)
        self.key = entry.path
        self.size_bytes = 0
        self.names: list[str] = []
        """The temporary names that the server may have; the last one counts."""
        self._line, self._folders, self._room, self._entry, self._name = line, folders, room, entry, name
        self._pieces: list[bytes] = []
        self._held = Held(room)
        self._stream: Stream | None = None
        self._future: Future[asyncssh.SFTPAttrs] | None = None

    @property
    def sent(self) -> bool:
        """Whether it is under way, or there."""
        return self._future is not None

    @property
    def small(self) -> bool:
        """Whether it fits into one piece."""
        return self.size_bytes <= WHOLE_BYTES

    def write(self, piece: bytes) -> None:
        """Take the next piece; raises what went wrong with an earlier one."""
        self.size_bytes += len(piece)
        if self._stream is None:
            self._pieces.append(piece)
            if self.size_bytes > WHOLE_BYTES:
                self._begin()
        else:
            self._feed(self._stream, piece)

    def _begin(self) -> None:
        """It turned out to be a large one."""
        self.names.append(self._name())
        self._stream = Stream(self._folders, self.names[-1], self._entry, self._held.give)
        self._follow(self._line.submit(self._stream.run, self.key, tries=1))
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            self._feed(self._stream, piece)

    def _feed(self, stream: Stream, piece: bytes) -> None:
        if not self._held.take(len(piece)):
            self.staged()
            raise Unreliable("the server took it for finished", url=self._line.url, key=self.key)
        self._line.loop.call_soon_threadsafe(stream.put, piece)

    def end(self) -> None:
        """That was all; a small one waits for ``send``."""
        if self._stream is not None:
            self._line.loop.call_soon_threadsafe(self._stream.put, None)

    def send(self) -> None:
        """Let a small one go on its way."""
        pieces, self._pieces = self._pieces, []
        self._held.take(self.size_bytes)

        async def deed(channel: Channel) -> asyncssh.SFTPAttrs:
            name = self._name()  # an earlier try may have left a file under another one
            self.names.append(name)
            return await write_whole(channel, self._folders, name, self._entry, pieces)

        self._follow(self._line.submit(deed, self.key))

    def _follow(self, future: Future[asyncssh.SFTPAttrs]) -> None:
        self._future = future
        future.add_done_callback(lambda _: self._held.end())

    def staged(self) -> Entry:
        """What the server has of it; waits for that, and raises what went wrong."""
        if self._future is None:
            self.send()
        assert self._future is not None  # noqa: S101 - send has just set it, told to the type checker
        found = seen(self.key, self._line.result(self._future, self.key))
        if not isinstance(found, Entry) or found.size_bytes != self.size_bytes:
            reason = f"the server does not have the {self.size_bytes:,} bytes that it was sent"
            raise Unreliable(reason, url=self._line.url, key=self.key)
        return found

    def wait(self) -> None:
        """Until it is there, or is known not to be."""
        with contextlib.suppress(StoreError):
            self.staged()

    def stop(self) -> None:
        """Send no more, and wait until that is so."""
        if self._future is None:
            self._pieces = []
            return
        if self._stream is not None:
            self._stream.dropped = True
            self._line.loop.call_soon_threadsafe(self._stream.put, None)
        with contextlib.suppress(StoreError):
            self._line.result(self._future)
