"""Which place is this, and how much room has it?"""

from __future__ import annotations

import asyncssh

from coldchain.errors import NotFound, StoreGone
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.keys import is_folder
from coldchain.stores.sftp.looking import NOTHING
from coldchain.stores.sftp.trouble import LOST


async def volume_of(channel: Channel, url: str) -> str:
    """The server's key, the file system, and where on it the folder lies; raises NotFound."""
    try:
        found = await channel.ask(channel.client.stat(channel.path("")))
    except NOTHING:
        raise NotFound("there is no such folder on the server", url=url) from None
    if not is_folder(found):
        raise NotFound("what stands there on the server is no folder", url=url)
    root = bytes(await channel.ask(channel.client.realpath(channel.path("")))).decode("utf-8", "backslashreplace")
    try:
        room = await channel.ask(channel.client.statvfs(channel.path("")))
    except LOST:
        raise
    except asyncssh.SFTPError:
        return f"{channel.fingerprint} {root}"
    return f"{channel.fingerprint} fsid:{room.fsid or 0:x} {root}"


async def free_bytes(channel: Channel) -> int | None:
    """What statvfs says, None where there is none."""
    try:
        room = await channel.ask(channel.client.statvfs(channel.path("")))
    except LOST:
        raise
    except asyncssh.SFTPError:
        return None
    return (room.bavail or 0) * (room.frsize or 0)


async def make(channel: Channel, url: str) -> None:
    """Make the root when it is not there."""
    path = channel.path("")
    try:
        found = await channel.ask(channel.client.stat(path))
    except NOTHING:
        try:
            await channel.ask(channel.client.mkdir(path))
        except NOTHING:
            raise StoreGone("cannot make the folder: the one above it is not there", url=url) from None
    else:
        if not is_folder(found):
            raise StoreGone("cannot make the folder: something else stands there", url=url)
