"""How is an object read?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from coldchain.errors import ChangedUnderway, NotFound, Occupied, Unreliable
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.objects.bucket import Bucket, Found

_SPAN_BYTES = 8 << 20
"""So much is asked for at once; the next span travels while this one is worked on."""
_TRIES = 8


class ObjectReader:
    """One object as it was when it was opened: every request for more names it by its mark."""

    def __init__(self, bucket: Bucket, path: str, how: str, found: Found | None = None) -> None:
        self._bucket, self._path = bucket, path
        self.how = how
        self._pool: ThreadPoolExecutor | None = None
        tries = 1 if found is not None else _TRIES
        for left in reversed(range(tries)):
            self._found = found or bucket.look(path)
            try:
                self._first = self._get(0, min(CHUNK_BYTES, self._found.size_bytes))
                break
            except ChangedUnderway:  # it was replaced between the two questions
                if not left:
                    raise
        self.entry = self._found.entry(path)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Yield the content in order."""
        if self._first:
            yield self._first
        offset = len(self._first)
        ahead = self._ask(offset)
        while ahead is not None:
            span = ahead.result()
            offset += len(span)
            ahead = self._ask(offset)
            view = memoryview(span)
            for start in range(0, len(span), CHUNK_BYTES):
                yield view[start : start + CHUNK_BYTES]

    def _ask(self, offset: int) -> Future[bytes] | None:
        length = min(_SPAN_BYTES, self.entry.size_bytes - offset)
        if length <= 0:
            return None
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        return self._pool.submit(self._get, offset, length)

    def piece(self, offset: int, length: int) -> bytes:
        """Ask for a piece by itself, unless the first chunk holds it."""
        end = min(offset + length, self.entry.size_bytes)
        if offset >= end:
            return b""
        if end <= len(self._first):
            return self._first[offset:end]
        return self._get(offset, end - offset)

    def _get(self, offset: int, length: int) -> bytes:
        """So many bytes of the opened object, or an error: a short answer is none."""
        if not length:
            return b""
        try:
            content = self._bucket.get(self._path, offset, length, self._found)
        except (NotFound, Occupied) as error:
            reason = "it was removed or replaced since it was opened"
            raise ChangedUnderway(reason, url=self._bucket.url, key=self._path) from error
        if len(content) != length:
            raise Unreliable("the server sends less than it says", url=self._bucket.url, key=self._path)
        return content

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
