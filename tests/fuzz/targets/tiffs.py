"""Which parser reads the TIFFs of microscopes?"""

from __future__ import annotations

import struct

from coldchain.instruments.tiff import flaw_of
from tests.fuzz.target import Target, reading


def classic(order: str = "<", *, strips: int = 1, following: bytes = b"") -> bytes:
    """A small image of some strips, 64 bytes each, with its directory in front."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    table = 8 + 2 + 5 * 12 + 4
    offsets, lengths, pixels = table, table + 4 * strips, table + 8 * strips
    inline = strips == 1
    tags = (
        (256, 3, 1, 8), (257, 3, 1, 8), (273, 4, strips, pixels if inline else offsets),
        (279, 4, strips, 64 if inline else lengths), (270, 2, 4, 0),
    )  # fmt: skip
    directory = struct.pack(f"{order}H", 5) + b"".join(
        struct.pack(f"{order}HHI", tag, kind, count)
        + (struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value))
        for tag, kind, count, value in sorted(tags)
    )
    end = pixels + 64 * strips
    lists = b"".join(struct.pack(f"{order}I", pixels + 64 * one) for one in range(strips))
    lists += struct.pack(f"{order}I", 64) * strips
    last = struct.pack(f"{order}I", end if following else 0)
    return magic + struct.pack(f"{order}I", 8) + directory + last + lists + bytes(64 * strips) + following


def big() -> bytes:
    """The same as BigTIFF, with a directory within the directory."""
    tags = ((273, 16, 1, 300), (279, 16, 1, 64), (330, 18, 1, 120))
    directory = struct.pack("<Q", 3) + b"".join(struct.pack("<HHQQ", *tag) for tag in tags) + bytes(8)
    inner = struct.pack("<Q", 1) + struct.pack("<HHQQ", 256, 3, 1, 8) + bytes(8)
    head = b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + directory
    return (head.ljust(120, b"\0") + inner).ljust(364, b"\0")


def tiff(content: bytes) -> bool:
    """The directories, and how far what they speak of reaches."""
    flaw = flaw_of(reading(content), len(content))
    assert flaw is None or (flaw.reason and flaw.reason.isprintable())
    return flaw is None


TARGETS = (
    Target("tiff", tiff, (classic(), classic(">"), classic(strips=7), big()),
           (struct.pack("<HHI", 330, 4, 2), struct.pack("<HHI", 273, 4, 1 << 24), b"II+\0", b"MM\0+")),
)  # fmt: skip
