"""In which private folders does an rclone live, and which are left of one that a power cut ended?

Whoever lives in a folder holds a lock on it, which the system lets go when the last of its processes is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from coldchain.errors import ConfigurationError

_PREFIX = "coldchain-rclone-"
_YOUNG_S = 60
"""Between its making and its locking a folder seems to be nobody's."""


def private_folder(within: str) -> tuple[str, int]:
    """Make a folder that only its owner can enter; returns it, and a file descriptor that holds its lock."""
    import fcntl

    try:
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=within or None)  # of mode 0700
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(
            f"rclone: no folder can be made in {within or 'the temporary folder'}: {error}"
        ) from None
    with contextlib.suppress(OSError):  # a file system without locks; then nothing can be swept there either
        fcntl.flock(lock, fcntl.LOCK_SH)
    return folder, lock


def sweep(within: str, now_s: float | None = None) -> None:
    """Remove the folders of our own in which nobody lives any more; trouble with one of them is nobody's trouble."""
    import fcntl

    now_s = time.time() if now_s is None else now_s
    with contextlib.suppress(OSError):
        for folder in Path(within or tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    found = os.fstat(lock)
                    if found.st_uid != os.getuid() or now_s - found.st_mtime < _YOUNG_S:
                        continue
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)
