"""What is a fuzz target, and what must hold of everything that one makes of foreign bytes?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from coldchain.ledger.columns import canonical_json

MOST_READ_BYTES = 80 << 20
"""No parser reads more than this of one file, however it is lied to."""


class Target(NamedTuple):
    """One parser of foreign bytes."""

    name: str
    run: Callable[[bytes], bool]
    """Whether it was understood without complaint.  Raises nothing, for any bytes: whatever it raises is a bug."""
    seeds: tuple[bytes, ...]
    """Each is understood, so that what is made of them begins deep within the parser."""
    words: tuple[bytes, ...] = ()
    """What means something in this format."""
    slow: bool = False
    """One input takes more than ten milliseconds: fewer are tried where there is little time."""


def reading(content: bytes) -> Callable[[int, int], bytes]:
    """How instruments read a file: pieces from an offset on, shorter only where it ends.  Notices who asks for more."""
    left = MOST_READ_BYTES

    def read(offset: int, length: int) -> bytes:
        nonlocal left
        assert offset >= 0, f"a piece from {offset} on"
        assert length >= 0, f"a piece of {length} bytes"
        left -= min(length, max(0, len(content) - offset))
        assert left >= 0, "it reads without end"
        return content[offset : offset + length]

    return read


def keeps(value: Mapping[str, object]) -> None:
    """Make sure that the ledger can keep it: strict JSON, without NaN, that comes back as it was."""
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text
