"""How are the small files of a batch read back, so that the disk works on many of them at once?

A group of them is asked for while the group before it is hashed: past the page cache where Linux reads many at once
(``local.aio``), elsewhere through the cache, once that was told to forget them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.local.reading import entry_of

if TYPE_CHECKING:
    from coldchain.stores.local.base import LocalRoot

SMALL_BYTES = 256 << 10
"""Larger ones keep the disk busy each by itself."""
TOGETHER = 16
_OPEN = 8
"""So many stay open until they are asked for, and as many again; a process may have 1,024 files open."""


class Opened(NamedTuple):
    """A file that the cache forgot and the disk was asked for."""

    fd: int
    how: str


class HeldReader:
    """A small file that was read already; implements ``coldchain.stores.base.Reader``."""

    __slots__ = ("_content", "entry", "how")

    def __init__(self, entry: Entry, content: bytes) -> None:
        self.entry, self._content, self.how = entry, content, "direct"

    def chunks(self) -> Iterator[bytes]:
        """All of it."""
        for start in range(0, len(self._content), CHUNK_BYTES):
            yield self._content[start : start + CHUNK_BYTES]

    def piece(self, offset: int, length: int) -> bytes:
        """It was opened past the cache."""
        raise ValueError("past the cache a file is read as a whole")

    def look_again(self) -> Entry:
        """As it was when it was read: it is nobody's but ours."""
        return self.entry

    def being_written(self) -> bool:
        """It was closed."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""


class Ahead:
    """Files that are read in this order, some before they are asked for."""

    def __init__(self, root: LocalRoot, keys: Sequence[str]) -> None:
        self._root, self._rest = root, iter(keys)
        self._at_once = root.reads_at_once() if len(keys) > 1 else None
        self._here: dict[str, HeldReader | Opened] = {}
        self._asked: list[tuple[str, Entry, int]] = []
        """Those that are being read at once: name, what stands there, and descriptor."""
        self._opened: dict[str, Opened] = {}
        self._group: list[str] = []
        """The names of those that were asked for."""
        self._ask()

    def take(self, key: str) -> HeldReader | Opened | None:
        """The file, which is the caller's from now on; None where nothing was read ahead of it."""
        if key in self._group:
            self._drop()
            self._here = self._arrived()
            self._ask()
        return self._here.pop(key, None)

    def close(self) -> None:
        """Let go of what nobody asked for."""
        self._drop()
        self._here = self._arrived()
        self._drop()
        self._rest, self._group = iter(()), []
        if self._at_once is not None:
            self._at_once.give_back()
            self._at_once = None

    def _drop(self) -> None:
        """Let go of those of the group before that nobody asked for."""
        for held in self._here.values():
            if isinstance(held, Opened):
                os.close(held.fd)
        self._here = {}

    def _ask(self) -> None:
        """Let the disk begin with the next group."""
        self._group = list(islice(self._rest, TOGETHER if self._at_once else _OPEN))
        for key in self._group:
            with suppress(OSError):  # it is opened again when it is asked for, and then the error is that file's own
                self._open(key)
        if self._at_once is not None and self._asked:
            self._at_once.begin([(fd, entry.size_bytes) for _, entry, fd in self._asked])

    def _open(self, key: str) -> None:
        fd, how = self._root.open_past_cache(key)
        try:
            if how == "direct" and self._at_once is not None:
                entry = entry_of(key, os.fstat(fd))
                if entry.size_bytes <= SMALL_BYTES:
                    self._asked.append((key, entry, fd))
                    fd = -1
            elif how in ("evicted", "dontneed"):
                self._root.read_ahead(fd)
                self._opened[key] = Opened(fd, how)
                fd = -1
        finally:
            if fd >= 0:
                os.close(fd)

    def _arrived(self) -> dict[str, HeldReader | Opened]:
        """What the group that was asked for gave; what is not as long as its file is read once more, by itself."""
        found: dict[str, HeldReader | Opened] = dict(self._opened)
        self._opened = {}
        if self._at_once is not None and self._asked:
            for (key, entry, fd), content in zip(self._asked, self._at_once.finish(), strict=True):
                os.close(fd)
                if content is not None and len(content) == entry.size_bytes:
                    found[key] = HeldReader(entry, content)
            self._asked = []
        return found
