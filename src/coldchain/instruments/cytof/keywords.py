"""Which keywords stand in the TEXT of an FCS file?

Sources: "Data File Standard for Flow Cytometry", FCS 2.0 (1990), 3.0 (1997), 3.1 (2010), 3.2 (2020), section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_ESCAPED = "\ud800"
"""Stands for a doubled delimiter; decoded bytes never hold it."""
_MOST = 50_000


def keywords_of(text: bytes) -> dict[str, str]:
    """Read the keywords, in capitals, each with its first value; takes anything, and never fails.

    The first byte is the delimiter, and twice the delimiter is one that belongs to a value.  Real files also have
    empty values, which look the same (source: 0877408774.B08 of flowCore); a keyword of the standard that got lost by
    that is found again by reading the delimiters as they come.
    """
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:  # source: $FIL = "130515 C2 stim\xC9CD19-.fcs", CELLQuest's "\xAA 3.3"
        decoded = text.decode("latin-1")
    if len(decoded) < 2:
        return {}
    delimiter, body = decoded[0], decoded[1:]
    escaped = body.replace(delimiter * 2, _ESCAPED).split(delimiter, 2 * _MOST)
    found: dict[str, str] = {}
    for key, value in _pairs(escaped[: 2 * _MOST]):
        found.setdefault(key.replace(_ESCAPED, delimiter), value.replace(_ESCAPED, delimiter))
    if delimiter * 2 in body:
        for key, value in _pairs(body.split(delimiter, 2 * _MOST)[: 2 * _MOST]):
            if key.startswith("$"):
                found.setdefault(key, value)
    return found


def _pairs(words: list[str]) -> Iterable[tuple[str, str]]:
    return ((key.strip().upper(), value) for key, value in zip(words[::2], words[1::2], strict=False))


def number_of(keywords: Mapping[str, str], key: str) -> int | None:
    """A whole number below 1,000 million million, None when there is none; writers pad it with blanks or zeros."""
    value = keywords.get(key, "").strip(" \0")
    return int(value) if re.fullmatch(r"0{0,20}[0-9]{1,15}", value) else None
