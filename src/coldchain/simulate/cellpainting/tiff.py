"""What are the bytes of a TIFF, when its maker chose the order and the tags?

One 16-bit grey image, little-endian.  Source: TIFF 6.0, sections 2 to 8; the tags of each maker from real files.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import calcsize, pack
from typing import NamedTuple

BYTE, ASCII, SHORT, LONG, RATIONAL = 1, 2, 3, 4, 5
UNCOMPRESSED, DEFLATE = 1, 8
_CODES = {SHORT: "H", LONG: "I", RATIONAL: "I"}
_STRIP_OFFSETS, _STRIP_BYTE_COUNTS = 273, 279
_HEADER_BYTES, _INLINE_BYTES = 8, 4


class Tag(NamedTuple):
    """One entry of the directory."""

    number: int
    kind: int
    """``BYTE``, ``ASCII``, ``SHORT``, ``LONG`` or ``RATIONAL``."""
    value: bytes | tuple[int, ...]
    """Bytes of a ``BYTE`` or ``ASCII``, else numbers; a ``RATIONAL`` is numerator and denominator after each other."""


def text(number: int, value: str) -> Tag:
    """A tag that holds text; latin-1, as the programs of these instruments write it."""
    return Tag(number, ASCII, value.encode("latin-1", "replace") + b"\0")


def short(number: int, value: int) -> Tag:
    """A tag that holds one small number."""
    return Tag(number, SHORT, (value,))


def grey(side: int, compression: int, rows: int) -> list[Tag]:
    """The tags that every square image needs, strips apart; a strip holds ``rows``."""
    numbers = {256: side, 257: side, 258: 16, 259: compression, 262: 1, 277: 1, 278: rows}
    return [short(number, value) for number, value in numbers.items()]


def pixels_first(strips: Sequence[bytes], tags: Sequence[Tag]) -> bytes:
    """Lay out an image as Harmony and MetaXpress do: the directory, and what it points to, after the pixels."""
    pixels = b"".join(strips)
    pixels += bytes(len(pixels) % 2)  # a directory begins at an even byte
    at = _HEADER_BYTES + len(pixels)
    return _header(at) + pixels + _directory([*tags, *_strips(strips, _HEADER_BYTES)], at)


def directory_first(strips: Sequence[bytes], tags: Sequence[Tag]) -> bytes:
    """Lay out an image with the directory before the pixels."""
    length = len(_directory([*tags, *_strips(strips, 0)], 0))
    at = _HEADER_BYTES + length
    return _header(_HEADER_BYTES) + _directory([*tags, *_strips(strips, at)], _HEADER_BYTES) + b"".join(strips)


def _header(directory_at: int) -> bytes:
    return b"II" + pack("<HI", 42, directory_at)


def _strips(strips: Sequence[bytes], at: int) -> tuple[Tag, Tag]:
    offsets = []
    for strip in strips:
        offsets.append(at)
        at += len(strip)
    counts = tuple(map(len, strips))
    return Tag(_STRIP_OFFSETS, LONG, tuple(offsets)), Tag(_STRIP_BYTE_COUNTS, LONG, counts)


def _directory(tags: Sequence[Tag], at: int) -> bytes:
    """The directory at offset ``at``, and behind it the values that do not fit into their entries, in their order."""
    values_at = at + 2 + 12 * len(tags) + 4
    entries, values = pack("<H", len(tags)), b""
    for number, kind, value in sorted(tags):
        content = value if isinstance(value, bytes) else pack(f"<{len(value)}{_CODES[kind]}", *value)
        count = len(value) if isinstance(value, bytes) else len(value) // (2 if kind == RATIONAL else 1)
        if len(content) > _INLINE_BYTES:
            where = pack("<I", values_at + len(values))
            values += content + bytes(len(content) % 2)
        else:
            where = content.ljust(_INLINE_BYTES, b"\0")
        entries += pack("<HHI", number, kind, count) + where
    return entries + bytes(calcsize("<I")) + values
