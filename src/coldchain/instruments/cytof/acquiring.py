"""Is an .imd being acquired, finished, or did its acquisition crash?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from coldchain.errors import StoreError
from coldchain.instruments.base import Look
from coldchain.instruments.cytof.imd import WINDOW_BYTES, XML_BYTES, analytes_of, has_tail
from coldchain.model import Entry

QUIET = timedelta(minutes=30)
"""Nothing writes to a file that did not grow for so long; a CyTOF writes some 12 MB a second while it acquires."""
_GROWN_BYTES = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_MICROSECONDS = 7000 * 365 * 86_400 * 1_000_000
_FORM = "imd1"
"""Changes when what is remembered changes its form."""


class Imd(NamedTuple):
    """What was found out of one .imd."""

    entry: Entry
    whole: bool = False
    acquired: str = ""
    """How one sees that it is being acquired: "was written 12 s ago"; "" when it is not."""
    trouble: str = ""
    """Why it could not be read."""

    @property
    def crashed(self) -> bool:
        """Without its tail, and nothing has been written to it for long."""
        return not (self.whole or self.acquired or self.trouble)


def look_at_end(look: Look, entry: Entry) -> Imd:
    """Read the last bytes, at most once for a file that does not change; never raises."""
    if look.recall(entry.path, stamp_of(entry)) is not None:
        return Imd(entry, whole=True)
    window = min(entry.size_bytes, WINDOW_BYTES)
    try:
        end = look.piece(entry.path, entry.size_bytes - window, window + _GROWN_BYTES)
    except StoreError as error:
        # A program may keep others from reading while it writes, so one that is young counts as being written.
        acquired = written_lately(look, entry)
        return Imd(entry, acquired=acquired, trouble="" if acquired else error.reason)
    if len(end) != window:  # another one than was listed
        return Imd(entry, acquired="is growing" if len(end) > window else "is being rewritten")
    if has_tail(end):
        return Imd(entry, whole=True)
    return Imd(entry, acquired=_said(look, entry))


def analytes_in(look: Look, entry: Entry) -> list[str]:
    """The analytes of a whole .imd, from its tail; remembered.  Raises StoreError."""
    kept = look.recall(entry.path, stamp_of(entry))
    if isinstance(kept, list) and all(isinstance(name, str) for name in kept):
        return kept
    analytes = analytes_of(look.piece(entry.path, max(0, entry.size_bytes - XML_BYTES), XML_BYTES))
    look.remember(entry.path, stamp_of(entry), analytes)
    return analytes


def stamp_of(entry: Entry) -> str:
    """Changes whenever the file does."""
    return f"{_FORM}:{entry.size_bytes}:{entry.mtime_ns}"


def written_lately(look: Look, entry: Entry) -> str:
    """How long ago it was written, in words; "" when that was long ago, or lies in a far future that says nothing."""
    return _lately("was written", look.now - _modified(entry))


def _said(look: Look, entry: Entry) -> str:
    """How one sees that an .imd without tail is being written, "" when it is left alone.

    Windows may let the time stamp of an open file stand still for hours, and a clock may be wrong.  So where a file
    grew since an earlier run and its stamp did not move, or where the stamp lies in the future, that run counts in
    which it was first seen as it is now.
    """
    unit, stamp = f"//{entry.path}", stamp_of(entry)  # no path begins so
    kept, earlier = look.recall(unit, stamp), look.recalled.get(unit)
    stood_still = isinstance(earlier, list) and str(earlier[:1]).endswith(f":{entry.mtime_ns}']")
    written = modified = _modified(entry)
    if isinstance(kept, str):
        written = _moment(kept) or modified
    elif stood_still or modified - look.now >= QUIET:
        written = look.now
    look.remember(unit, stamp, written.isoformat())
    return _lately("was written" if written == modified else "was first seen like this", look.now - written)


def _modified(entry: Entry) -> datetime:
    """When it was modified; Windows can tell of years that Python does not know."""
    return _EPOCH + timedelta(microseconds=min(max(entry.mtime_ns // 1000, 0), _MOST_MICROSECONDS))


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _lately(what: str, age: timedelta) -> str:
    if not -QUIET < age < QUIET:
        return ""
    seconds = max(0, int(age.total_seconds()))
    return f"{what} {seconds} s ago" if seconds < 120 else f"{what} {seconds // 60} min ago"
