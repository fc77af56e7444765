"""How do names, times and numbers stand in a line of a manifest?"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from coldchain.ledger.columns import microseconds

LINE_LIMIT_BYTES = 1 << 20
"""No name is a hundredth as long; a longer line is not ours, and must not fill the memory."""

_readable = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ascii = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def encoded(fields: Mapping[str, object]) -> bytes:
    """One line of JSON in UTF-8, without its newline.

    Where a text holds a lone surrogate, which UTF-8 cannot, the line is ASCII, and the surrogate an escape.
    """
    try:
        return _readable(fields).encode("utf-8")
    except UnicodeEncodeError:
        return _ascii(fields).encode("ascii")


def size_limit_bytes(fields: Mapping[str, object]) -> int:
    """What ``encoded`` makes of them at most: as part of a line that holds a lone surrogate anywhere."""
    return len(_ascii(fields))


def named(field: str, name: str) -> dict[str, object]:
    """A name to read and, where that cannot tell them, its bytes."""
    for kind, errors in (("", "strict"), ("_b64", "surrogateescape"), ("_wtf8_b64", "surrogatepass")):
        try:
            raw = name.encode("utf-8", errors)
        except UnicodeEncodeError:
            continue
        if not kind:
            break
        return {field: raw.decode("utf-8", "replace"), f"{field}{kind}": base64.b64encode(raw).decode("ascii")}
    return {field: name}


def stamped(at: datetime) -> str:
    """A time, in UTC, to the microsecond."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def read_name(fields: Mapping[str, Any], field: str) -> str:
    """The inverse of ``named``; this and what follows raises KeyError, TypeError or ValueError for anything else."""
    for kind, errors in (("_b64", "surrogateescape"), ("_wtf8_b64", "surrogatepass")):
        if f"{field}{kind}" in fields:
            try:
                return base64.b64decode(read_text(fields, f"{field}{kind}"), validate=True).decode("utf-8", errors)
            except binascii.Error:
                raise ValueError(f"{field}{kind}") from None
    return read_text(fields, field)


def read_text(fields: Mapping[str, Any], field: str) -> str:
    """A text."""
    if not isinstance(fields[field], str):
        raise TypeError(field)
    return str(fields[field])


def read_number(fields: Mapping[str, Any], field: str, least: int = -(1 << 63), most: int = (1 << 64) - 1) -> int:
    """A whole number that fits into 64 bits; a column without ``columns.signed`` has one less for it."""
    if type(fields[field]) is not int or not least <= fields[field] <= most:
        raise TypeError(field)
    return int(fields[field])


def read_time(fields: Mapping[str, Any], field: str) -> datetime:
    """A time that knows its zone."""
    found = datetime.fromisoformat(read_text(fields, field))
    microseconds(found)
    try:
        return found.astimezone(UTC)
    except OverflowError:  # before the first year, or after the last one
        raise ValueError(field) from None
