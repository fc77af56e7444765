"""How is a file on a server read: a small one in two round trips, a large one ahead of its reader?"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import asyncssh

from coldchain.errors import NotAFile, NotFound, Unreliable
from coldchain.model import Entry, Oddity
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.keys import seen
from coldchain.stores.sftp.line import Line
from coldchain.stores.sftp.looking import look

_AHEAD = 8
"""Pieces of a large file that are asked for ahead of the reader."""
_SAFE_BYTES = 32 << 10
"""What every server answers in one piece (draft-ietf-secsh-filexfer-02, section 3)."""
FROM_SERVER = "server"
"""How a copy is read back: through the protocol, from the server, which may answer out of its own memory."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file, and its first piece."""

    channel: Channel
    file: asyncssh.SFTPClientFile
    entry: Entry
    first: bytes
    whole: bool
    """Nothing comes after the first piece."""


async def opened(channel: Channel, path: bytes, key: str, url: str) -> Opened:
    """Open a plain file and read its beginning; the server would wait for ever at a pipe, so it looks first."""
    attributes = await look(channel, path)
    if attributes is None:
        raise NotFound("not there", url=url, key=key)
    found = seen(key, attributes)
    if isinstance(found, Oddity):
        raise NotAFile(found.reason, url=url, key=key)
    file = await channel.handle(path, asyncssh.FXF_READ)
    wanted = min(found.size_bytes, CHUNK_BYTES)
    try:
        now, (first, whole) = await asyncio.gather(channel.ask(file.stat()), _beginning(channel, file, wanted))
    except BaseException:
        closing(channel, file)
        raise
    entry = seen(key, now)
    if isinstance(entry, Oddity):
        closing(channel, file)
        raise NotAFile(entry.reason, url=url, key=key)
    return Opened(channel, file, entry, first, whole)


async def _beginning(channel: Channel, file: asyncssh.SFTPClientFile, wanted: int) -> tuple[bytes, bool]:
    """So many bytes, and whether that is the whole file; more than one piece only if the file grew meanwhile."""
    if wanted < (channel.client.limits.max_read_len or _SAFE_BYTES) and wanted < CHUNK_BYTES:
        first = await _once(channel, file, 0, wanted + 1)
        if len(first) >= wanted:
            return first, len(first) == wanted
    first, more = await asyncio.gather(exactly(channel, file, 0, wanted), exactly(channel, file, wanted, 1))
    return first, not more


async def exactly(channel: Channel, file: asyncssh.SFTPClientFile, offset: int, length: int) -> bytes:
    """So many bytes, fewer only where the file ends."""
    most = channel.client.limits.max_read_len or _SAFE_BYTES
    blocks = [(start, min(most, offset + length - start)) for start in range(offset, offset + length, most)]
    found = await asyncio.gather(*(_block(channel, file, start, size) for start, size in blocks))
    whole = next((n for n, (block, (_, size)) in enumerate(zip(found, blocks, strict=True)) if len(block) < size), None)
    return b"".join(found if whole is None else found[: whole + 1])


async def _block(channel: Channel, file: asyncssh.SFTPClientFile, offset: int, length: int) -> bytes:
    """A server may give less than it was asked for; an empty answer is the end."""
    block = await _once(channel, file, offset, length)
    while len(block) < length:
        more = await _once(channel, file, offset + len(block), length - len(block))
        if not more:
            break
        block += more
    return block


async def _once(channel: Channel, file: asyncssh.SFTPClientFile, offset: int, length: int) -> bytes:
    content = await channel.ask(file.read(length, offset))
    return content if isinstance(content, bytes) else b""  # it was opened without an encoding


def closing(channel: Channel, file: asyncssh.SFTPClientFile) -> None:
    """Close a file without waiting for it; from within the event loop."""

    async def close() -> None:
        try:
            await channel.ask(file.close())
        except (asyncssh.Error, OSError):
            return

    channel.aside(close())


class SftpReader:
    """One open file; implements ``coldchain.stores.base.Reader``."""

    __slots__ = ("_key", "_line", "_opened", "entry", "how")

    def __init__(self, line: Line, key: str, opened: Opened, how: str) -> None:
        self._line, self._key, self._opened = line, key, opened
        self.entry, self.how = opened.entry, how

    def chunks(self) -> Iterator[bytes]:
        """Read from the start to the end of the file as it then is."""
        if self._opened.first:
            yield self._opened.first
        if self._opened.whole:
            return
        asked: deque[Future[bytes]] = deque()
        offset = len(self._opened.first)
        try:
            while True:
                while len(asked) < _AHEAD and (offset < self.entry.size_bytes or not asked):
                    asked.append(self._ask(offset, CHUNK_BYTES))
                    offset += CHUNK_BYTES
                piece = self._line.result(asked.popleft(), self._key)
                if piece:
                    yield piece
                if len(piece) < CHUNK_BYTES:
                    return
        finally:
            for future in asked:
                future.cancel()

    def piece(self, offset: int, length: int) -> bytes:
        """By position."""
        return self._line.result(self._ask(offset, length), self._key) if length > 0 else b""

    def _ask(self, offset: int, length: int) -> Future[bytes]:
        async def deed(channel: Channel) -> bytes:
            self._check(channel)
            return await exactly(channel, self._opened.file, offset, length)

        return self._line.submit(deed, self._key, tries=1)

    def _check(self, channel: Channel) -> None:
        """A new connection knows nothing of the files that the old one had open."""
        if channel is not self._opened.channel:
            raise Unreliable("the connection was lost while the file was read", url=self._line.url, key=self._key)

    def look_again(self) -> Entry:
        """The open file, not the name."""

        async def deed(channel: Channel) -> Entry:
            self._check(channel)
            found = seen(self._key, await channel.ask(self._opened.file.stat()))
            if isinstance(found, Oddity):
                raise NotAFile(found.reason, url=self._line.url, key=self._key)
            return found

        return self._line.call(deed, self._key, tries=1)

    def being_written(self) -> bool:
        """Nobody can tell from afar."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the server close the file, without waiting for it."""
        self._line.loop.call_soon_threadsafe(closing, self._opened.channel, self._opened.file)
