"""How do files get to a share so that a name, once it is there, means whole and durable content?"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from coldchain.errors import FlushFailed, NotFound, Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.smb.looking import look
from coldchain.stores.smb.paths import parents
from coldchain.stores.smb.reading import SmbReader
from coldchain.stores.smb.renaming import Renaming
from coldchain.stores.smb.sending import Outgoing, flush_file, flush_folder, make_folders
from coldchain.stores.smb.share import Share

if TYPE_CHECKING:
    from collections.abc import Iterable

_AT_ONCE = 32
"""So many files may be closed without an answer, and so many names are given at once."""


class SmbSink:
    """One file on its way into a staging."""

    __slots__ = ("_outgoing", "_staging")

    def __init__(self, staging: SmbStaging, outgoing: Outgoing) -> None:
        self._staging, self._outgoing = staging, outgoing

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece, whole."""
        self._outgoing.write(chunk)

    def close(self) -> None:
        """Say that this was all."""
        try:
            self._outgoing.finish()
        except StoreError:
            self.abort()
            raise
        self._staging.keep(self._outgoing)

    def abort(self) -> None:
        """Forget this file; leaves nothing behind."""
        self._staging.drop(self._outgoing)


class SmbStaging:
    """Files under temporary names beside their targets; used by one thread at a time."""

    def __init__(self, share: Share, owner: str) -> None:
        self._share, self._owner = share, owner
        self._open: set[Outgoing] = set()
        self._closed: dict[str, Outgoing] = {}
        self._waiting: deque[Outgoing] = deque()
        self._folders: set[str] = set()
        """Those that are known to be there."""
        self._touched: set[str] = set()
        """Those in which names appeared that are not durable yet."""

    def open(self, key: str, entry: Entry) -> SmbSink:
        """Make the folders above ``key``; a small file is sent when it is closed."""
        for waiting in self._closed.values():
            if waiting.failed is not None and waiting.failed.ends_store:
                raise type(waiting.failed)(waiting.failed.reason, url=self._share.url, key=key)
        self._share.name(key, looking=False)
        made = make_folders(self._share, key, self._folders)
        self._touched.update(parent for folder in made for parent in _above(folder))
        outgoing = Outgoing(self._share, key, self._owner, entry)
        self._open.add(outgoing)
        return SmbSink(self, outgoing)

    def keep(self, outgoing: Outgoing) -> None:
        """Remember a closed file; an earlier one for the same key gives way."""
        if outgoing.key in self._closed:
            self.discard(outgoing.key)
        self._open.discard(outgoing)
        self._closed[outgoing.key] = outgoing
        self._waiting.append(outgoing)
        while len(self._waiting) > _AT_ONCE:
            self._waiting.popleft().settled()

    def drop(self, outgoing: Outgoing) -> None:
        """Forget a file, wherever it is on its way."""
        self._open.discard(outgoing)
        with contextlib.suppress(StoreError):
            outgoing.forget()

    def flush(self) -> None:
        """Wait until every closed file is durable; one whose flush failed is refused in the steps that follow."""
        while self._waiting:
            self._waiting.popleft().settled()

    def settle(self, key: str) -> None:
        """Make durable what already stands under ``key``, and its name."""
        try:
            flush_file(self._share, key)
            for folder in _above(key):
                flush_folder(self._share, folder)
        except NotFound:
            raise
        except StoreError as error:
            kind = type(error) if error.ends_store else FlushFailed
            raise kind(f"the flush failed: {error.reason}", url=self._share.url, key=key) from error

    def read_back(self, key: str) -> SmbReader:
        """Open the temporary file once more, on a handle and a connection of its own."""
        return SmbReader(self._share, self._of(key).temporary, past_cache=True)

    def _of(self, key: str) -> Outgoing:
        outgoing = self._closed.get(key)
        if outgoing is None:
            raise NotFound("was not staged", url=self._share.url, key=key)
        outgoing.settled()
        if outgoing.failed is not None:
            raise outgoing.failed
        return outgoing

    def vouched(self, key: str) -> str:
        """SMB has no digests."""
        return ""

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Rename, many at once, then flush the folders; a failure of that last step is raised for all."""
        results: dict[str, Entry | StoreError] = {}
        under_way: deque[tuple[str, Renaming]] = deque()
        for key, expected in keys.items():
            try:
                outgoing = self._of(key)
                if expected is not None:
                    self._check_unchanged(key, expected)
                under_way.append((key, Renaming(self._share, outgoing, replace=expected is not None)))
            except StoreError as error:
                results[key] = error.kept()
            while len(under_way) >= _AT_ONCE:
                self._take(under_way.popleft(), results)
        while under_way:
            self._take(under_way.popleft(), results)
        self._flush_names()
        return {key: results[key] for key in keys}

    def _take(self, renaming: tuple[str, Renaming], results: dict[str, Entry | StoreError]) -> None:
        key, deed = renaming
        try:
            results[key] = deed.result()
        except StoreError as error:
            results[key] = error.kept()
        else:
            del self._closed[key]
            self._touched.add(key.rpartition("/")[0])

    def _check_unchanged(self, key: str, expected: Entry) -> None:
        """SMB cannot rename on a condition: between this look and the rename lie some milliseconds."""
        try:
            now = look(self._share, key)
        except NotFound:
            raise NotFound("what was to be replaced is gone", url=self._share.url, key=key) from None
        if now != expected._replace(mode=0, ctime_ns=expected.ctime_ns or now.ctime_ns):
            raise Occupied("another file took this name meanwhile", url=self._share.url, key=key)

    def _flush_names(self) -> None:
        for folder in sorted(self._touched, reverse=True):
            flush_folder(self._share, folder)
        self._touched.clear()

    def discard(self, key: str) -> None:
        """Remove one temporary file."""
        outgoing = self._closed.pop(key, None)
        if outgoing is None:
            raise NotFound("was not staged", url=self._share.url, key=key)
        self.drop(outgoing)

    def close(self) -> None:
        """Remove every temporary file that is left, also of files that were begun and never closed."""
        for outgoing in [*self._open, *self._closed.values()]:
            self.drop(outgoing)
        self._closed.clear()
        self._waiting.clear()


def _above(key: str) -> Iterable[str]:
    """The folders that hold a name, up to the root."""
    return [*parents(key), ""]
