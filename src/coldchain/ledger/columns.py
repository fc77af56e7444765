"""How do Python's values become columns that sort and compare alike in SQLite and PostgreSQL?

Names are stored as bytes (UTF-8 with lone surrogates let through): both databases compare bytes by ``memcmp``, which
for UTF-8 is the order of code points, and neither refuses NUL, lone surrogates or a collation it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WRAP = 1 << 64
_SIGNED_LIMIT = 1 << 63
_EARLIEST_NS = -(1 << 61)
"""No file is older than 1896: what looks so is a time between 2262 and 2481 that was wrapped."""

_encode = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def microseconds(at: datetime) -> int:
    """Microseconds since 1970 in UTC, exactly; ``at`` must know its time zone."""
    if at.tzinfo is None:
        raise ValueError(f"a time without a time zone: {at!r}")
    return (at - _EPOCH) // _MICROSECOND


def moment(us: int) -> datetime:
    """The inverse of ``microseconds``."""
    return _EPOCH + timedelta(microseconds=us)


def blob(text: str) -> bytes:
    """A name as it is stored."""
    return text.encode("utf-8", "surrogatepass")


def text(stored: bytes) -> str:
    """The inverse of ``blob``; raises UnicodeDecodeError for bytes that ``blob`` never makes."""
    return stored.decode("utf-8", "surrogatepass")


def printable(text: str) -> str:
    """A text for people in a column of text, which takes neither lone surrogates nor, in PostgreSQL, NUL."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def signed(value: int) -> int:
    """Fold an integer into the signed 64 bits that both databases have.

    Inodes use all 64 bits on some file systems, and mtimes in nanoseconds leave 63 bits in the year 2262.
    """
    if -_SIGNED_LIMIT <= value < _SIGNED_LIMIT:
        return value
    value %= _WRAP
    return value - _WRAP if value >= _SIGNED_LIMIT else value


def unsigned(value: int) -> int:
    """The inverse of ``signed`` for inodes."""
    return value if value >= 0 else value + _WRAP


def nanoseconds(value: int) -> int:
    """The inverse of ``signed`` for times between 1896 and 2481."""
    return value if value >= _EARLIEST_NS else value + _WRAP


def canonical_json(value: Mapping[str, object]) -> str:
    """JSON in one form only: ASCII, sorted keys, no spaces; lone surrogates and NUL come as escapes."""
    return _encode(value)
