"""How do many files get to a bucket at once?"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from coldchain.errors import NotFound, StoreError
from coldchain.model import Entry
from coldchain.stores.objects.bucket import Bucket
from coldchain.stores.objects.reading import ObjectReader
from coldchain.stores.objects.sending import Outgoing, Published, take_back

T = TypeVar("T")

REQUESTS_AT_ONCE = 16
_MEMORY_BYTES = 32 << 20
"""Small files that wait for their names take up to so much; what is more waits on disk."""


class ObjectSink:
    """One file on its way into a staging."""

    def __init__(self, staging: ObjectStaging, path: str, outgoing: Outgoing) -> None:
        self._staging, self._path, self._outgoing = staging, path, outgoing

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece, whole."""
        self._outgoing.write(chunk)

    def close(self) -> None:
        """Say that this was all; waits for the last pieces of a large file."""
        self._outgoing.finish()
        self._staging.keep(self._path, self._outgoing)

    def abort(self) -> None:
        """Forget this file; leaves nothing behind."""
        self._staging.drop(self._outgoing)


class ObjectStaging:
    """Files that wait for their names; can be read back only when they have them, and be taken back then."""

    def __init__(self, bucket: Bucket, whole_bytes: int, owner: str) -> None:
        self._bucket, self._whole_bytes, self._owner = bucket, whole_bytes, owner
        self._pool = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="objects")
        self._open: set[Outgoing] = set()
        self._closed: dict[str, Outgoing] = {}
        self._published: dict[str, Published] = {}
        self._unread: deque[str] = deque()
        self._ahead: dict[str, Future[ObjectReader]] = {}
        self._held_bytes = 0

    def open(self, key: str, entry: Entry) -> ObjectSink:
        """Begin a file; raises NameRefused at once."""
        outgoing = Outgoing(self._bucket, key, entry, self._whole_bytes, self._owner)
        self._open.add(outgoing)
        return ObjectSink(self, key, outgoing)

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
        self._bucket.look(key)

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Let the names appear, many at once, and then look at all of them together."""
        sent, results = _gathered({key: self._pool.submit(self._send, key, old) for key, old in keys.items()})
        marked = [key for key, mark in sent.items() if mark]
        seen = self._bucket.seen(marked) if len(marked) > 1 else {}
        arriving = {
            key: self._pool.submit(self._closed[key].arrived, mark, seen.get(key)) for key, mark in sent.items()
        }
        arrived, failed = _gathered(arriving)
        for key, published in arrived.items():
            self._published[key] = published
            self._unread.append(key)
            self._open.discard(self._closed.pop(key))
            results[key] = published.found.entry(key)
        self._held_bytes = sum(outgoing.held_bytes for outgoing in self._closed.values())
        return results | failed

    def _send(self, key: str, expected: Entry | None) -> str:
        if key not in self._closed:
            raise NotFound("no closed file is staged for this name", url=self._bucket.url, key=key)
        return self._closed[key].send(expected)

    def read_back(self, key: str) -> ObjectReader:
        """Open what was published; raises NotFound before that, ChangedUnderway when it is another object by now.

        The first chunks of those that were published after it are fetched meanwhile.
        """
        if key not in self._published:
            raise NotFound("it can be read back only when it has its name", url=self._bucket.url, key=key)
        opening = self._ahead.pop(key, None)
        while self._unread and len(self._ahead) < REQUESTS_AT_ONCE:
            following = self._unread.popleft()
            if following != key and following in self._published:
                self._ahead[following] = self._pool.submit(self._reader, following)
        return self._reader(key) if opening is None else opening.result()

    def _reader(self, key: str) -> ObjectReader:
        return ObjectReader(self._bucket, key, "get", self._published[key].found)

    def vouched(self, key: str) -> str:
        """The checksum without which the server would not have taken it, "" for none."""
        published = self._published.get(key)
        return published.vouched if published else ""

    def discard(self, key: str) -> None:
        """Forget one closed file, or take back what was published, if it still stands there."""
        if outgoing := self._closed.pop(key, None):
            self.drop(outgoing)
        elif published := self._published.pop(key, None):
            self._ahead.pop(key, None)
            take_back(self._bucket, key, published.mark)

    def close(self) -> None:
        """Forget everything that was not published."""
        self._closed.clear()
        for outgoing in self._open:
            with contextlib.suppress(StoreError):
                outgoing.forget()
        self._open = set()
        self._pool.shutdown()


def _gathered(waiting: Mapping[str, Future[T]]) -> tuple[dict[str, T], dict[str, Entry | StoreError]]:
    """What came of each, and what went wrong."""
    done: dict[str, T] = {}
    failed: dict[str, Entry | StoreError] = {}
    for key, future in waiting.items():
        try:
            done[key] = future.result()
        except StoreError as error:
            failed[key] = error.kept()
    return done, failed
