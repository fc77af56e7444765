"""How do many files get onto a server at once, unseen until they are proved?"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial

import asyncssh

from coldchain.errors import FlushFailed, NotFound, StoreError
from coldchain.model import Entry
from coldchain.stores.sftp.ahead import Ahead
from coldchain.stores.sftp.channel import Channel
from coldchain.stores.sftp.folders import Folders, flush_folder, with_parents
from coldchain.stores.sftp.line import Line
from coldchain.stores.sftp.looking import Ways
from coldchain.stores.sftp.naming import appear
from coldchain.stores.sftp.outgoing import Outgoing
from coldchain.stores.sftp.reading import SftpReader
from coldchain.stores.sftp.room import Room
from coldchain.stores.sftp.trouble import flush_failed

_ROOM_BYTES = 32 << 20
_WAITING_FILES, _WAITING_BYTES = 32, 4 << 20
"""Small files are sent when so much of them waits, so that the first are under way while the last are read."""


class SftpStaging:
    """Files under temporary names beside their targets; implements ``coldchain.stores.base.Staging``."""

    def __init__(self, line: Line, owner: str) -> None:
        self._line, self._owner = line, owner
        self._folders, self._ways, self._room = Folders(line.url), Ways(line.url), Room(_ROOM_BYTES)
        self._open: set[Outgoing] = set()
        self._closed: dict[str, Outgoing] = {}
        self._waiting: list[Outgoing] = []
        self._settling: list[str] = []
        self._stale: list[str] = []
        """Temporary names of tries whose connection was lost."""
        self._ahead = Ahead(line)

    def open(self, key: str, entry: Entry) -> SftpSink:
        """Begin a file; raises NameRefused for what is no name."""
        entry = entry._replace(path=key)
        outgoing = Outgoing(self._line, self._folders, self._room, entry, lambda: _temporary_name(key, self._owner))
        self._open.add(outgoing)
        return SftpSink(self, outgoing)

    def keep(self, outgoing: Outgoing) -> None:
        """Remember a closed file; an earlier one for the same key gives way."""
        if outgoing.key in self._closed:
            self.discard(outgoing.key)
        self._open.discard(outgoing)
        self._closed[outgoing.key] = outgoing
        if not outgoing.sent:
            self._waiting.append(outgoing)
            waiting_bytes = sum(other.size_bytes for other in self._waiting)
            if len(self._waiting) >= _WAITING_FILES or waiting_bytes >= _WAITING_BYTES:
                self._send()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for outgoing in waiting:
            outgoing.send()

    def drop(self, outgoing: Outgoing) -> None:
        """Forget a file, wherever it is on its way."""
        self._open.discard(outgoing)
        self._forget([outgoing])

    def _forget(self, files: list[Outgoing]) -> None:
        """Stop sending, then remove what the server has of it; what cannot be removed now, the next run removes."""
        for outgoing in files:
            outgoing.stop()
        names = [*self._stale, *(name for outgoing in files for name in outgoing.names)]
        self._stale = []
        if not names:
            return

        async def deed(channel: Channel) -> None:
            paths = [channel.path(name) for name in names]
            requests = (channel.ask(channel.client.remove(path)) for path in paths)
            await asyncio.gather(*requests, return_exceptions=True)

        with contextlib.suppress(StoreError):
            self._line.call(deed, tries=1)

    def settle(self, key: str) -> None:
        """Let the next flush also make durable what stands under ``key``."""
        self._settling.append(key)

    def flush(self) -> None:
        """Wait until the server has all that was closed; what went wrong with one file is said when that is used."""
        self._send()
        settling, self._settling = self._settling, []
        waits = [(key, self._line.submit(partial(self._settle, key), key)) for key in settling]
        for outgoing in self._closed.values():
            outgoing.wait()
        try:
            for key, future in waits:
                self._line.result(future, key)
            self._flush_folders({key.rpartition("/")[0] for key in settling})
        except FlushFailed:
            raise
        except StoreError as error:
            if error.ends_store:
                raise
            raise FlushFailed(f"the flush failed: {error.reason}", url=self._line.url, key=error.key) from error
        small = [outgoing for outgoing in self._closed.values() if outgoing.small and outgoing.names]
        self._ahead.plan([(outgoing.key, outgoing.names[-1]) for outgoing in small])

    async def _settle(self, key: str, channel: Channel) -> None:
        await self._ways.entry(channel, key)
        if "fsync" in channel.unsupported:
            return
        file = await channel.handle(channel.path(key), asyncssh.FXF_READ)
        try:
            await channel.ask(file.fsync())
        except asyncssh.SFTPOpUnsupported:
            channel.unsupported.add("fsync")
        except asyncssh.SFTPFailure as error:
            raise flush_failed(error, url=self._line.url, key=key) from error
        finally:
            await channel.ask(file.close())

    def _flush_folders(self, folders: set[str]) -> None:
        deeds = [
            self._line.submit(partial(flush_folder, url=self._line.url, folder=folder), folder)
            for folder in (with_parents(folders) if folders else ())
        ]
        for future in deeds:
            self._line.result(future)

    def read_back(self, key: str) -> SftpReader:
        """Open the temporary file; small ones are asked for ahead, in the order in which they were staged."""
        outgoing = self._of(key)
        outgoing.staged()
        return self._ahead.reader(key, outgoing.names[-1])

    def vouched(self, key: str) -> str:
        """The protocol has no checksums that servers offer."""
        return ""

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Give many names at once, and make them durable; a failure of that last step is raised for all."""
        results: dict[str, Entry | StoreError] = {}
        waiting: dict[str, Future[Entry]] = {}
        for key, old in keys.items():
            try:
                waiting[key] = self._appear(key, self._of(key), old)
            except StoreError as error:
                results[key] = error.kept()
        for key, future in waiting.items():
            try:
                results[key] = self._line.result(future, key)
            except StoreError as error:
                results[key] = error.kept()
            else:
                self._stale += self._closed.pop(key).names[:-1]
        named = {key.rpartition("/")[0] for key, result in results.items() if isinstance(result, Entry)}
        try:
            self._flush_folders(named)
        except StoreError as error:
            raise FlushFailed(f"the flush of names failed: {error.reason}", url=self._line.url) from error
        return {key: results[key] for key in keys}

    def _appear(self, key: str, outgoing: Outgoing, old: Entry | None) -> Future[Entry]:
        staged, temporary = outgoing.staged(), outgoing.names[-1]
        return self._line.submit(lambda channel: appear(channel, temporary, key, old, staged), key)

    def _of(self, key: str) -> Outgoing:
        if key not in self._closed:
            raise NotFound("was not staged", url=self._line.url, key=key)
        return self._closed[key]

    def discard(self, key: str) -> None:
        """Remove one temporary file."""
        outgoing = self._of(key)
        del self._closed[key]
        self._waiting = [other for other in self._waiting if other is not outgoing]
        self._forget([outgoing])

    def close(self) -> None:
        """Remove every temporary file that is left, also of files that were begun and never closed."""
        self._ahead.close()
        files, self._waiting = [*self._open, *self._closed.values()], []
        self._open, self._closed = set(), {}
        self._forget(files)


class SftpSink:
    """One file on its way; implements ``coldchain.stores.base.Sink``."""

    def __init__(self, staging: SftpStaging, outgoing: Outgoing) -> None:
        self._staging, self._outgoing = staging, outgoing

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece; an error may be that of an earlier one."""
        self._outgoing.write(bytes(chunk))

    def close(self) -> None:
        """Say that this was all."""
        self._outgoing.end()
        self._staging.keep(self._outgoing)

    def abort(self) -> None:
        """Forget this file."""
        self._staging.drop(self._outgoing)


def _temporary_name(key: str, owner: str) -> str:
    """A name that no other writer uses, and that ``SftpStore.is_leftover`` recognises by its owner."""
    folder, slash, _ = key.rpartition("/")
    return f"{folder}{slash}.~{owner}-{secrets.token_hex(4)}.coldchain"
