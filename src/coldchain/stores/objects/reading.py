"""How is an object read?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import Self

from coldchain.errors import ChangedUnderway, NotFound, Occupied, Unreliable
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.objects.bucket import Bucket, Found

_BLOCK_BYTES = 4 << 20
_AHEAD = 3
"""So many blocks travel while another one is worked on."""
_TRIES = 8


def look_and_get(bucket: Bucket, path: str, length: int) -> tuple[Found, bytes | memoryview]:
    """What ``Bucket.first`` is, in two questions."""
    for _ in range(_TRIES):
        found = bucket.look(path)
        most = min(length, found.size_bytes)
        try:
            return found, bucket.get(path, 0, most, found) if most else b""
        except (NotFound, Occupied):  # it was replaced between the two questions
            continue
    raise ChangedUnderway("it is replaced again and again", url=bucket.url, key=path)


class ObjectReader:
    """One object as it was when it was opened: every request for more names it by its mark."""

    def __init__(self, bucket: Bucket, path: str, how: str, found: Found | None = None) -> None:
        self._bucket, self._path = bucket, path
        self.how = how
        self._pool: ThreadPoolExecutor | None = None
        if found is None:
            self._found, self._first = bucket.first(path, CHUNK_BYTES)
            self._full(self._first, min(CHUNK_BYTES, self._found.size_bytes))
        else:
            self._found = found
            self._first = self._get(0, min(CHUNK_BYTES, found.size_bytes))
        self.entry = self._found.entry(path)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Yield the content in order."""
        if self._first:
            yield self._first
        size_bytes = self.entry.size_bytes
        starts = iter(range(len(self._first), size_bytes, _BLOCK_BYTES))
        waiting = deque(self._ask(start) for start in islice(starts, _AHEAD))
        while waiting:
            block = memoryview(waiting.popleft().result())
            waiting.extend(self._ask(start) for start in islice(starts, 1))
            yield from (block[start : start + CHUNK_BYTES] for start in range(0, len(block), CHUNK_BYTES))

    def _ask(self, offset: int) -> Future[bytes | memoryview]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix="ahead")
        return self._pool.submit(self._get, offset, min(_BLOCK_BYTES, self.entry.size_bytes - offset))

    def piece(self, offset: int, length: int) -> bytes:
        """Ask for a piece by itself, unless the first chunk holds it."""
        end = min(offset + length, self.entry.size_bytes)
        if offset >= end:
            return b""
        if end <= len(self._first):
            return bytes(self._first[offset:end])
        return bytes(self._get(offset, end - offset))

    def _get(self, offset: int, length: int) -> bytes | memoryview:
        """So many bytes of the opened object, or an error: a short answer is none."""
        if not length:
            return b""
        try:
            content = self._bucket.get(self._path, offset, length, self._found)
        except (NotFound, Occupied) as error:
            reason = "it was removed or replaced since it was opened"
            raise ChangedUnderway(reason, url=self._bucket.url, key=self._path) from error
        self._full(content, length)
        return content

    def _full(self, content: bytes | memoryview, length: int) -> None:
        if len(content) != length:
            raise Unreliable("the server sends less than it says", url=self._bucket.url, key=self._path)

    def look_again(self) -> Entry:
        """Ask what stands under the name now."""
        return self._bucket.look(self._path).entry(self._path)

    def being_written(self) -> bool:
        """Objects appear when they are whole."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
