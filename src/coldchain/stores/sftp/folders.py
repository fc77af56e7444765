"""How do the folders get there into which files shall be written, and how are their names made durable?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import asyncssh

from coldchain.errors import Occupied
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.keys import is_folder
from coldchain.stores.sftp.looking import look
from coldchain.stores.sftp.trouble import LOST, UNSUPPORTED, flush_failed


class Folders:
    """The folders of one staging; used in the event loop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._there: set[str] = set()
        self._making: dict[str, asyncio.Future[None]] = {}

    async def ensure(self, channel: Channel, folder: str) -> None:
        """Make it and those above it where they are not there; raises Occupied where no folder can be."""
        if not folder or folder in self._there:
            return
        work = self._making.get(folder)
        if work is None:
            work = self._making[folder] = asyncio.ensure_future(self._make(channel, folder))
            work.add_done_callback(lambda _: self._making.pop(folder, None))
        await asyncio.shield(work)

    async def _make(self, channel: Channel, folder: str) -> None:
        await self.ensure(channel, folder.rpartition("/")[0])
        path = channel.path(folder)
        found = await look(channel, path)
        if found is None:
            try:
                await channel.ask(channel.client.mkdir(path))
            except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
                found = await look(channel, path)  # another one made it meanwhile
                if found is None:
                    raise
        if found is not None and not is_folder(found):
            raise Occupied("a file or a link stands where a folder is needed", url=self._url)
        self._there.add(folder)

    def forget(self, folder: str) -> None:
        """It was seen to be gone."""
        self._there = {other for other in self._there if not f"{other}/".startswith(f"{folder}/")}


def with_parents(folders: Iterable[str]) -> list[str]:
    """The folders and all above them, which another staging may have made and not flushed yet."""
    found: set[str] = set()
    waiting = list(folders)
    while waiting:
        folder = waiting.pop()
        if folder not in found:
            found.add(folder)
            waiting.append(folder.rpartition("/")[0])
    return sorted(found, reverse=True)


async def flush_folder(channel: Channel, folder: str, url: str) -> None:
    """Make the names in a folder durable, where the server does that.

    OpenSSH opens a folder as if it were a file, and then flushes it (sftp-server.c, process_open and
    process_extended_fsync).  Others refuse the one or the other; that is no failure.
    """
    if channel.flushes_folders is False or "fsync" in channel.unsupported:
        return
    try:
        file = await channel.handle(channel.path(folder), asyncssh.FXF_READ)
    except LOST:
        raise
    except asyncssh.SFTPError:
        channel.flushes_folders = channel.flushes_folders or False
        return
    try:
        await channel.ask(file.fsync())
        channel.flushes_folders = True
    except UNSUPPORTED:
        channel.flushes_folders = False
    except LOST:
        raise
    except asyncssh.SFTPError as error:
        if channel.flushes_folders:
            raise flush_failed(error, url=url, key=folder) from error
        channel.flushes_folders = False
    finally:
        await channel.ask(file.close())
