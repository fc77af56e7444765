"""Which checksums does a server compare with what it received?

An object that is sent whole bears its SHA-256.  One that is sent in parts bears a checksum that can be computed while
it streams by, whatever its parts are (Amazon S3 User Guide, "Checking object integrity", full object checksums):
CRC-64/NVME, or CRC-32 where the package that computes the first one is not installed.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from coldchain.stores.s3.calling import Facts

WHOLE = "sha256"


@dataclass(frozen=True, slots=True)
class Streamed:
    """A checksum of a whole object that is sent in parts."""

    name: str
    """As in ``Proof.how``."""
    algorithm: str
    field: str
    size_bytes: int
    update: Callable[[bytes | memoryview, int], int]
    """The checksum of what came before and this piece; 0 is that of nothing."""

    def encoded(self, value: int) -> str:
        """As the protocol writes it."""
        return encoded(value.to_bytes(self.size_bytes, "big"))

    def on_create(self) -> Facts:
        """What to say when the upload begins."""
        return {"ChecksumAlgorithm": self.algorithm, "ChecksumType": "FULL_OBJECT"}

    def on_part(self, value: int) -> Facts:
        """What to say of one part."""
        return {self.field: self.encoded(value)}

    def on_complete(self, value: str, size_bytes: int) -> Facts:
        """What to say of the whole, whose checksum is encoded already."""
        return {self.field: value, "ChecksumType": "FULL_OBJECT", "MpuObjectSize": size_bytes}


def encoded(digest: bytes) -> str:
    """As the protocol writes it."""
    return b64encode(digest).decode("ascii")


def _streamed() -> Streamed:
    try:
        update = import_module("awscrt.checksums").crc64nvme
    except ImportError:
        return Streamed("crc32", "CRC32", "ChecksumCRC32", 4, zlib.crc32)
    return Streamed("crc64nvme", "CRC64NVME", "ChecksumCRC64NVME", 8, update)


STREAMED = _streamed()
NAMES = (WHOLE, "crc64nvme", "crc32")
FIELDS = {WHOLE: "ChecksumSHA256", STREAMED.name: STREAMED.field}
"""Where the server shows those that are computed here."""


class S3Sums:
    """What the server shows of an object that was sent in parts."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, chunk: bytes | memoryview) -> None:
        """Take the next piece."""
        self._value = STREAMED.update(chunk, self._value)

    def values(self) -> Mapping[str, str]:
        """As the protocol writes it."""
        return {STREAMED.name: STREAMED.encoded(self._value)}
