"""Is an FCS file whole, by its own numbers?

Its header, 58 bytes, says where TEXT lies, and TEXT says where the data lie and how many events of how many bits there
are.  Sources: "Data File Standard for Flow Cytometry", FCS 2.0 (1990), 3.0 (1997), 3.1 (2010), sections 3.1 to 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from coldchain.instruments.cytof.keywords import keywords_of, number_of

Read = Callable[[int, int], bytes]
"""Reads up to so many bytes (second) from an offset (first) on, fewer only where the file ends."""

MAGIC_BYTES, HEADER_BYTES = 6, 58
HEAD_BYTES = 8192
"""The first piece; the TEXT of a CyTOF, some 7 KB, lies within it."""
TEXT_BYTES = 2 << 20
"""So much of a TEXT is read, at most."""
_MOST_SETS = 16
_MOST_PARAMETERS = 10_000
_MAGIC = re.compile(rb"FCS[1-9]\.[0-9]")

Range = tuple[int, int]
"""First and last byte, both included, as FCS counts."""


@dataclass(slots=True)
class Fcs:
    """What was found out of one file."""

    version: str
    """``FCS3.0``."""
    keywords: dict[str, str] = field(default_factory=dict)
    """Those of its first data set, in capitals."""
    cut: str = ""
    """Why it is not whole: something lies, by its own numbers, beyond its end.  "" when nothing does."""
    lacking_bytes: int = 0
    """So many bytes are missing, at least; 0 when that cannot be told."""
    odd: list[str] = field(default_factory=list)
    """What does not fit together without anything being missing."""
    sets: int = 0
    """Data sets that were looked at; most files have one."""


def begins_as_fcs(head: bytes) -> bool:
    """Whether these are the first bytes of an FCS file, whatever its name."""
    return _MAGIC.match(head) is not None


def read_fcs(read: Read, size_bytes: int) -> Fcs | None:
    """Look into a file of this size; None when it does not begin as FCS does.  Raises only what ``read`` raises."""
    head = read(0, HEAD_BYTES)
    if not begins_as_fcs(head):
        return None
    fcs = Fcs(head[:MAGIC_BYTES].decode("ascii"))
    base = 0
    while fcs.sets < _MOST_SETS:
        step = _Set(fcs, read, size_bytes, base).look(head)
        if fcs.cut or not step:
            break
        base += step
        if base >= size_bytes:
            _cut(fcs, f"its next data set begins at byte {base:,}", base + 1, size_bytes)
            break
        head = read(base, HEAD_BYTES)
        if not begins_as_fcs(head):
            fcs.odd.append(f"$NEXTDATA says that another data set begins at byte {base:,}, and none does")
            break
    return fcs


def _cut(fcs: Fcs, what: str, needed_bytes: int, size_bytes: int) -> None:
    fcs.cut = f"cut short: {what} and the file has {size_bytes:,} bytes"
    fcs.lacking_bytes = max(0, needed_bytes - size_bytes)


class _Set:
    """One data set: all of its offsets count from its own first byte, ``base``."""

    def __init__(self, fcs: Fcs, read: Read, size_bytes: int, base: int) -> None:
        self._fcs, self._read, self._base = fcs, read, base
        self._size_bytes = size_bytes - base
        self._keywords: dict[str, str] = {}

    def look(self, head: bytes) -> int:
        """Look at it; returns where the next one begins, counted from this one, or 0."""
        self._fcs.sets += 1
        if self._size_bytes < HEADER_BYTES:
            self._cut(f"a header has {HEADER_BYTES} bytes", HEADER_BYTES)
            return 0
        text = self._in_header(head, 10)
        if text is None or text[0] < HEADER_BYTES or text[1] < text[0]:
            self._fcs.odd.append("its header does not say where TEXT lies")
            return 0
        if text[1] >= self._size_bytes:
            self._cut(f"TEXT ends at byte {text[1]:,}", text[1] + 1)
            return 0
        self._keywords = keywords_of(self._text(head, text))
        if not self._fcs.keywords:
            self._fcs.keywords = self._keywords
        self._judge_data(head)
        for name in ("STEXT", "ANALYSIS"):
            begin, end = (number_of(self._keywords, f"${edge}{name}") or 0 for edge in ("BEGIN", "END"))
            if HEADER_BYTES <= begin <= end >= self._size_bytes and not self._fcs.cut:
                self._cut(f"{name} ends at byte {end:,}", end + 1)
        return number_of(self._keywords, "$NEXTDATA") or 0

    def _cut(self, what: str, needed_bytes: int) -> None:
        where = f" (of the data set at {self._base:,})" if self._base else ""
        _cut(self._fcs, what + where, self._base + needed_bytes, self._base + self._size_bytes)

    @staticmethod
    def _in_header(head: bytes, at: int) -> Range | None:
        numbers = [head[k : k + 8].strip(b" \0") for k in (at, at + 8)]
        if not all(number.isdigit() or not number for number in numbers):
            return None
        return int(numbers[0] or 0), int(numbers[1] or 0)

    def _text(self, head: bytes, text: Range) -> bytes:
        begin, length = text[0], min(text[1] - text[0] + 1, TEXT_BYTES)
        if begin + length <= len(head):
            return head[begin : begin + length]
        return self._read(self._base + begin, length)

    # --- the data -----------------------------------------------------------------------------------------------------

    def _judge_data(self, head: bytes) -> None:
        """The data must hold all events, and lie within the file.

        Header and TEXT both say where they lie: above 99,999,999 bytes the header has zeros, FCS 2.0 knows the header
        alone.  Where they disagree, that is right which fits the number of events (source: the offset discrepancies of
        FlowIO's tests).  One byte too many is common (source: MACSQuant's $ENDDATA).
        """
        said = self._said(head)
        needed = self._needed_bytes()
        fitting = [one for one in said if self._fits(one, needed)]
        if fitting:
            if len(said) > 1:
                self._fcs.odd.append(
                    f"header and TEXT disagree: data in bytes {_shown(said[0])} or {_shown(said[1])}; "
                    f"{_shown(fitting[0])} fits"
                )
        elif said and all(end >= self._size_bytes for _, end in said):
            self._cut(f"the data end at byte {said[0][1]:,}", said[0][1] + 1)
        elif not said and needed and needed > self._size_bytes:
            self._cut(f"the data need {needed:,} bytes", needed)
        elif not said and needed != 0:
            self._fcs.odd.append("it does not say where its data lie")
        elif said and needed is not None:
            self._fcs.odd.append(
                f"its data lie in bytes {_shown(said[0])}, which are {said[0][1] - said[0][0] + 1:,}, and $TOT events "
                f"need {needed:,}"
            )

    def _fits(self, said: Range, needed: int | None) -> bool:
        begin, end = said
        if needed is None:
            return end < self._size_bytes
        return end - begin + 1 - needed in (0, 1) and begin + needed <= self._size_bytes

    def _said(self, head: bytes) -> list[Range]:
        """Where the data are said to lie, the more trustworthy first; each once, without what says nothing."""
        header = self._in_header(head, 26)
        begin, end = (number_of(self._keywords, key) for key in ("$BEGINDATA", "$ENDDATA"))
        text = None if begin is None or end is None else (begin, end)
        both = [header, text] if head.startswith((b"FCS1", b"FCS2")) else [text, header]
        return list(dict.fromkeys(one for one in both if one is not None and HEADER_BYTES <= one[0] <= one[1]))

    def _needed_bytes(self) -> int | None:
        """$TOT events of the sum of all $PnB bits; None where there is no such arithmetic, or a number lacks."""
        mode = self._keywords.get("$MODE", "L").strip().upper()
        total, parameters = (number_of(self._keywords, key) for key in ("$TOT", "$PAR"))
        if mode not in ("L", "") or self._keywords.get("$DATATYPE", "").strip().upper() == "A":
            return None
        if total is None or parameters is None or parameters > _MOST_PARAMETERS:
            return None
        bits = 0
        for n in range(1, parameters + 1):
            width = number_of(self._keywords, f"$P{n}B")
            if width is None:
                return None
            bits += width
        return (total * bits + 7) // 8


def _shown(one: Range) -> str:
    return f"{one[0]:,} to {one[1]:,}"
