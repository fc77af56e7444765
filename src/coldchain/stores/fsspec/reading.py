"""How is a file read so that nobody takes a mixture of two versions for one?"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any, Self

from coldchain.errors import ChangedUnderway, NotAFile
from coldchain.model import Entry, Oddity
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.fsspec.facts import seen
from coldchain.stores.fsspec.line import Line
from coldchain.stores.fsspec.where import Where, open_filesystem


def look(line: Line, key: str) -> Entry:
    """Say what stands under a key; raises NotFound, NotAFile."""
    found = seen(key, line.info(key))
    if isinstance(found, Oddity):
        raise NotAFile(found.reason, url=line.place.url, key=key)
    return found


class FsspecReader:
    """One file; a small one is fetched at once, a large one flows."""

    def __init__(self, line: Line, key: str, how: str) -> None:
        """Look and open; raises NotFound, NotAFile."""
        self._line, self._key = line, key
        self.entry = look(line, key)
        self.how = how
        self._file: IO[bytes] | None = None

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Yield the content; raises ChangedUnderway when it is not as long as the entry says."""
        left = self.entry.size_bytes
        if 0 < left <= CHUNK_BYTES:
            content: bytes = self._line.ask(self._key, lambda fs, path: fs.cat_file(path))
            if len(content) != left:
                raise self._changed()
            yield content
            return
        while left:
            chunk = self._next(min(left, CHUNK_BYTES))
            left -= len(chunk)
            yield chunk
        if self.entry.size_bytes and self._read(1):
            raise self._changed()

    def _next(self, wanted: int) -> bytes:
        """The next whole piece: streams may give less than was asked for."""
        pieces: list[bytes] = []
        while wanted:
            piece = self._read(wanted)
            if not piece:
                raise self._changed()
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    def _read(self, wanted: int) -> bytes:
        return bytes(self._line.do(self._key, lambda _, __: self._flow().read(wanted)))

    def _flow(self) -> IO[bytes]:
        if self._file is None:
            self._file = self._line.do(self._key, self._open)
        return self._file

    def _open(self, fs: Any, path: str) -> IO[bytes]:
        if self._line.place.habit.spools:
            spool = tempfile.TemporaryFile(prefix="coldchain-")  # noqa: SIM115
            fs.get_file(path, spool)
            spool.seek(0)
            return spool
        file: IO[bytes] = fs.open(path, "rb")
        if isinstance(file, io.BytesIO):  # fsspec's memory gives everybody the same one
            return io.BytesIO(file.getvalue())
        return file

    def piece(self, offset: int, length: int) -> bytes:
        """Read a range, by a request of its own."""
        end = min(offset + length, self.entry.size_bytes)
        if offset >= end:
            return b""
        place = self._line.place
        if place.protocol == "ftp" and end < self.entry.size_bytes:
            return self._line.ask(self._key, lambda _, path: _piece_by_ftp(place, path, offset, end - offset))
        return bytes(self._line.ask(self._key, lambda fs, path: fs.cat_file(path, start=offset, end=end)))

    def look_again(self) -> Entry:
        """By name, for there are no open files here."""
        return look(self._line, self._key)

    def being_written(self) -> bool:
        """Nobody can tell."""
        return False

    def _changed(self) -> ChangedUnderway:
        return ChangedUnderway("it changed while it was read", url=self._line.place.url, key=self._key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(Exception):
                self._file.close()


def _piece_by_ftp(place: Where, path: str, offset: int, length: int) -> bytes:
    """Hang up when enough has come: FTP has no end of a range.

    fsspec aborts the transfer and waits for two replies, for half a minute where a server sends only one (seen with
    that of rclone 1.75.2); so this one has a connection of its own, which nobody needs after that.
    """
    fs, _ = open_filesystem(place)  # which hangs up when nobody holds it
    with contextlib.closing(fs.ftp) as client:
        client.voidcmd("TYPE I")
        with client.transfercmd(f"RETR {path}", rest=offset) as data, data.makefile("rb") as stream:
            return bytes(stream.read(length))
