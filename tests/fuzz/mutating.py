"""What is made of a good input, so that a parser meets what it was not written for?

All from one ``random.Random``: the same seed gives the same inputs on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from random import Random
from typing import Any

LONGEST_BYTES = 256 << 10
_NUMBERS = (
    b"0",
    b"-1",
    b"1e999",
    b"NaN",
    b"99999999",
    b"4294967296",
    b"9223372036854775808",
    b"9" * 5000,
    b"\xb2",
    b"",
)
_ENDS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
_PIECES = (
    b"\0" * 40, b"\xff" * 8, b"\n", b"\r\n", b"/", b"..", b"\x1b[31m", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe",
    b"[" * 2000, b'{"a":' * 600, b"(" * 500, b"x" * 3000, b"\xe2\x80\xa8", b"\x0c", b"\x85", b'"', b"<", b"&#0;", b",",
)  # fmt: skip
_VALUES: tuple[object, ...] = (
    None, True, 0, -1, 10**18, 10**40, 1.5, float("inf"), float("nan"), "", "x" * 3000, "\ud800", "\0", "../x", [], {},
    [[]], [None], {"": None}, {"\ud800": 1}, "9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59", "2026",
)  # fmt: skip

Deed = Callable[[Random, bytes, Sequence[bytes]], bytes]


def inputs(seeds: Sequence[bytes], words: Sequence[bytes], chance: Random) -> Iterator[bytes]:
    """The seeds as they are, then what becomes of them, without end."""
    yield from seeds
    for _ in count():
        content = chance.choice(seeds)
        for _ in range(min(8, int(chance.expovariate(0.5)) + 1)):
            content = mutated(content, [*seeds, *words], chance)
        yield content


def mutated(content: bytes, others: Sequence[bytes], chance: Random) -> bytes:
    """One change; never longer than ``LONGEST_BYTES``."""
    return chance.choice(_DEEDS)(chance, content, others)[:LONGEST_BYTES]


def _span(chance: Random, content: bytes) -> tuple[int, int]:
    begin = chance.randrange(len(content) + 1)
    return begin, min(len(content), begin + int(chance.paretovariate(0.6)))


def _flip(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    if not content:
        return b"\0"
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]


def _cut(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _remove(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    begin, end = _span(chance, content)
    return content[:begin] + content[end:]


def _repeat(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    begin, end = _span(chance, content)
    return content[:end] + content[begin:end] * chance.choice((1, 2, 20, 500)) + content[end:]


def _insert(chance: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.choice((*_PIECES, *others)) + content[at:]


def _splice(chance: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others)
    return content[: chance.randrange(len(content) + 1)] + other[chance.randrange(len(other) + 1) :]


def _number(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Another number where there are digits."""
    digits = [at for at, byte in enumerate(content[:4000]) if 48 <= byte <= 57]
    if not digits:
        return content
    begin = end = chance.choice(digits)
    while end < len(content) and 48 <= content[end] <= 57:
        end += 1
    return content[:begin] + chance.choice(_NUMBERS) + content[end:]


def _binary(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """An integer at the end of its range, over what is there."""
    number = chance.choice(_ENDS) + chance.choice((-1, 0, 0, 1))
    size = chance.choice((1, 2, 4, 8))
    written = (number % (1 << 8 * size)).to_bytes(size, chance.choice(("little", "big")))
    at = chance.randrange(len(content) + 1)
    return content[:at] + written + content[at + size :]


def _line(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Lines in another order, or one of them again."""
    lines = content.split(b"\n")
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one] = lines[two]
    return b"\n".join(lines)


def _value(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Another value somewhere in what is JSON, on one line or from the second byte on."""
    start = content.find(b"{")
    try:
        whole: Any = json.loads(content[max(0, start) :])
    except (ValueError, RecursionError):
        return _number(chance, content, ())
    places: list[tuple[Any, Any]] = []
    _walk(whole, places)
    if not places:
        return content
    holder, key = chance.choice(places)
    if chance.random() < 0.2:
        del holder[key]
    else:
        holder[key] = chance.choice(_VALUES)
    return content[: max(0, start)] + json.dumps(whole).encode()


def _walk(value: Any, places: list[tuple[Any, Any]], depth: int = 0) -> None:
    if depth < 20 and isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            places.append((value, key))
            _walk(inner, places, depth + 1)


_DEEDS: tuple[Deed, ...] = (
    _flip, _flip, _cut, _remove, _repeat, _insert, _insert, _splice, _number, _number, _binary, _binary, _line,
    _value, _value, _value,
)  # fmt: skip
