"""How does a store behave that says it has stored what it has not?

The lies are those that object stores, disks and shares were caught at: a flipped bit, a lost tail, an object that is
not there after all, and bytes that rot later while size and times stay as they are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from coldchain.errors import StoreError
from coldchain.model import Entry
from coldchain.stores.base import Reader, Sink, Staging, Store
from coldchain.testing.wrapping import Call, WrappedReader, WrappedSink, WrappedStaging, WrappedStore

T = TypeVar("T")


class Lie(StrEnum):
    """What is done to a file that is reported as stored."""

    FLIP = "flip"
    """One bit of the first byte is stored the other way round (an empty file stays as it is)."""
    CUT = "cut"
    """The last byte is not stored; ``publish`` still tells the whole size (an empty file stays as it is)."""
    DROP = "drop"
    """Nothing is staged: reading back finds nothing, ``publish`` tells of success."""
    VANISH = "vanish"
    """Staged and read back as it should be, but ``publish`` does nothing and tells of success."""


@dataclass(slots=True)
class _Plan:
    lie: Lie
    keys: frozenset[str] | None
    times: int | None


class LyingStore(WrappedStore):
    """Any store, whose chosen files are stored wrong while it reports success; ``told`` is each lie, in order."""

    def __init__(self, inner: Store) -> None:
        """Wrap a store; without a lie it behaves as the store does."""
        super().__init__(inner, _plainly)
        self.told: list[tuple[Lie, str]] = []
        self._plans: list[_Plan] = []
        self._rotten: dict[str, bool] = {}
        self._lock = threading.Lock()

    def lie(self, lie: Lie, *, keys: Collection[str] | None = None, times: int | None = None) -> None:
        """Lie about the next ``times`` files that are opened for writing (None: all), of these keys (None: of all)."""
        with self._lock:
            self._plans.append(_Plan(lie, None if keys is None else frozenset(keys), times))

    def rot(self, *keys: str, only_past_cache: bool = False) -> None:
        """Let a bit of stored files read the other way round from now on, size and times staying as they are.

        Nothing is changed below, so only who reads through this wrapper sees it.  With ``only_past_cache`` the cache
        still holds the right bytes, and a plain reading finds nothing wrong.  Storing the file anew heals it.
        """
        with self._lock:
            self._rotten.update(dict.fromkeys(keys, only_past_cache))

    def read(self, key: str, *, past_cache: bool = False) -> Reader:
        """Open the file, or its rotten self."""
        reader = super().read(key, past_cache=past_cache)
        with self._lock:
            rotten = key in self._rotten and (past_cache or not self._rotten[key])
        return _RottenReader(reader, key, _plainly) if rotten else reader

    def stage(self, owner: str = "") -> Staging:
        """Begin to write, truly or not."""
        return _LyingStaging(self.inner.stage(owner), self)

    def choose(self, key: str) -> Lie | None:
        """Take the lie for a file that is opened now; for the stagings of this store."""
        with self._lock:
            for plan in self._plans:
                if plan.times != 0 and (plan.keys is None or key in plan.keys):
                    plan.times = None if plan.times is None else plan.times - 1
                    self.told.append((plan.lie, key))
                    return plan.lie
        return None

    def heal(self, key: str) -> None:
        """The file was stored anew; for the stagings of this store."""
        with self._lock:
            self._rotten.pop(key, None)


def _plainly(_call: Call, deed: Callable[[], T], /) -> T:
    return deed()


def _flipped(chunk: bytes | memoryview) -> bytes:
    return bytes([chunk[0] ^ 1]) + bytes(chunk[1:])


class _RottenReader(WrappedReader):
    def chunks(self) -> Iterator[bytes | memoryview]:
        """Flip a bit of the first piece."""
        for number, chunk in enumerate(super().chunks()):
            yield _flipped(chunk) if number == 0 else chunk

    def piece(self, offset: int, length: int) -> bytes:
        """Flip the same bit."""
        piece = super().piece(offset, length)
        return _flipped(piece) if offset == 0 and piece else piece


class _LyingStaging(WrappedStaging):
    def __init__(self, inner: Staging, store: LyingStore) -> None:
        super().__init__(inner, _plainly)
        self._store = store
        self._claims: dict[str, tuple[Lie, Entry]] = {}

    def open(self, key: str, entry: Entry) -> Sink:
        """Open the file, with its lie."""
        self._claims.pop(key, None)
        sink = self._inner.open(key, entry)
        if lie := self._store.choose(key):
            return _LyingSink(sink, key, lie, lambda size: self._claim(key, lie, entry._replace(size_bytes=size)))
        return sink

    def _claim(self, key: str, lie: Lie, entry: Entry) -> None:
        self._claims[key] = (lie, entry._replace(path=key, ctime_ns=0, inode=0))

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Publish what is there, and claim the rest."""
        absent = {key for key in keys if key in self._claims and self._claims[key][0] in {Lie.DROP, Lie.VANISH}}
        results = self._inner.publish({key: expected for key, expected in keys.items() if key not in absent})
        return {key: self._claims[key][1] if key in absent else self._told(key, results[key]) for key in keys}

    def _told(self, key: str, result: Entry | StoreError) -> Entry | StoreError:
        if isinstance(result, StoreError):
            return result
        self._store.heal(key)
        if key in self._claims:
            return result._replace(size_bytes=self._claims[key][1].size_bytes)
        return result

    def discard(self, key: str) -> None:
        """Forget the file, and what was claimed of it."""
        lie, _ = self._claims.pop(key, (None, None))
        if lie is not Lie.DROP:
            self._inner.discard(key)


class _LyingSink(WrappedSink):
    def __init__(self, inner: Sink, key: str, lie: Lie, claim: Callable[[int], None]) -> None:
        super().__init__(inner, key, _plainly)
        self._lie, self._claim = lie, claim
        self._size_bytes = 0
        self._held_back = b""

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the piece, and store something like it."""
        if not chunk:
            return
        if self._lie is Lie.FLIP and self._size_bytes == 0:
            self._inner.write(_flipped(chunk))
        elif self._lie is Lie.CUT:
            self._inner.write(self._held_back + bytes(chunk[:-1]))
            self._held_back = bytes(chunk[-1:])
        else:
            self._inner.write(chunk)
        self._size_bytes += len(chunk)

    def close(self) -> None:
        """Say that all is well."""
        if self._lie is Lie.DROP:
            self._inner.abort()
        else:
            self._inner.close()
        self._claim(self._size_bytes)
