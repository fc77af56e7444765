"""How is a local file read: without blocking, and past the page cache when its copy shall be proved?"""

from __future__ import annotations

import errno
import io
import mmap
import os
import stat as stats
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from coldchain.errors import NotAFile, from_os_error
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES

if TYPE_CHECKING:
    from coldchain.stores.local.base import LocalRoot

_ALIGNED = 4096
_BLOCK_BYTES = 4 * CHUNK_BYTES


class LocalReader:
    """One open file; implements ``coldchain.stores.base.Reader``."""

    __slots__ = ("_begun", "_fd", "_key", "_root", "_url", "entry", "how")

    def __init__(
        self, root: LocalRoot, key: str, *, past_cache: bool, url: str, opened: tuple[int, str] | None = None
    ) -> None:
        """``opened`` comes from a caller that emptied the cache itself; the descriptor is the reader's from now on."""
        self._root, self._key, self._url = root, key, url
        self.how, self._begun = "cached", False
        if opened is not None:
            self._fd, self.how = opened
        elif past_cache:
            self._fd, self.how = root.open_past_cache(key)
        else:
            self._fd = root.open(key)
        status = self._status()
        if not stats.S_ISREG(status.st_mode):
            self._close()
            raise NotAFile("no plain file", url=url, key=key)
        self.entry = entry_of(key, status)

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Read from the start to the end of the file as it then is."""
        try:
            if self.how == "direct":
                yield from self._direct()
            else:
                yield from self._buffered()
        except OSError as error:
            raise from_os_error(error, url=self._url, key=self._key) from error

    def _buffered(self) -> Iterator[bytes]:
        self._rewind()
        wanted = min(self.entry.size_bytes + 1, CHUNK_BYTES)  # one byte more: the whole and nothing else is the end
        while chunk := os.read(self._fd, wanted):
            yield chunk
            if len(chunk) == self.entry.size_bytes < wanted:
                return
            wanted = CHUNK_BYTES

    def _rewind(self) -> None:
        """Most files are read once, and begin at their beginning."""
        if self._begun:
            os.lseek(self._fd, 0, os.SEEK_SET)
        self._begun = True

    def _direct(self) -> Iterator[bytes | memoryview]:
        """Past the cache only whole, aligned blocks are read; where that is refused, the cache is asked to forget."""
        self._rewind()
        done = 0
        try:
            for block in self._blocks():
                done += len(block)
                for start in range(0, len(block), CHUNK_BYTES):
                    with block[start : start + CHUNK_BYTES] as piece:
                        yield piece
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            yield from self._after_refusal(done)

    def _blocks(self) -> Iterator[memoryview]:
        """One block while the next is being read; a small file fits into one, and needs no thread."""
        whole = self.entry.size_bytes
        size = min(_BLOCK_BYTES, -(-(whole + 1) // _ALIGNED) * _ALIGNED)
        with ExitStack() as stack:
            # readinto is the one read into a buffer that Windows has too
            file = stack.enter_context(io.FileIO(self._fd, closefd=False))
            views = [
                stack.enter_context(memoryview(stack.enter_context(mmap.mmap(-1, size))))
                for _ in range(1 if size < _BLOCK_BYTES else 2)
            ]
            if len(views) == 1:
                yield from _one_by_one(file, views[0], whole)
                return
            ahead = stack.enter_context(ThreadPoolExecutor(1, "coldchain-ahead"))
            reading = ahead.submit(file.readinto, views[0])
            done = 0
            while length := reading.result() or 0:
                done += length
                block = views[0][:length]
                views.reverse()
                last = length < size and done >= whole
                if not last:
                    reading = ahead.submit(file.readinto, views[0])
                with block:
                    yield block
                if last:
                    return

    def _after_refusal(self, position: int) -> Iterator[bytes]:
        os.close(self._fd)
        self._fd = self._root.open(self._key)
        self.how = self._root.evict(self._fd)
        os.lseek(self._fd, position, os.SEEK_SET)
        while chunk := os.read(self._fd, CHUNK_BYTES):
            yield chunk

    def piece(self, offset: int, length: int) -> bytes:
        """By position, through the page cache; a system without ``pread`` seeks there and back."""
        if self.how == "direct":
            raise ValueError("past the cache only whole, aligned blocks can be read")
        try:
            pieces = list(_pieces(self._fd, offset, length))
        except OSError as error:
            raise from_os_error(error, url=self._url, key=self._key) from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def look_again(self) -> Entry:
        """The open file, not the name."""
        return entry_of(self._key, os.fstat(self._fd))

    def being_written(self) -> bool:
        """Whether some program has the file open for writing, as far as the system can tell."""
        return self._root.has_writer(self._fd)

    def _status(self) -> os.stat_result:
        try:
            return os.fstat(self._fd)
        except OSError:
            self._close()
            raise

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()


def _pieces(fd: int, offset: int, length: int) -> Iterator[bytes]:
    while length > 0 and (piece := _read_at(fd, offset, length)):
        yield piece
        offset += len(piece)
        length -= len(piece)


if hasattr(os, "pread"):

    def _read_at(fd: int, offset: int, length: int) -> bytes:
        return os.pread(fd, length, offset)

else:

    def _read_at(fd: int, offset: int, length: int) -> bytes:
        before = os.lseek(fd, 0, os.SEEK_CUR)
        os.lseek(fd, offset, os.SEEK_SET)
        try:
            return os.read(fd, length)
        finally:
            os.lseek(fd, before, os.SEEK_SET)


def _one_by_one(file: io.FileIO, view: memoryview, whole: int) -> Iterator[memoryview]:
    done = 0
    while length := file.readinto(view) or 0:
        done += length
        with view[:length] as block:
            yield block
        if length < len(view) and done >= whole:
            return


def entry_of(key: str, status: os.stat_result) -> Entry:
    """What the system says of one file."""
    return Entry(key, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)
