"""Do bytes that wait come out as they went in, from memory and from disk, and more than once?"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from coldchain.stores.objects.held import Held, InMemory

CONTENT = bytes(range(256)) * 3


def _spilled_between() -> Held:
    held = Held()
    held.write(CONTENT[:100])
    held.spill()
    held.spill()
    held.write(memoryview(CONTENT)[100:])
    return held


def _filled(*, on_disk: bool) -> Held:
    held = Held(on_disk=on_disk)
    for start in range(0, len(CONTENT), 100):
        held.write(CONTENT[start : start + 100])
    return held


MADE: dict[str, Callable[[], Held]] = {
    "memory": lambda: _filled(on_disk=False),
    "disk": lambda: _filled(on_disk=True),
    "spilled": _spilled_between,
}


@pytest.mark.parametrize("made", MADE)
def test_what_waits_comes_out_whole_in_every_form_and_again(made: str) -> None:
    held = MADE[made]()
    assert held.size_bytes == len(CONTENT)
    assert held.on_disk is (made != "memory")
    for _ in range(2):
        assert held.body().read() == CONTENT
        assert held.content() == CONTENT
        pieces = list(held.pieces(100))
        assert b"".join(pieces) == CONTENT
        assert [len(piece) for piece in pieces] == [100] * 7 + [68]
    held.close()
    held.close()
    assert held.content() == b""


def test_no_temporary_file_stays_open_or_has_a_name() -> None:
    before = len(os.listdir("/proc/self/fd"))
    held = _filled(on_disk=True)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    held.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_is_nothing_in_every_form() -> None:
    for held in (Held(), Held(on_disk=True)):
        assert (held.size_bytes, held.content(), list(held.pieces(10)), held.body().read()) == (0, b"", [], b"")
        held.close()


def test_a_body_in_memory_is_read_like_a_file() -> None:
    body = InMemory(bytearray(b"0123456789"))
    assert (body.tell(), body.read(3), body.tell()) == (0, b"012", 3)
    assert (body.read(0), body.read(100), body.read(5), body.tell()) == (b"", b"3456789", b"", 10)
    assert (body.seek(2), body.read(-1)) == (2, b"23456789")
    assert (body.seek(-3, os.SEEK_END), body.read()) == (7, b"789")
    assert (body.seek(4), body.seek(2, os.SEEK_CUR), body.read(2)) == (4, 6, b"67")
    assert (body.seek(-100, os.SEEK_CUR), body.seek(100), body.read()) == (0, 10, b"")
    assert (body.seek(0, os.SEEK_END), body.seek(0), body.read(None)) == (10, 0, b"0123456789")  # type: ignore[arg-type]
