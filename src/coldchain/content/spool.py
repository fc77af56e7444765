"""Where does a long list wait without filling the memory?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Generic, TypeVar

T = TypeVar("T")

_line = json.JSONEncoder(check_circular=False).encode  # json.dump would not use the quick encoder


class Spool(Generic[T]):
    """A list that keeps its first ``limit`` items in memory and the rest in an unnamed temporary file, as JSON lines.

    Items are appended first and read afterwards, in order, as often as needed.
    """

    def __init__(self, encode: Callable[[T], object], decode: Callable[[list[object]], T], limit: int = 20_000) -> None:
        self._encode, self._decode, self._limit = encode, decode, limit
        self._items: list[T] = []
        self._file: IO[str] | None = None
        self._length = 0

    def append(self, item: T) -> None:
        """Add one item at the end."""
        self._length += 1
        if self._length <= self._limit:
            self._items.append(item)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile("w+", encoding="ascii", prefix="coldchain-")  # noqa: SIM115
        self._file.write(_line(self._encode(item)))
        self._file.write("\n")

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        yield from self._items
        if self._file is not None:
            self._file.seek(0)
            for line in self._file:
                yield self._decode(json.loads(line))

    def close(self) -> None:
        """Forget everything."""
        self._items.clear()
        self._length = 0
        if self._file is not None:
            self._file.close()
            self._file = None
