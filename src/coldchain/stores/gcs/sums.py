"""Which checksums does Google's server show of an object?"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from importlib import import_module
from typing import Any


class GcsSums:
    """CRC-32C of everything, and MD5, which is slower by far, of what is small."""

    def __init__(self, md5_bytes: int) -> None:
        self._extend: Any = import_module("google_crc32c").extend
        self._crc32c = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._md5_left = md5_bytes

    def update(self, chunk: bytes | memoryview) -> None:
        """Take the next piece."""
        self._crc32c = self._extend(self._crc32c, bytes(chunk))
        if self._md5_left >= 0:
            self._md5_left -= len(chunk)
            self._md5.update(chunk)

    def values(self) -> Mapping[str, str]:
        """As the protocol writes them."""
        found = {"crc32c": b64encode(self._crc32c.to_bytes(4, "big")).decode()}
        if self._md5_left >= 0:
            found["md5"] = b64encode(self._md5.digest()).decode()
        return found


def sums_of(content: bytes) -> Mapping[str, str]:
    """Those of a content that is there whole."""
    sums = GcsSums(len(content))
    sums.update(content)
    return sums.values()
