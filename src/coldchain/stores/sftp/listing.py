"""What lies in the folders of a server, in the order that the contract promises?

One folder at a time is read whole and sorted; the next few are asked for while this one is looked through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from itertools import islice

import asyncssh

from coldchain.errors import Denied, NotFound, StoreError, Unreliable
from coldchain.model import Entry, Oddity
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.keys import decoded, is_folder, seen
from coldchain.stores.sftp.line import Line
from coldchain.stores.sftp.looking import Ways, look

_AHEAD = 4
_NO_NAME = "the server lists a name that is none"

Row = tuple[str, Entry | Oddity | None]
"""A name, that of a folder with a slash at its end, and what it is; None for a folder."""


class _Folder:
    """One folder on the way down, and those below it that were asked for already."""

    def __init__(self, line: Line, prefix: str, rows: list[Row], without: Collection[str]) -> None:
        self.prefix, self.rows = prefix, iter(rows)
        self._line = line
        keys = (prefix + name[:-1] for name, item in rows if item is None)
        self._next = (key for key in keys if key not in without)
        self._asked: deque[tuple[str, Future[list[Row]]]] = deque()

    def below(self, key: str) -> list[Row]:
        """The rows of the next folder, which is ``key``."""
        for other in islice(self._next, _AHEAD - len(self._asked)):
            self._asked.append((other, _ask(self._line, other)))
        _, future = self._asked.popleft()
        return self._line.result(future, key)

    def close(self) -> None:
        """Ask no more."""
        for _, future in self._asked:
            future.cancel()


def listed(line: Line, ways: Ways, prefix: str, without: Collection[str]) -> Iterator[Entry | Oddity]:
    """Yield everything below ``prefix``, ascending; raises NotFound when the root is not there."""
    start = f"{prefix}/" if prefix else ""
    stack = [_Folder(line, start, rows_of(line, ways, prefix), without)]
    try:
        while stack:
            top = stack[-1]
            for name, item in top.rows:
                if item is not None:
                    yield item
                    continue
                key = top.prefix + name[:-1]
                if key in without:
                    continue
                try:
                    rows = top.below(key)
                except NotFound:
                    continue
                except (Denied, Unreliable) as error:
                    yield Oddity(f"{key}/", "unreadable", error.reason)
                    continue
                stack.append(_Folder(line, f"{key}/", rows, without))
                break
            else:
                stack.pop()
    finally:
        for folder in stack:
            folder.close()


def rows_of(line: Line, ways: Ways, prefix: str) -> list[Row]:
    """The rows of one folder; none when it is not there, unless it is the root (P10)."""

    async def deed(channel: Channel) -> list[Row]:
        if prefix:
            try:
                await ways.check(channel, prefix)
            except StoreError:
                return []
            found = await look(channel, channel.path(prefix))
            if found is None or not is_folder(found):
                return []
        return await _rows(channel, prefix)

    return line.call(deed, prefix)


def _ask(line: Line, key: str) -> Future[list[Row]]:
    return line.submit(lambda channel: _rows(channel, key), key)


async def _rows(channel: Channel, key: str) -> list[Row]:
    prefix = f"{key}/" if key else ""
    rows = []
    for found in await channel.names(channel.path(key)):
        if row := await _row(channel, prefix, found):
            rows.append(row)
    rows.sort(key=lambda row: row[0])
    return rows


async def _row(channel: Channel, prefix: str, found: asyncssh.SFTPName) -> Row | None:
    raw = found.filename if isinstance(found.filename, bytes) else found.filename.encode("utf-8", "surrogateescape")
    name = decoded(raw)
    if not name or "/" in name or "\0" in name:
        name = name.replace("/", "\ufffd").replace("\0", "\ufffd") or "\ufffd"
        return name, Oddity(prefix + name, "special", _NO_NAME)
    attributes: asyncssh.SFTPAttrs | None = found.attrs
    if attributes is None or attributes.permissions is None:  # allowed, and seen with servers that are no OpenSSH
        attributes = await look(channel, channel.path(prefix + name))
    if attributes is None:
        return None
    return (f"{name}/", None) if is_folder(attributes) else (name, seen(prefix + name, attributes))
