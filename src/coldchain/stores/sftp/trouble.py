"""What does an error of the server or of the connection mean for the caller?

Version 3 of the protocol has eight codes, and OpenSSH sends "Failure" for most of what can happen (sftp-server.c,
errno_to_portable): then statvfs is asked whether there is room, and whether the place can be written at all.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import TYPE_CHECKING

import asyncssh

from coldchain.errors import (
    ColdchainError,
    Denied,
    FlushFailed,
    NameRefused,
    NotFound,
    Occupied,
    StoreError,
    StoreFull,
    StoreGone,
    Unreliable,
)

if TYPE_CHECKING:
    from coldchain.stores.sftp.channel import Channel
    from coldchain.stores.sftp.where import Where

LOST = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.DisconnectError,
    asyncssh.ChannelOpenError,
    OSError,
    EOFError,
)
"""The connection is over, or never was; StoreErrors that are OSErrors as well must be caught before."""
UNSUPPORTED = asyncssh.SFTPOpUnsupported
_ROOM_BYTES = 1 << 20
_READ_ONLY = 1
_LONGEST_NAME = 255
_FULL = ("no space", "disk full", "out of space", "enospc", "file system full", "filesystem full")
_QUOTA = ("quota", "edquot")
_READ_ONLY_WORDS = ("read-only file system", "read only file system", "erofs", "write protect")


async def told(channel: Channel, error: asyncssh.SFTPError, *, url: str, key: str) -> StoreError:
    """Translate what the server said about one key."""
    said = " ".join(str(error.reason).split())[:200]
    if found := _by_words(said.lower()) or _by_kind(error):
        kind, reason = found
        return kind(reason, url=url, key=key)
    if isinstance(error, asyncssh.SFTPBadMessage) and key:
        longest = max(len(name.encode("utf-8", "surrogateescape")) for name in key.split("/"))
        if longest > _LONGEST_NAME or len(key) > _LONGEST_NAME:
            return NameRefused("the name is too long for this server", url=url, key=key)
        return NameRefused("this server does not keep such a name", url=url, key=key)
    if isinstance(error, asyncssh.SFTPFailure):
        return await _cause(channel, said, url=url, key=key)
    return Unreliable(f"the server says: {said or type(error).__name__}", url=url, key=key)


def _by_words(said: str) -> tuple[type[StoreError], str] | None:
    if any(word in said for word in _FULL):
        return StoreFull, "there is no room left on the server"
    if any(word in said for word in _QUOTA):
        return StoreFull, "the quota on the server is used up"
    if any(word in said for word in _READ_ONLY_WORDS):
        return StoreGone, "the place is read-only on the server"
    if "file name too long" in said or "filename too long" in said:
        return NameRefused, "the name is too long for this server"
    return None


def _by_kind(error: asyncssh.SFTPError) -> tuple[type[StoreError], str] | None:
    kinds: list[tuple[type[asyncssh.SFTPError] | tuple[type[asyncssh.SFTPError], ...], type[StoreError], str]] = [
        ((asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory), NotFound, "not there"),
        (
            asyncssh.SFTPPermissionDenied,
            Denied,
            "this account has no right to do that here: ask whoever runs the server, or correct the folder",
        ),
        (asyncssh.SFTPFileAlreadyExists, Occupied, "something stands here already"),
        (asyncssh.SFTPFileIsADirectory, Occupied, "a folder stands here"),
        (asyncssh.SFTPInvalidFilename, NameRefused, "this server does not keep such a name"),
        (asyncssh.SFTPWriteProtect, StoreGone, "the place is read-only on the server"),
        (asyncssh.SFTPNoSpaceOnFilesystem, StoreFull, "there is no room left on the server"),
        (asyncssh.SFTPQuotaExceeded, StoreFull, "the quota on the server is used up"),
        (asyncssh.SFTPOpUnsupported, Denied, "this server cannot do that"),
    ]
    return next(((kind, reason) for foreign, kind, reason in kinds if isinstance(error, foreign)), None)


async def _cause(channel: Channel, said: str, *, url: str, key: str) -> StoreError:
    """What "Failure" may mean."""
    try:
        room = await channel.ask(channel.client.statvfs(channel.root))
    except asyncssh.SFTPError:
        return Unreliable(f"the server says no more than: {said or 'Failure'}", url=url, key=key)
    if (room.bavail or 0) * (room.frsize or 0) < _ROOM_BYTES or (room.files and not room.favail):
        return StoreFull("there is no room left on the server", url=url, key=key)
    if (room.flags or 0) & _READ_ONLY:
        return StoreGone("the place is read-only on the server", url=url, key=key)
    return Unreliable(f"the server says no more than: {said or 'Failure'}", url=url, key=key)


def lost(error: BaseException, where: Where) -> StoreError:
    """The connection broke off while a request was under way."""
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return Unreliable(f"the connection to {where.server} broke off ({said})", url=where.url)


def unreachable(error: BaseException, where: Where) -> StoreGone:
    """No connection could be made."""
    server = where.server
    if isinstance(error, socket.gaierror):
        reason = f"no computer is called {where.host}: is the name right, and is this computer on the network?"
    elif isinstance(error, ConnectionRefusedError):
        reason = f"nothing answers at {server}: does an SSH server run there, and is the port right?"
    elif isinstance(error, TimeoutError) or getattr(error, "errno", 0) in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        reason = f"{server} does not answer: is it switched on, and is there a firewall or a VPN in between?"
    elif isinstance(error, asyncssh.ChannelOpenError):
        reason = f"{server} lets this account in, but offers it no SFTP; ask whoever runs it for the sftp subsystem"
    else:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        if isinstance(error, OSError) and error.errno:
            said = os.strerror(error.errno)
        reason = f"{server} cannot be reached ({said})"
    return StoreGone(reason, url=where.url)


def flush_failed(error: BaseException, *, url: str, key: str) -> FlushFailed:
    """What was written may not be durable."""
    return FlushFailed(f"the flush failed on the server: {error}", url=url, key=key)


def is_final(error: BaseException) -> bool:
    """Whether another try can change nothing: it is said already, or the person must do something first."""
    return isinstance(error, ColdchainError | asyncio.CancelledError)
