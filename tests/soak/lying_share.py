"""A share that also lies and dawdles: python lying_share.py BACKING MOUNT RULES.

Beside what ``tests/stores/local/fuse_fault.py`` knows, RULES may hold "lies", each of which befalls every so many
calls of its kind::

    {"lies": [{"op": "write", "do": "drop", "every": 3},     acknowledged, and not written
              {"op": "read", "do": "flip", "every": 5},      one bit is another
              {"op": "getattr", "do": "slow", "every": 4, "seconds": 0.2}]}
"""

from __future__ import annotations

import sys
import time
from collections import Counter

import mfusepy  # type: ignore[import-untyped]

from tests.stores.local.fuse_fault import Faulty


class Lying(Faulty):
    def __init__(self, backing: str, rules: str) -> None:
        super().__init__(backing, rules)
        self._told: Counter[str] = Counter()

    def _real(self, op: str, path: str) -> str:
        if (slow := self._lie(op, "slow")) is not None:
            time.sleep(slow)
        return super()._real(op, path)

    def _lie(self, op: str, deed: str) -> float | None:
        """The number that belongs to a lie whose turn it is."""
        for lie in self._rules().get("lies", ()):
            if (lie["op"], lie["do"]) == (op, deed):
                self._told[f"{op} {deed}"] += 1
                if self._told[f"{op} {deed}"] % lie["every"] == 0:
                    return float(lie.get("seconds", 0))
        return None

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        content = super().read(path, size, offset, fh)
        return content if self._lie("read", "flip") is None else _flipped(content)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        if self._lie("write", "drop") is not None:
            return len(data)
        return super().write(path, data if self._lie("write", "flip") is None else _flipped(data), offset, fh)


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :] if content else content


if __name__ == "__main__":
    backing, mount, rules = sys.argv[1:4]
    mfusepy.FUSE(Lying(backing, rules), mount, foreground=True, nothreads=True, attr_timeout=0, entry_timeout=0)
