"""Where do bytes wait that cannot be sent yet?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import IO


class InMemory:
    """Bytes that are read like a file, without a copy of the whole; as much of a file as a request asks for."""

    def __init__(self, content: bytes | bytearray) -> None:
        self._view, self._at = memoryview(content), 0

    def read(self, length: int = -1) -> bytes:
        """The next piece; all that is left without ``length``."""
        end = len(self._view) if length is None or length < 0 else self._at + length
        piece = bytes(self._view[self._at : end])
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go on from there."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._view)}[whence]
        self._at = max(0, min(start + offset, len(self._view)))
        return self._at

    def tell(self) -> int:
        """Where the next piece begins."""
        return self._at


class Held:
    """Bytes that are appended first and then sent: in memory, or in an unnamed temporary file."""

    def __init__(self, *, on_disk: bool = False) -> None:
        self._bytes = bytearray()
        self._file: IO[bytes] | None = None
        self.size_bytes = 0
        if on_disk:
            self.spill()

    @property
    def on_disk(self) -> bool:
        """What comes back from there may be something else."""
        return self._file is not None

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece."""
        self.size_bytes += len(chunk)
        if self._file is not None:
            self._file.write(chunk)
        else:
            self._bytes += chunk

    def spill(self) -> None:
        """Let it wait on disk from now on."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="coldchain-")  # noqa: SIM115
            self._file.write(self._bytes)
            self._bytes = bytearray()

    def body(self) -> InMemory | IO[bytes]:
        """The whole, in the form in which a request takes it; may be asked for again.

        Never as one piece: the time limit of a socket is for all of a piece (Python, ``socket.sendall``), so over a
        slow link a large one would be given up although it makes progress.
        """
        if self._file is None:
            return InMemory(self._bytes)
        self._file.seek(0)
        return self._file

    def content(self) -> bytes | bytearray:
        """The whole in memory; may be asked for again."""
        if self._file is None:
            return self._bytes
        self._file.seek(0)
        return self._file.read()

    def pieces(self, length: int) -> Iterator[bytes]:
        """Yield the whole in pieces."""
        if self._file is None:
            for start in range(0, len(self._bytes), length):
                yield bytes(self._bytes[start : start + length])
            return
        self._file.seek(0)
        while piece := self._file.read(length):
            yield piece

    def close(self) -> None:
        """Forget it."""
        self._bytes = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None
