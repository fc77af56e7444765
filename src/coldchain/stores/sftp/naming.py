"""How does a temporary file get its name on a server, whole or not at all, and over nobody else's file?"""

from __future__ import annotations

import asyncio
import secrets

import asyncssh

from coldchain.errors import NotFound, Occupied
from coldchain.model import Entry, Oddity
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.keys import seen
from coldchain.stores.sftp.looking import NOTHING, look
from coldchain.stores.sftp.trouble import LOST, UNSUPPORTED

_HARD_LINKS, _POSIX_RENAME = "hardlink@openssh.com", "posix-rename@openssh.com"


async def appear(channel: Channel, temporary: str, key: str, old: Entry | None, staged: Entry) -> Entry:
    """Give a name; raises Occupied, NotFound.  May be done again when the connection was lost meanwhile."""
    path = channel.path(key)
    if old is None:
        if await _new(channel, channel.path(temporary), path):
            return staged  # a second name of the very file that was looked at when it was whole
    else:
        await _over(channel, channel.path(temporary), path, old, staged)
    found = await look(channel, path)
    entry = seen(key, found) if found is not None else None
    if not isinstance(entry, Entry):
        raise NotFound("it is no longer there")
    return entry


async def _new(channel: Channel, temporary: bytes, path: bytes) -> bool:
    """A hard link fails where something stands, on every system; a plain rename does so by OpenSSH and by the book.

    Returns whether it was a link, so that nothing but the staged file can have got the name.
    """
    if _HARD_LINKS not in channel.unsupported:
        try:
            await channel.ask(channel.client.link(temporary, path))
        except UNSUPPORTED:
            channel.unsupported.add(_HARD_LINKS)
        except LOST:
            raise
        except asyncssh.SFTPError:
            await _free(channel, path)  # else it was refused for another cause: FAT, for one, has no links
        else:
            await remove(channel, temporary)
            return True
    await _free(channel, path)
    try:
        await channel.ask(channel.client.rename(temporary, path))
    except LOST:
        raise
    except asyncssh.SFTPError:
        await _free(channel, path)
        raise
    return False


async def _free(channel: Channel, path: bytes) -> None:
    if await look(channel, path) is not None:
        raise Occupied("something stands under this name already")


async def _over(channel: Channel, temporary: bytes, path: bytes, old: Entry, staged: Entry) -> None:
    found = await look(channel, path)
    if found is None:
        raise NotFound("what was to be replaced is gone")
    now = seen(old.path, found)
    if _same(now, staged) and await look(channel, temporary) is None:
        return  # the answer to an earlier try was lost with the connection
    if not _same(now, old):
        raise Occupied("another file took this name meanwhile")
    if _POSIX_RENAME not in channel.unsupported:
        try:
            await channel.ask(channel.client.posix_rename(temporary, path))
        except UNSUPPORTED:
            channel.unsupported.add(_POSIX_RENAME)
        else:
            return
    await _over_in_two_steps(channel, temporary, path)


async def _over_in_two_steps(channel: Channel, temporary: bytes, path: bytes) -> None:
    """Where a rename replaces nothing, the old file steps aside, under a name that no cleaning up removes."""
    folder = path.rpartition(b"/")[0]
    aside = folder + b"/.before-" + secrets.token_hex(4).encode() + b".coldchain"
    await channel.ask(channel.client.rename(path, aside))
    try:
        await channel.ask(channel.client.rename(temporary, path))
    except asyncssh.SFTPError:
        await asyncio.shield(channel.ask(channel.client.rename(aside, path)))
        raise
    await remove(channel, aside)


def _same(found: Entry | Oddity, wanted: Entry) -> bool:
    """As far as the protocol shows it: neither inode nor ctime."""
    return isinstance(found, Entry) and found.size_bytes == wanted.size_bytes and found.mtime_ns == wanted.mtime_ns


async def remove(channel: Channel, path: bytes) -> None:
    """Remove a temporary name; that it is gone already is as good."""
    try:
        await channel.ask(channel.client.remove(path))
    except NOTHING:
        return
