"""Is an answer of a file server understood, and one that makes no sense refused as such?"""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from coldchain.errors import Unreliable
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.paths import text_of

READERS = (m.opened, m.content_of, m.written, m.facts_of, m.tag_of, m.names_of, m.volume_of, m.room_of)


def answer(buffer: bytes, *, offset: int = 72) -> bytes:
    return struct.pack("<HHI", 9, offset, len(buffer)) + buffer


def found(name: str, following: int) -> bytes:
    raw = name.encode("utf-16-le")
    return struct.pack("<I4xqqqqqqIIIIq", following, 1, 2, 3, 4, 5, 8, 0x20, len(raw), 0, 0, 77) + raw


def test_names_are_read_one_behind_the_other() -> None:
    names = m.names_of(answer(found("a.tif", 96).ljust(96, b"\0") + found("b", 0)))
    assert [(name.decode("utf-16-le"), facts.size_bytes) for name, facts in names] == [("a.tif", 5), ("b", 5)]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("body", [b"", b"\0", bytes(7), b"\xff" * 40])
def test_an_answer_that_is_cut_short_is_unreliable(read: Callable[[bytes], object], body: bytes) -> None:
    if read is m.written and len(body) == 40:
        return  # any number is one
    with pytest.raises(Unreliable, match="makes no sense"):
        read(body)


def test_a_megabyte_of_answer_never_says_a_million_names() -> None:
    """Each entry says where the next one begins; one byte further each time would be names without end."""
    entry = struct.pack("<I4xqqqqqqIIIIq", 1, 1, 2, 3, 4, 5, 8, 0x20, 1 << 20, 0, 0, 77)
    with pytest.raises(Unreliable):
        m.names_of(answer(entry * 1000))


@pytest.mark.parametrize(("offset", "length"), [(80, 6), (0, 5), (255, 5), (79 - 64, 5)])
def test_content_that_lies_elsewhere_than_in_the_answer_is_no_content(offset: int, length: int) -> None:
    body = struct.pack("<HBBIII", 17, offset, 0, length, 0, 0) + b"hello"
    with pytest.raises(Unreliable):
        m.content_of(body)
    assert m.content_of(struct.pack("<HBBIII", 17, 80, 0, 5, 0, 0) + b"hello") == b"hello"


def test_a_name_of_half_a_character_is_no_faithful_one() -> None:
    assert text_of(b"a\0b") == ("a\ufffd", False)
