"""Is a TIFF whole: does everything that its directories point to lie within the file?

Sources: TIFF 6.0 (Adobe, 1992), sections 2 and 7; the BigTIFF design (Aware Systems, 2007); Adobe's PageMaker 6.0 notes
for directories within directories.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from operator import add
from typing import NamedTuple

Read = Callable[[int, int], bytes]
"""Reads up to so many bytes (second) from an offset (first) on, fewer only where the file ends."""

HEAD_BYTES = 4096
"""The first piece: for a writer that puts the directory in front, nothing else is read."""
DIRECTORY_BYTES = 8192
"""The piece at a directory that lies elsewhere: MetaXpress puts 6.6 KB of description before the list of strips."""
MOST_BYTES = 64 << 20
MOST_DIRECTORIES = 10_000
MOST_TAGS = 4096

MAGICS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
VALUE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
"""Bytes of one value, by the number of its type; a type that nobody knows counts nothing and is skipped."""
INTEGERS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
OFFSETS, COUNTS = (273, 324), (279, 325)  # StripOffsets, TileOffsets; StripByteCounts, TileByteCounts
SUB_DIRECTORIES = 330


class Flaw(NamedTuple):
    """What is wrong with a file that should be a TIFF."""

    reason: str
    """A phrase for people: "the TIFF is cut short: 1,048,576 of 1,310,720 bytes"."""
    cut: bool
    """Something of it is not there (yet); False when it is there, and no TIFF that could be followed."""


class _Form(NamedTuple):
    """How a directory is laid out: the fields of classic TIFF and BigTIFF differ in width."""

    order: str
    number: struct.Struct
    """Of tags, which comes first."""
    tag: struct.Struct
    link: struct.Struct
    inline_bytes: int


class _Beyond(Exception):
    """The walk cannot go on, because what it needs lies beyond the end of the file."""


class _Stop(Exception):
    """The walk cannot go on, because of this flaw."""

    def __init__(self, reason: str, *, cut: bool = False) -> None:
        super().__init__(reason)
        self.flaw = Flaw(reason, cut)


def flaw_of(read: Read, size_bytes: int) -> Flaw | None:
    """Find out what is wrong with a TIFF of this size, None when nothing is; raises only what ``read`` raises.

    Pixels are not decoded: bytes that were never written, within what the directories speak of, go unnoticed.
    Reads two or three pieces for most files, and at most ``MOST_BYTES``.
    """
    content = _Content(read, size_bytes)
    try:
        _walk(content)
    except _Stop as stop:
        return stop.flaw
    except _Beyond:
        return Flaw(f"the TIFF is cut short: {size_bytes:,} of at least {content.reach:,} bytes", cut=True)
    if content.reach > size_bytes:
        return Flaw(f"the TIFF is cut short: {size_bytes:,} of {content.reach:,} bytes", cut=True)
    return None


class _Content:
    """The bytes of the file, of which the first and the latest piece are kept."""

    def __init__(self, read: Read, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.reach = 0
        """Where the farthest thing ends that the directories speak of."""
        self._read = read
        self._left = self._lists_left = MOST_BYTES
        self.head = read(0, HEAD_BYTES)[:size_bytes] if size_bytes else b""
        self._start, self._latest = 0, self.head

    def at(self, offset: int, length: int) -> bytes:
        """Exactly so many bytes; raises _Beyond when the file ends before."""
        end = offset + length
        if end > self.size_bytes:
            self.reach = max(self.reach, end)
            raise _Beyond
        if end <= len(self.head):
            return self.head[offset:end]
        if offset < self._start or end > self._start + len(self._latest):
            wanted = max(length, DIRECTORY_BYTES)
            self._left -= wanted
            if self._left < 0:
                raise _Stop("its directories are too long to be followed")
            self._start, self._latest = offset, self._read(offset, wanted)
            if len(self._latest) < length:  # it became shorter since it was listed
                self.reach = max(self.reach, end)
                raise _Beyond
        return self._latest[offset - self._start : end - self._start]

    def list_at(self, offset: int, length: int) -> bytes:
        """The same for a list of numbers: ten thousand directories may all point to one list, which is read once."""
        self._lists_left -= length
        if self._lists_left < 0:
            raise _Stop("its lists of strips are too long to be followed")
        return self.at(offset, length)


def _walk(content: _Content) -> None:
    form, first = _header(content)
    open_, seen = [first], set[int]()
    while open_:
        offset = open_.pop()
        if offset in seen:
            raise _Stop("its directories run in a circle")
        if len(seen) == MOST_DIRECTORIES:
            raise _Stop(f"it has more than {MOST_DIRECTORIES:,} directories, and the rest was not looked at")
        seen.add(offset)
        open_ += _directory(content, form, offset)


def _header(content: _Content) -> tuple[_Form, int]:
    """The form of the file, and where its first directory lies."""
    head = content.head[:16]
    if not head.strip(b"\0"):
        raise _Stop("the TIFF is empty" if not content.size_bytes else "the TIFF begins with zeros", cut=True)
    order = MAGICS.get(head[:4])
    if order is None:
        if len(head) < 4 and any(magic.startswith(head) for magic in MAGICS):
            raise _Stop(f"the TIFF is cut short: {content.size_bytes} bytes", cut=True)
        raise _Stop("it does not begin like a TIFF")
    if b"+" in head[2:4]:
        form = _form(order, ("Q", "HHQ8s", "Q"), 8)
        size, zero, first = struct.unpack(f"{order}HHQ", content.at(4, 12))
        if (size, zero) != (8, 0):
            raise _Stop("it begins like a BigTIFF, with offsets of a length that nobody knows")
    else:
        form = _CLASSIC[order]
        (first,) = form.link.unpack(content.at(4, 4))
    if not first:
        raise _Stop("the TIFF has no directory yet", cut=True)
    return form, first


def _form(order: str, codes: tuple[str, str, str], inline_bytes: int) -> _Form:
    number, tag, link = (struct.Struct(order + code) for code in codes)
    return _Form(order, number, tag, link, inline_bytes)


_CLASSIC = {order: _form(order, ("H", "HHI4s", "I"), 4) for order in "<>"}


def _directory(content: _Content, form: _Form, offset: int) -> Iterator[int]:
    """Take note of how far one directory reaches; the offsets of those that it leads to."""
    start = offset + form.number.size
    (tags,) = form.number.unpack(content.at(offset, form.number.size))
    if not tags:
        raise _Stop(f"the TIFF has nothing in its directory at byte {offset:,}", cut=True)
    if tags > MOST_TAGS:
        raise _Stop(f"its directory at byte {offset:,} is none: {tags:,} tags")
    table = content.at(start, tags * form.tag.size + form.link.size)
    values: dict[int, tuple[int, int, bytes]] = {}
    reach = start + len(table)
    for tag, kind, count, value in form.tag.iter_unpack(table[: -form.link.size]):
        length = count * VALUE_BYTES[kind] if kind < len(VALUE_BYTES) else 0
        if length > form.inline_bytes:
            reach = max(reach, form.link.unpack(value)[0] + length)
        if tag in _FOLLOWED:
            values[tag] = kind, count, value
    content.reach = max(content.reach, reach)
    for offsets, counts in zip(OFFSETS, COUNTS, strict=True):
        if offsets in values:
            _pixels(content, form, values[offsets], values.get(counts))
    links = _integers(content, form, values[SUB_DIRECTORIES]) if SUB_DIRECTORIES in values else ()
    return (link for link in (*links, *form.link.unpack(table[-form.link.size :])) if link)


_FOLLOWED = {*OFFSETS, *COUNTS, SUB_DIRECTORIES}


def _pixels(
    content: _Content, form: _Form, offsets: tuple[int, int, bytes], counts: tuple[int, int, bytes] | None
) -> None:
    """Take note of how far the strips or tiles reach."""
    starts = _integers(content, form, offsets)
    lengths = _integers(content, form, counts) if counts else (0,) * len(starts)
    if len(starts) != len(lengths):
        raise _Stop(f"its {len(starts):,} strips have {len(lengths):,} lengths")
    content.reach = max(content.reach, max(map(add, starts, lengths), default=0))


def _integers(content: _Content, form: _Form, value: tuple[int, int, bytes]) -> tuple[int, ...]:
    kind, count, inline = value
    if kind not in INTEGERS:
        raise _Stop(f"it has offsets of type {kind}, which are no numbers")
    length = count * VALUE_BYTES[kind]
    if length <= form.inline_bytes:
        packed = inline[:length]
    elif length > MOST_BYTES:
        raise _Stop(f"it claims {count:,} strips")
    else:
        packed = content.list_at(form.link.unpack(inline)[0], length)
    return struct.unpack(f"{form.order}{count}{INTEGERS[kind]}", packed)
