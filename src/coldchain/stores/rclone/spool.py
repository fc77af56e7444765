"""Where does a file wait until rclone has sent it?

In a private folder on a local disk, for rclone carries time and length of a file only when it has the whole of it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import weakref
from pathlib import Path

from coldchain.errors import StoreError, StoreFull, from_os_error
from coldchain.model import Entry

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Waiting:
    """One file in the spool."""

    def __init__(self, spool: str, url: str, key: str, entry: Entry) -> None:
        self.folder, self.name = spool, secrets.token_hex(8)
        self.size_bytes = 0
        self._url, self._key, self._entry = url, key, entry
        self._digest = hashlib.sha256()
        try:
            self._fd = os.open(Path(spool, self.name), _CREATE, 0o600)
        except OSError as error:
            raise self._error(error) from error
        # a staging that is dropped without being closed lets go of the file; the daemon's end removes it
        self._close = weakref.finalize(self, os.close, self._fd)

    @property
    def sha256(self) -> str:
        """The digest of what was written, whatever lies on the disk."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece."""
        try:
            with memoryview(chunk) as rest:
                written = 0
                while written < len(rest):
                    written += os.write(self._fd, rest[written:])
        except OSError as error:
            raise self._error(error) from error
        self._digest.update(chunk)
        self.size_bytes += len(chunk)

    def finish(self) -> None:
        """All was written; from now on it has the time of the source."""
        try:
            self._close()
            if mtime_ns := self._entry.mtime_ns:
                os.utime(Path(self.folder, self.name), ns=(mtime_ns, mtime_ns))
        except OSError as error:
            raise self._error(error) from error

    def forget(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):  # what could not be written shall not be there anyway
            self._close()
        Path(self.folder, self.name).unlink(missing_ok=True)

    def _error(self, error: OSError) -> StoreError:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            reason = f"no room is left in {self.folder}, where files wait for rclone; name a larger place in `spool`"
            return StoreFull(reason, url=self._url, key=self._key)
        return from_os_error(error, url=self._url, key=self._key)
