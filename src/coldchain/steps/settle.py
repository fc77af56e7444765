"""Has a file been left alone for long enough to be read?

A file counts as left alone when size, mtime, ctime and inode stood still over two looks, ``settle`` apart, and nobody
has it open for writing.  mtime and ctime are the kernel's memory of an earlier look: a file whose stamps are older than
``settle`` was not written since.  Where the stamps lie in the future (a clock that jumped, a camera with a wrong
year), they say nothing, and the ledger's memory of an earlier look decides.  The second look is at the moment of
reading, before and after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from coldchain.model import Entry

if TYPE_CHECKING:
    from coldchain.ledger.settling import Look

_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Recent:
    """The files that were modified too recently to be read: their number does not matter to the memory."""

    files: int = 0
    first_us: int = 0
    """Since when the one is left alone that will be ready first (microseconds since 1970)."""

    def and_one(self, since_us: int) -> Recent:
        """With one more, left alone since then."""
        return Recent(self.files + 1, min(since_us, self.first_us) if self.files else since_us)


NONE_RECENT = Recent()


class Settling:
    """Judges the files of one dataset at one moment."""

    def __init__(
        self,
        settle: timedelta,
        now: datetime,
        earlier: Callable[[str], Look | None],
        busy: Callable[[str], str],
        grows: Callable[[str], bool] = lambda path: False,
        remember: Callable[[Look], None] = lambda look: None,
    ) -> None:
        """Take ``earlier``, what the ledger remembers of a path; ``remember`` is told what it shall remember now."""
        self._settle_us = round(settle.total_seconds() * _US)
        self._now_us = round(now.timestamp() * _US)
        self._earlier, self._busy, self._remember = earlier, busy, remember
        self.grows = grows
        """Says of which files the job knows that they are never closed and only appended to: they need not settle."""
        self.recent = NONE_RECENT

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
        wait = _words(self._settle_us)
        if age_us >= 0:
            self.recent = self.recent.and_one(self._now_us - age_us)
            return f"modified {_words(age_us)} ago; it must be left alone for {wait}"
        seen, since_us = self._earlier(entry.path) or (entry, self._now_us)
        if seen != entry or since_us > self._now_us:
            since_us = self._now_us
        if self._now_us - since_us >= self._settle_us:
            return ""
        self.recent = self.recent.and_one(since_us)
        self._remember((entry, since_us))
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
