"""Where do bytes wait that cannot be sent yet?"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from typing import IO


class Held:
    """Bytes that are appended first and then sent: in memory, or in an unnamed temporary file."""

    def __init__(self, *, on_disk: bool = False) -> None:
        self._bytes = bytearray()
        self._file: IO[bytes] | None = None
        if on_disk:
            self.spill()

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece."""
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

    def body(self) -> bytearray | IO[bytes]:
        """The whole, in the form in which a request takes it; may be asked for again."""
        if self._file is None:
            return self._bytes
        self._file.seek(0)
        return self._file

    def whole(self, sha256: bytes) -> bytes | bytearray | None:
        """The whole in memory; None when the disk does not give back what it was given, so that a server refuses it."""
        if self._file is None:
            return self._bytes
        self._file.seek(0)
        content = self._file.read()
        return content if hashlib.sha256(content).digest() == sha256 else None

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
