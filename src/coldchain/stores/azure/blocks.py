"""How does a large file get to Azure while it is read?

Its blocks are staged as they come, a few at once, each with its MD5, which the server compares; the blob appears when
their list is put.  What a killed run staged is no blob: it is never listed, is replaced with the next upload of the
same name, and vanishes after a week (Put Block, "Remarks").
"""

from __future__ import annotations

import contextlib
import secrets
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from coldchain.errors import StoreError
from coldchain.stores.objects.bucket import Found

_MOST_BLOCKS = 50_000
_PLANNED_BLOCKS = 40_000
"""A file that grows while it is read has room left."""
_IN_FLIGHT_BYTES = 64 << 20
_MOST_IN_FLIGHT = 4


class Verbs(NamedTuple):
    """The two requests of an upload."""

    stage: Callable[[str, bytes], None]
    """Send one block under an id."""
    commit: Callable[[list[str], Found | None, bytes], None]
    """Make a blob of these blocks, in the place of none or of this one, and note its MD5."""
    refuse: Callable[[str], StoreError]


class Blocks:
    """One upload; used by one thread, while a few blocks travel in others."""

    def __init__(self, verbs: Verbs, part_bytes: int, announced_bytes: int) -> None:
        """Begin; ``announced_bytes`` is what the file is said to hold."""
        least = -(-announced_bytes // _PLANNED_BLOCKS)
        self._verbs = verbs
        self._part_bytes = max(part_bytes, -(-least // (1 << 20)) << 20 if least > part_bytes else 0)
        self._at_once = max(1, min(_MOST_IN_FLIGHT, _IN_FLIGHT_BYTES // self._part_bytes))
        self._pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="azure")
        self._waiting = bytearray()
        self._staged: list[str] = []
        self._travelling: deque[Future[None]] = deque()
        # ids of one length, for blocks of one blob; other writers and earlier runs have other ids
        self._mark = secrets.token_hex(8)

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece; waits while too many blocks are on their way."""
        self._waiting += chunk
        while len(self._waiting) >= self._part_bytes:
            block = bytes(memoryview(self._waiting)[: self._part_bytes])
            del self._waiting[: self._part_bytes]
            self._stage(block)

    def _stage(self, block: bytes) -> None:
        if len(self._staged) == _MOST_BLOCKS:
            raise self._verbs.refuse("it grew beyond 50,000 blocks while it was read")
        name = f"{self._mark}-{len(self._staged):06d}"
        self._staged.append(name)
        self._travelling.append(self._pool.submit(self._verbs.stage, name, block))
        while len(self._travelling) > self._at_once:
            self._travelling.popleft().result()

    def finish(self) -> None:
        """Send the last block, and wait until all have arrived."""
        if self._waiting:
            self._stage(bytes(self._waiting))
            self._waiting = bytearray()
        while self._travelling:
            self._travelling.popleft().result()

    def publish(self, expected: Found | None, sums: Mapping[str, str]) -> None:
        """Put the list; the server looks then what stands under the name."""
        self._verbs.commit(self._staged, expected, b64decode(sums["md5"]))

    def close(self, *, published: bool) -> None:
        """Send no more; what was staged is forgotten by the server itself, nobody can remove it."""
        for future in self._travelling:
            future.cancel()
        for future in self._travelling:
            with contextlib.suppress(BaseException):
                future.result()
        self._travelling.clear()
        self._waiting = bytearray()
        self._pool.shutdown()
