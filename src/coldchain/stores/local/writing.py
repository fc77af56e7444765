"""How is a large file written past the page cache?

What the disk refuses is told by the write itself, not by the flush of a whole batch; the cache keeps what other
programs have in it; and the system does not copy the bytes.
"""

from __future__ import annotations

import errno
import mmap
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coldchain.stores.local.base import LocalRoot

_ALIGNED = 4096
_BLOCK_BYTES = 4 << 20


class WriterPastCache:
    """Gathers the pieces of one file into blocks, for only whole and aligned ones go past the cache; raises OSError."""

    __slots__ = ("_block", "_direct", "_fd", "_filled", "_root")

    def __init__(self, root: LocalRoot, fd: int) -> None:
        """The file is empty, and ``root.writes_past_cache(fd)`` said yes."""
        self._root, self._fd, self._direct = root, fd, True
        self._block = mmap.mmap(-1, _BLOCK_BYTES)
        self._filled = 0

    def write(self, chunk: bytes | memoryview) -> None:
        """Take a piece of any length; it may be written only with a later one."""
        with memoryview(chunk) as pieces:
            taken = 0
            while taken < len(pieces):
                end = min(len(pieces), taken + _BLOCK_BYTES - self._filled)
                self._block[self._filled : self._filled + end - taken] = pieces[taken:end]
                self._filled += end - taken
                taken = end
                if self._filled == _BLOCK_BYTES:
                    self._put(0, _BLOCK_BYTES)
                    self._filled = 0

    def finish(self) -> None:
        """Write the rest; the last bytes of a file are seldom a whole block, and go through the cache."""
        whole = self._filled // _ALIGNED * _ALIGNED
        self._put(0, whole)
        self._through_cache()
        self._put(whole, self._filled)
        self._filled = 0

    def _put(self, start: int, end: int) -> None:
        with memoryview(self._block) as view:
            while start < end:
                try:
                    start += os.write(self._fd, view[start:end])
                except OSError as error:
                    if error.errno != errno.EINVAL or not self._direct:
                        raise
                    self._through_cache()  # this disk has larger blocks, or wrote only a part of one

    def _through_cache(self) -> None:
        if self._direct:
            self._root.write_through_cache(self._fd)
            self._direct = False
