"""What kind of thing is it that a file system describes, and since when?"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from coldchain.model import Entry, Oddity

_TIMES = ("mtime", "modified", "modify", "last_modified", "LastModified", "updated", "created")
"""Under which names file systems of fsspec tell when a file was written."""


def seen(key: str, facts: Mapping[str, Any]) -> Entry | Oddity:
    """A plain file, or what else stands there."""
    if facts.get("islink"):
        return Oddity(key, "symlink", "a symbolic link; links are not followed")
    if facts["type"] == "file" and facts.get("size") is not None:
        return Entry(key, int(facts["size"]), mtime_ns(facts), inode=int(facts.get("ino", 0) or 0))
    if facts["type"] == "directory":
        return Oddity(key, "special", "a folder")
    if facts["type"] == "file":
        return Oddity(key, "unreadable", "the server does not say how large it is")
    return Oddity(key, "special", f"{facts['type']}; only plain files are carried")


def mtime_ns(facts: Mapping[str, Any]) -> int:
    """When it was last written, 0 where the place does not say."""
    said = next((facts[name] for name in _TIMES if facts.get(name)), None)
    match said:
        case int() | float():
            with contextlib.suppress(ValueError, OverflowError):  # no number, or infinite
                return round(said * 1_000_000) * 1000  # finer is not in a floating-point number of this size
        case datetime():
            return _in_ns(said)
        case str():
            with contextlib.suppress(ValueError):
                return _in_ns(datetime.strptime(said[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC))  # RFC 3659, MLST
            with contextlib.suppress(ValueError):
                return _in_ns(datetime.fromisoformat(said))
            with contextlib.suppress(ValueError, TypeError, OverflowError):
                return _in_ns(parsedate_to_datetime(said))
    return 0


def _in_ns(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000


def name_of(facts: Mapping[str, Any]) -> str:
    """The last part of the path that a listing shows."""
    return str(facts["name"]).rstrip("/").rpartition("/")[2]
