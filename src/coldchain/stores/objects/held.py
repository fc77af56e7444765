"""Where do the bytes of a small file wait for their name?"""

from __future__ import annotations

import tempfile
from typing import IO


class Held:
    """Bytes that are appended first and then sent: in memory, or in an unnamed temporary file."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._file: IO[bytes] | None = None

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

    def content(self) -> bytes:
        """The whole; may be asked for again."""
        if self._file is None:
            return bytes(self._bytes)
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Forget it."""
        self._bytes = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None
