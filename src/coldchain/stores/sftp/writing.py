"""How do the bytes of one file get into a temporary file on the server, durably, in as few round trips as can be?

A server handles what concerns one file in the order in which it was asked (draft-ietf-secsh-filexfer-02, section 6.1),
so the writes, the attributes, the flush and the closing are sent without waiting for one another.
"""

from __future__ import annotations

import asyncio
import contextlib
import stat as stats
from collections.abc import Awaitable, Callable, Sequence

import asyncssh

from coldchain.errors import NotFound, StoreGone, Unreliable
from coldchain.model import Entry
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.folders import Folders
from coldchain.stores.sftp.keys import SECOND_NS
from coldchain.stores.sftp.looking import NOTHING, look
from coldchain.stores.sftp.reading import closing
from coldchain.stores.sftp.trouble import LOST, UNSUPPORTED, flush_failed

_SAFE_BYTES = 32 << 10
_NEW = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
_PRIVATE = 0o600
_LAST_SECOND = 2**32 - 1
_REFUSED = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPOpUnsupported, asyncssh.SFTPFailure)

File = asyncssh.SFTPClientFile


async def create(channel: Channel, folders: Folders, temporary: str) -> File:
    """Make the folders above and the file itself."""
    folder = temporary.rpartition("/")[0]
    await folders.ensure(channel, folder)
    path = channel.path(temporary)
    try:
        return await channel.handle(path, _NEW, _PRIVATE)
    except NOTHING:
        folders.forget(folder)  # it was removed meanwhile
        await folders.ensure(channel, folder)
        try:
            return await channel.handle(path, _NEW, _PRIVATE)
        except NOTHING as error:
            if await look(channel, channel.path("")) is None:
                raise StoreGone("the place itself is no longer there") from error
            raise NotFound("the folder was removed while it was written to") from error


async def write_whole(
    channel: Channel, folders: Folders, temporary: str, entry: Entry, content: Sequence[bytes]
) -> asyncssh.SFTPAttrs:
    """Write a small file; returns what the server then shows of it."""
    file = await create(channel, folders, temporary)
    writes: list[Awaitable[object]] = []
    offset = 0
    for block in blocks(channel, content):
        writes.append(channel.ask(file.write(block, offset)))
        offset += len(block)
    return await finish(channel, file, writes, temporary, entry)


class Stream:
    """A large file on its way: pieces come from a thread, and up to a bound they are on their way together."""

    def __init__(self, folders: Folders, temporary: str, entry: Entry, arrived: Callable[[int], None]) -> None:
        self._folders, self._temporary, self._entry, self._arrived = folders, temporary, entry, arrived
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.dropped = False

    def put(self, piece: bytes | None) -> None:
        """Take the next piece, or None for the end; in the event loop."""
        self._pieces.put_nowait(piece)

    async def run(self, channel: Channel) -> asyncssh.SFTPAttrs:
        """Write until the end is said; returns what the server then shows of the file."""
        file = await create(channel, self._folders, self._temporary)
        under_way: set[asyncio.Task[None]] = set()
        offset = 0
        try:
            while (piece := await self._pieces.get()) is not None and not self.dropped:
                for block in blocks(channel, [piece]):
                    task = asyncio.ensure_future(self._write(channel, file, block, offset))
                    under_way.add(task)
                    offset += len(block)
                for task in [task for task in under_way if task.done()]:
                    under_way.remove(task)
                    task.result()
            if self.dropped:
                raise Unreliable("it is no longer wanted")
            writes, under_way = under_way, set()
            return await finish(channel, file, list(writes), self._temporary, self._entry)
        except BaseException:
            for task in under_way:
                task.cancel()
            closing(channel, file)
            raise

    async def _write(self, channel: Channel, file: File, block: bytes, offset: int) -> None:
        try:
            await channel.ask(file.write(block, offset))
        finally:
            self._arrived(len(block))


def blocks(channel: Channel, content: Sequence[bytes]) -> list[bytes]:
    """What is sent in one request each."""
    most = channel.client.limits.max_write_len or _SAFE_BYTES
    return [piece[start : start + most] for piece in content for start in range(0, len(piece), most)]


async def finish(
    channel: Channel, file: File, writes: Sequence[Awaitable[object]], temporary: str, entry: Entry
) -> asyncssh.SFTPAttrs:
    """Wait for the writes, and with them keep time and mode, flush, close and look."""
    path = channel.path(temporary)
    wanted = _kept(entry)
    *wrote, kept, flushed, closed, found = await asyncio.gather(
        *writes,
        _answer(channel, file.setstat(wanted)) if wanted else _nothing(),
        _flush(channel, file),
        channel.ask(file.close()),
        channel.ask(channel.client.lstat(path)),
        return_exceptions=True,
    )
    for result in (*wrote, closed):
        if isinstance(result, BaseException):
            raise result
    if isinstance(flushed, BaseException):
        if isinstance(flushed, LOST) or not isinstance(flushed, asyncssh.SFTPError):
            raise flushed
        raise flush_failed(flushed, url="", key="") from flushed
    if isinstance(kept, _REFUSED) and wanted:
        await _keep_apart(channel, path, wanted)
        return await channel.ask(channel.client.lstat(path))
    if isinstance(kept, BaseException):
        raise kept
    if isinstance(found, BaseException):
        raise found
    assert isinstance(found, asyncssh.SFTPAttrs)  # noqa: S101 - what lstat gives, told to the type checker
    return found


def _kept(entry: Entry) -> asyncssh.SFTPAttrs | None:
    """Set-uid, set-gid and sticky bits are never carried; the owner can always read, or nothing could be proved.

    The protocol has 32 bits for seconds, and sets both times or none.
    """
    attributes = asyncssh.SFTPAttrs()
    if entry.mode:
        attributes.permissions = entry.mode & 0o777 | stats.S_IRUSR
    seconds = entry.mtime_ns // SECOND_NS
    if entry.mtime_ns and 0 <= seconds <= _LAST_SECOND:
        attributes.atime = attributes.mtime = seconds
    return attributes if attributes.permissions is not None or attributes.mtime is not None else None


async def _keep_apart(channel: Channel, path: bytes, wanted: asyncssh.SFTPAttrs) -> None:
    """A place that cannot keep the one may keep the other; what it cannot keep, it shows."""
    apart = [asyncssh.SFTPAttrs(permissions=wanted.permissions)] if wanted.permissions is not None else []
    if wanted.mtime is not None:
        apart.append(asyncssh.SFTPAttrs(atime=wanted.atime, mtime=wanted.mtime))
    for attributes in apart:
        with contextlib.suppress(*_REFUSED):
            await channel.ask(channel.client.setstat(path, attributes))


async def _flush(channel: Channel, file: File) -> None:
    if "fsync" in channel.unsupported:
        return
    try:
        await channel.ask(file.fsync())
    except UNSUPPORTED:
        channel.unsupported.add("fsync")


async def _answer(channel: Channel, request: Awaitable[None]) -> None:
    await channel.ask(request)


async def _nothing() -> None:
    """Nothing is to be kept."""
