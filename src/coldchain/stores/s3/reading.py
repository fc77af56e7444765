"""How is an object read?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from coldchain.errors import ChangedUnderway, NotFound, Occupied, StoreError, Unreliable
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.s3.calling import Caller, Facts
from coldchain.stores.s3.keys import entry_of, object_key
from coldchain.stores.s3.where import Where

_BLOCK_BYTES = 4 << 20
_AHEAD = 3
"""So many blocks are in memory at once."""
_TRIES = 6
"""So often a broken stream is taken up again without a byte in between."""


def look(call: Caller, where: Where, path: str, **more: str) -> Facts:
    """Ask for what is said of an object; raises NotFound."""
    facts = call("head_object", path, Key=object_key(where, path), **more)
    if facts.get("DeleteMarker"):
        raise NotFound("it was deleted", url=where.url, key=path)
    return facts


class S3Reader:
    """One object as it was when it was opened: every request for more says its ETag.

    The first request brings the first chunk, so that a small file costs one.
    """

    def __init__(self, call: Caller, where: Where, path: str, how: str) -> None:
        self._call, self._where, self._path = call, where, path
        self.how = how
        self._key = object_key(where, path)
        self._first: bytes | memoryview = b""
        self._body: Any = None
        facts = self._open()
        self._etag = str(facts.get("ETag", ""))
        self.entry = entry_of(path, facts)

    def _open(self) -> Facts:
        if (quick := self._call.quick) and (got := quick.get(self._key, 0, CHUNK_BYTES)):
            self._first = got.content
            return got.facts
        for tried in range(1, _TRIES + 1):
            try:
                facts = self._call("get_object", self._path, Key=self._key, Range=f"bytes=0-{CHUNK_BYTES - 1}")
            except StoreError as error:
                if isinstance(error, NotFound) or error.ends_store:
                    raise
                return self._open_empty(error)
            try:
                with_rest = "ContentRange" not in facts
                self._first = _full(facts["Body"], CHUNK_BYTES)
                facts["Body"].close()
            except Exception as error:
                if tried == _TRIES:
                    raise Unreliable(
                        "the connection broke while it was read", url=self._where.url, key=self._path
                    ) from error
                continue
            if not with_rest:
                facts["ContentLength"] = int(facts["ContentRange"].rpartition("/")[2])
            if len(self._first) == min(CHUNK_BYTES, facts["ContentLength"]):
                return facts
        raise Unreliable("the server sends less than it says", url=self._where.url, key=self._path)

    def _open_empty(self, refusal: StoreError) -> Facts:
        """An empty object has no first byte, and some servers say so by an error (RFC 9110, 416)."""
        facts = look(self._call, self._where, self._path)
        if facts["ContentLength"]:
            raise refusal
        return facts

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Yield the content in order; a broken stream is taken up where it broke."""
        if self._first:
            yield self._first
        offset, tries = len(self._first), 0
        for block in self._blocks(offset):
            offset += len(block)
            yield from (block[start : start + CHUNK_BYTES] for start in range(0, len(block), CHUNK_BYTES))
        size_bytes = self.entry.size_bytes
        while offset < size_bytes:
            chunk = self._next(offset, min(CHUNK_BYTES, size_bytes - offset))
            tries = 0 if chunk else tries + 1
            if tries == _TRIES:
                raise Unreliable("the connection breaks again and again", url=self._where.url, key=self._path)
            if chunk:
                offset += len(chunk)
                yield chunk
        self._let_go()

    def _blocks(self, offset: int) -> Iterator[memoryview]:
        """Yield what follows in blocks of which some are fetched ahead; ends early where that does not work."""
        starts = range(offset, self.entry.size_bytes, _BLOCK_BYTES)
        if self._call.quick is None or not starts:
            return
        if len(starts) == 1:
            yield from filter(None, [self._block(offset)])
            return
        waiting: deque[Future[memoryview | None]] = deque()
        with ThreadPoolExecutor(_AHEAD, thread_name_prefix="s3-read") as pool:
            try:
                for start in starts:
                    waiting.append(pool.submit(self._block, start))
                    while waiting and (len(waiting) == _AHEAD or start == starts[-1]):
                        block = waiting.popleft().result()
                        if block is None:
                            return
                        yield block
            finally:
                for future in waiting:
                    future.cancel()

    def _block(self, start: int) -> memoryview | None:
        quick = self._call.quick
        end = min(start + _BLOCK_BYTES, self.entry.size_bytes)
        got = quick.get(self._key, start, end, self._etag) if quick else None
        return got.content if got else None

    def _next(self, offset: int, length: int) -> bytes:
        """The next chunk whole, or nothing when the stream broke, which is then opened anew."""
        try:
            if self._body is None:
                self._body = self._get(f"bytes={offset}-{self.entry.size_bytes - 1}")
            chunk = _full(self._body, length)
        except StoreError:
            raise
        except Exception:
            chunk = b""  # whatever the libraries below raise for a broken stream
        if len(chunk) < length:
            self._let_go()
            return b""
        return chunk

    def piece(self, offset: int, length: int) -> bytes:
        """Ask for a piece by itself, unless the first chunk holds it."""
        end = min(offset + length, self.entry.size_bytes)
        if offset >= end:
            return b""
        if end <= len(self._first):
            return bytes(self._first[offset:end])
        for _ in range(_TRIES):
            body = self._get(f"bytes={offset}-{end - 1}")
            try:
                found = _full(body, end - offset)
            except Exception:
                found = b""  # a broken stream, as above
            finally:
                body.close()
            if len(found) == end - offset:
                return found
        raise Unreliable("the connection breaks again and again", url=self._where.url, key=self._path)

    def _get(self, span: str) -> Any:
        try:
            facts = self._call("get_object", self._path, Key=self._key, Range=span, IfMatch=self._etag)
        except Occupied as error:  # what 412 means where a name is wanted
            raise self._changed() from error
        if str(facts.get("ETag", "")) != self._etag or "ContentRange" not in facts:
            facts["Body"].close()
            raise self._changed()
        return facts["Body"]

    def _changed(self) -> ChangedUnderway:
        return ChangedUnderway("another object has its name since it was opened", url=self._where.url, key=self._path)

    def look_again(self) -> Entry:
        """Ask what stands under the name now."""
        return entry_of(self._path, look(self._call, self._where, self._path))

    def being_written(self) -> bool:
        """Objects appear when they are whole."""
        return False

    def _let_go(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()


def _full(body: Any, length: int) -> bytes:
    """So many bytes, fewer only where the stream ends."""
    pieces: list[bytes] = []
    while length and (piece := body.read(length)):
        pieces.append(piece)
        length -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
