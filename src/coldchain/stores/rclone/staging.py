"""How do many files get to a remote at once?"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from coldchain.errors import NameRefused, NotAFile, NotFound, StoreError
from coldchain.model import Entry
from coldchain.stores.rclone.reading import RcloneReader
from coldchain.stores.rclone.remote import Remote
from coldchain.stores.rclone.sending import Outgoing, Published, take_back
from coldchain.stores.rclone.spool import Waiting

_LONGEST_NAME = 255
"""In UTF-16 units.  Buckets keep longer ones, which no file system could ever take back."""


class RcloneSink:
    """One file on its way into a staging."""

    def __init__(self, staging: RcloneStaging, path: str, waiting: Waiting) -> None:
        self._staging, self._path, self._waiting = staging, path, waiting

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece, whole."""
        self._waiting.write(chunk)

    def close(self) -> None:
        """Say that this was all."""
        self._waiting.finish()
        self._staging.keep(self._path, self._waiting)

    def abort(self) -> None:
        """Forget this file; leaves nothing behind."""
        self._staging.drop(self._waiting)


class RcloneStaging:
    """Files that wait on a local disk, are sent by ``flush``, and get their names by ``publish``."""

    def __init__(self, remote: Remote, owner: str) -> None:
        self._remote, self._owner, self._url = remote, owner, remote.where.url
        self._pool = ThreadPoolExecutor(remote.where.transfers, thread_name_prefix="rclone")
        self._open: set[Waiting] = set()
        self._unsent: dict[str, Outgoing] = {}
        self._closed: dict[str, Outgoing] = {}
        self._published: dict[str, Published] = {}
        self._broken: StoreError | None = None

    def open(self, key: str, entry: Entry) -> RcloneSink:
        """Begin a file; raises NameRefused at once."""
        self._remote.checked(key)
        if any(len(name.encode("utf-16-le")) > 2 * _LONGEST_NAME for name in key.split("/")):
            raise NameRefused(f"a name in it is longer than {_LONGEST_NAME} characters", url=self._url, key=key)
        if self._broken is not None:
            raise self._broken
        waiting = Waiting(self._remote.call.daemon.spool, self._url, key, entry)
        self._open.add(waiting)
        return RcloneSink(self, key, waiting)

    def keep(self, key: str, waiting: Waiting) -> None:
        """Remember a closed file; an earlier one for the same key gives way."""
        self.discard_closed(key)
        self._published.pop(key, None)
        self._open.discard(waiting)
        self._closed[key] = self._unsent[key] = Outgoing(self._remote, key, self._owner, waiting)

    def drop(self, waiting: Waiting) -> None:
        """Forget a file that was not closed."""
        self._open.discard(waiting)
        waiting.forget()

    def flush(self) -> None:
        """Send what waits, many at once, where it can have a temporary name; rclone waits until the remote has it.

        What a remote does then to keep it is the remote's: rclone knows no flush.
        """
        unsent, self._unsent = self._unsent, {}
        if self._remote.moves:
            list(self._pool.map(self._send, unsent.values()))

    def _send(self, outgoing: Outgoing) -> None:
        if self._broken is not None:
            outgoing.error = self._broken
            return
        outgoing.send()
        if outgoing.error is not None and outgoing.error.ends_store:
            self._broken = outgoing.error

    def settle(self, key: str) -> None:
        """Make sure that it stands there; what is no plain file is refused when it is read, by itself."""
        with contextlib.suppress(NotAFile):
            self._remote.stat(key)

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Let the names appear, many at once."""
        self.flush()
        waiting = {key: self._pool.submit(self._publish, key, expected) for key, expected in keys.items()}
        results: dict[str, Entry | StoreError] = {}
        for key, future in waiting.items():
            try:
                published = future.result()
            except StoreError as error:
                results[key] = error.kept()
                continue
            self._published[key] = published
            results[key] = published.entry
        return results

    def _publish(self, key: str, expected: Entry | None) -> Published:
        if key not in self._closed:
            raise NotFound("no closed file is staged for this name", url=self._url, key=key)
        outgoing = self._closed[key]
        published = outgoing.publish(expected)
        del self._closed[key]
        outgoing.forget()
        return published

    def read_back(self, key: str) -> RcloneReader:
        """Open what was sent, through the remote; where it cannot move, only once it has its name."""
        if (outgoing := self._closed.get(key)) is not None and self._remote.moves and key not in self._unsent:
            if outgoing.error is not None:
                raise outgoing.error
            return RcloneReader(self._remote, outgoing.temporary, "get")
        if key in self._published:
            return RcloneReader(self._remote, key, "get")
        raise NotFound("it is not staged, or can be read back only when it has its name", url=self._url, key=key)

    def vouched(self, key: str) -> str:
        """The hash that the remote itself computed of what it keeps and that is that of what was written, or ""."""
        if outgoing := self._closed.get(key):
            return outgoing.vouched
        published = self._published.get(key)
        return published.vouched if published else ""

    def discard(self, key: str) -> None:
        """Forget one closed file, or, where it is proved afterwards, take back what was published."""
        if not self.discard_closed(key) and (published := self._published.pop(key, None)) and not self._remote.moves:
            take_back(self._remote, key, published)

    def discard_closed(self, key: str) -> bool:
        """Forget one closed file; returns whether there was one."""
        self._unsent.pop(key, None)
        outgoing = self._closed.pop(key, None)
        if outgoing is not None:
            outgoing.forget()
        return outgoing is not None

    def close(self) -> None:
        """Forget everything that was not published."""
        for waiting in list(self._open):
            with contextlib.suppress(OSError):
                self.drop(waiting)
        list(self._pool.map(Outgoing.forget, self._closed.values()))
        self._closed.clear()
        self._unsent.clear()
        self._pool.shutdown()
