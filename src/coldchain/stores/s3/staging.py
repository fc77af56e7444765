"""How do many files get to a bucket at once?"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from coldchain.errors import NotFound, StoreError
from coldchain.model import Entry
from coldchain.stores.s3.connection import REQUESTS_AT_ONCE, Connection
from coldchain.stores.s3.parts import Hands
from coldchain.stores.s3.reading import S3Reader, look
from coldchain.stores.s3.sending import Outgoing, Published, take_back
from coldchain.stores.s3.where import Where

_MEMORY_BYTES = 32 << 20
"""Small files that wait for their names take up to so much; what is more waits on disk."""


class S3Sink:
    """One file on its way into a staging."""

    def __init__(self, staging: S3Staging, path: str, outgoing: Outgoing) -> None:
        self._staging, self._path, self._outgoing = staging, path, outgoing

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece, whole."""
        self._outgoing.write(chunk)

    def close(self) -> None:
        """Say that this was all; waits for the last parts of a large file."""
        self._outgoing.finish()
        self._staging.keep(self._path, self._outgoing)

    def abort(self) -> None:
        """Forget this file; leaves nothing behind."""
        self._staging.drop(self._outgoing)


class S3Staging:
    """Files that wait for their names; can be read back only when they have them, and be taken back then."""

    def __init__(self, connection: Connection, where: Where, owner: str) -> None:
        self._pool = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="s3")
        self._hands = Hands(connection, where, self._pool, owner)
        self._open: set[Outgoing] = set()
        self._closed: dict[str, Outgoing] = {}
        self._published: dict[str, Published] = {}
        self._unread: deque[str] = deque()
        self._ahead: dict[str, Future[S3Reader]] = {}
        self._held_bytes = 0

    def open(self, key: str, entry: Entry) -> S3Sink:
        """Begin a file; raises NameRefused at once."""
        outgoing = Outgoing(self._hands, key, entry)
        self._open.add(outgoing)
        return S3Sink(self, key, outgoing)

    def keep(self, key: str, outgoing: Outgoing) -> None:
        """Remember a closed file; an earlier one for the same key gives way."""
        if earlier := self._closed.pop(key, None):
            self.drop(earlier)
        self._published.pop(key, None)
        self._ahead.pop(key, None)
        self._closed[key] = outgoing
        self._held_bytes += outgoing.held_bytes
        if outgoing.held_bytes and self._held_bytes > _MEMORY_BYTES:
            self._held_bytes -= outgoing.held_bytes
            outgoing.spill()

    def drop(self, outgoing: Outgoing) -> None:
        """Forget a file, wherever it is on its way."""
        self._open.discard(outgoing)
        outgoing.forget()

    def flush(self) -> None:
        """Do nothing: what a bucket has taken is durable, and before that nothing has a name."""

    def settle(self, key: str) -> None:
        """Make sure that it stands there; a bucket has made it durable."""
        look(self._hands.connection.call, self._hands.where, key)

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Send the small files and put the large ones together, many at once."""
        waiting = {key: self._pool.submit(self._publish, key, expected) for key, expected in keys.items()}
        results: dict[str, Entry | StoreError] = {}
        for key, future in waiting.items():
            try:
                published = future.result()
            except StoreError as error:
                results[key] = error
                continue
            self._published[key] = published
            self._unread.append(key)
            self._open.discard(self._closed.pop(key))
            results[key] = published.entry
        self._held_bytes = sum(outgoing.held_bytes for outgoing in self._closed.values())
        return results

    def _publish(self, key: str, expected: Entry | None) -> Published:
        if key not in self._closed:
            raise NotFound("no closed file is staged for this name", url=self._hands.where.url, key=key)
        return self._closed[key].publish(expected)

    def read_back(self, key: str) -> S3Reader:
        """Open what was published; raises NotFound before that.

        The first chunks of those that were published after it are fetched meanwhile.
        """
        if key not in self._published:
            raise NotFound("it can be read back only when it has its name", url=self._hands.where.url, key=key)
        opening = self._ahead.pop(key, None)
        while self._unread and len(self._ahead) < REQUESTS_AT_ONCE:
            following = self._unread.popleft()
            if following != key and following in self._published:
                self._ahead[following] = self._pool.submit(self._reader, following)
        return self._reader(key) if opening is None else opening.result()

    def _reader(self, key: str) -> S3Reader:
        return S3Reader(self._hands.connection.call, self._hands.where, key, "get")

    def vouched(self, key: str) -> str:
        """The checksum by which the server knows that it has what was sent, "" for none."""
        published = self._published.get(key)
        return published.vouched if published else ""

    def discard(self, key: str) -> None:
        """Forget one closed file, or take back what was published, if it still stands there."""
        if outgoing := self._closed.pop(key, None):
            self.drop(outgoing)
        elif published := self._published.pop(key, None):
            self._ahead.pop(key, None)
            take_back(self._hands, key, published.mark, published.version)

    def close(self) -> None:
        """Forget everything that was not published."""
        self._closed.clear()
        self._forget(self._open)
        self._open = set()
        self._pool.shutdown()

    def _forget(self, outgoing: Iterable[Outgoing]) -> None:
        for one in outgoing:
            with contextlib.suppress(StoreError):
                one.forget()
