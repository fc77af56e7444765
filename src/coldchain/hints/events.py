"""What does the file system of this machine say that has changed?"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from coldchain.hints.base import NOTHING, Ear, Hints

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

_STEP_MS = 100
_GATHER_MS = 400
_IDENTITY_EVERY_S = 1.0
_BURST = 2000
"""So many changes at once may have been too many for the queue of the system, and watchfiles (1.3) does not pass on
that it overflowed: its ``event.paths.first()`` is None for that event."""
_QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")
_EVENTS_A_CHANGE = 8
"""One new file is told of by some events: it was made, opened, written to, closed."""
_TRIES = 3
_FORGIVEN_S = 600.0


class Events:
    """Listens to a folder with watchfiles; falls back to looks where that gives up.

    The folder itself may go away and come back, or another may be mounted over it: its device and inode are compared
    all the time, for neither inotify nor its likes tell that of the folder they were asked about.
    """

    def __init__(self, folder: str, fall_back: Callable[[], Ear]) -> None:
        self.how = "events"
        self._folder, self._fall_back = folder, fall_back
        self._notify: RustNotify | None = None
        self._identity: tuple[int, int] | None = None
        self._asked = 0.0
        self._failures: list[float] = []
        self._burst = _BURST
        self._other: Ear | None = None
        self._open()

    def wait(self, timeout_s: float, stopping: Callable[[], bool]) -> Hints:
        """See ``Ear``."""
        if self._other is not None:
            return self._other.wait(timeout_s, stopping)
        if moved := self._moved():
            return moved
        if self._notify is None:
            time.sleep(timeout_s)
            return NOTHING
        from watchfiles._rust_notify import WatchfilesRustInternalError

        try:
            found = self._notify.watch(_GATHER_MS, _STEP_MS, max(1, round(timeout_s * 1000)), None)
        except (WatchfilesRustInternalError, OSError) as error:
            # One name that is not UTF-8 makes it fail for good, so it is opened anew.
            self._failed()
            return Hints(everywhere=f"events were lost ({type(error).__name__})")
        return self._hints(found) if isinstance(found, set) else NOTHING

    def close(self) -> None:
        """See ``Ear``."""
        if self._notify is not None:
            self._notify.close()
            self._notify = None
        if self._other is not None:
            self._other.close()

    def _hints(self, found: set[tuple[int, str]]) -> Hints:
        if len(found) >= self._burst:
            return Hints(everywhere="so much changed at once that events may be lost")
        root = self._folder.rstrip(os.sep) + os.sep
        paths = {path.removeprefix(root) for _, path in found if path.startswith(root)}
        return Hints(frozenset(path.replace(os.sep, "/") for path in paths))

    def _moved(self) -> Hints | None:
        """Whether another folder, or none, or one again, is at the place."""
        now = time.monotonic()
        if now - self._asked < _IDENTITY_EVERY_S:
            return None
        self._asked = now
        identity = self._who()
        if identity == self._identity and (self._notify is not None or identity is None):
            return None
        self._open()
        return Hints(everywhere="the source went away" if identity is None else "another folder is at the source")

    def _who(self) -> tuple[int, int] | None:
        try:
            found = Path(self._folder).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _open(self) -> None:
        from watchfiles._rust_notify import RustNotify

        if self._notify is not None:
            self._notify.close()
            self._notify = None
        self._identity = self._who()
        if self._identity is None:
            return
        self._burst = _burst()
        try:
            self._notify = RustNotify([self._folder], False, False, 300, True, True)
        except (OSError, UnicodeError, RuntimeError):  # no watches left (max_user_watches), or it went away just now
            self._failed()

    def _failed(self) -> None:
        now = time.monotonic()
        self._failures = [*(one for one in self._failures if now - one < _FORGIVEN_S), now]
        if len(self._failures) >= _TRIES:
            self.close()
            self._other = self._fall_back()
            self.how = f"{self._other.how}, as events fail here"
        elif self._identity is not None:
            self._open()


def _burst() -> int:
    """How many changes at once make a full queue likely; somebody may have made it shorter than usual (16,384)."""
    try:
        return min(_BURST, max(1, int(_QUEUE.read_text()) // _EVENTS_A_CHANGE))
    except (OSError, ValueError):  # not Linux
        return _BURST
