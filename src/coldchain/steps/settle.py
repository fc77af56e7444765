"""Has a file been left alone for long enough to be read?

A file counts as left alone when size, mtime, ctime and inode stood still over two looks, ``settle`` apart, and nobody
has it open for writing.  mtime and ctime are the kernel's memory of an earlier look: a file whose stamps are older than
``settle`` was not written since.  Where the stamps lie in the future (a clock that jumped, a camera with a wrong
year), they say nothing, and the ledger's memory of an earlier look decides.  The second look is at the moment of
reading, before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from coldchain.model import Entry

_US = 1_000_000


class Settling:
    """Judges the files of one dataset at one moment."""

    def __init__(
        self,
        settle: timedelta,
        now: datetime,
        earlier: Mapping[str, tuple[Entry, int]],
        busy: Callable[[str], str],
        grows: Callable[[str], bool] = lambda path: False,
    ) -> None:
        self._settle_us = round(settle.total_seconds() * _US)
        self._now_us = round(now.timestamp() * _US)
        self._earlier, self._busy = earlier, busy
        self.grows = grows
        """Says of which files the job knows that they are never closed and only appended to: they need not settle."""
        self.looks: dict[str, tuple[Entry, int]] = {}
        """What the ledger shall remember: path to the entry and when it was first seen so (microseconds)."""

    def reason_to_wait(self, entry: Entry) -> str:
        """Say why the file is not ready, or ""."""
        if self.grows(entry.path):
            return ""
        return self._recent(entry) or self._busy(entry.path)

    def _recent(self, entry: Entry) -> str:
        if not self._settle_us:
            return ""
        age_us = self._now_us - max(entry.mtime_ns, entry.ctime_ns) // 1000
        if age_us >= self._settle_us:
            return ""
        seen, since_us = self._earlier.get(entry.path, (entry, self._now_us))
        if seen != entry or since_us > self._now_us:
            since_us = self._now_us
        self.looks[entry.path] = (entry, since_us)
        wait = _words(self._settle_us)
        if age_us >= 0:
            return f"modified {_words(age_us)} ago; it must be left alone for {wait}"
        if self._now_us - since_us >= self._settle_us:
            del self.looks[entry.path]
            return ""
        ahead = _words(-age_us)
        return (
            f"its time stamp is {ahead} in the future; seen unchanged for {_words(self._now_us - since_us)} of {wait}"
        )


def _words(duration_us: int) -> str:
    seconds = duration_us // _US
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
