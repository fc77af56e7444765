"""What does a wrapper do that has nothing to say?  It passes every call on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from coldchain.errors import StoreError
from coldchain.model import Entry, Oddity
from coldchain.stores.base import Reader, Sink, Staging, Store, Traits
from coldchain.stores.names import NameRules


class PassingReader:
    """A reader that is the one inside."""

    def __init__(self, inner: Reader) -> None:
        """Wrap a reader."""
        self._inner = inner
        self.entry, self.how = inner.entry, inner.how

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Pass the pieces on."""
        for chunk in self._inner.chunks():
            self.how = self._inner.how  # a place may find out only while reading that there is no way past its cache
            yield chunk

    def piece(self, offset: int, length: int) -> bytes:
        """Pass it on."""
        return self._inner.piece(offset, length)

    def look_again(self) -> Entry:
        """Pass it on."""
        return self._inner.look_again()

    def being_written(self) -> bool:
        """Pass it on."""
        return self._inner.being_written()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, error, trace)


class PassingSink:
    """A sink that is the one inside."""

    def __init__(self, inner: Sink) -> None:
        """Wrap a sink."""
        self._inner = inner

    def write(self, chunk: bytes | memoryview) -> None:
        """Pass it on."""
        self._inner.write(chunk)

    def close(self) -> None:
        """Pass it on."""
        self._inner.close()

    def abort(self) -> None:
        """Pass it on."""
        self._inner.abort()


class PassingStaging:
    """A staging that is the one inside."""

    def __init__(self, inner: Staging) -> None:
        """Wrap a staging."""
        self._inner = inner

    def open(self, key: str, entry: Entry) -> Sink:
        """Pass it on."""
        return self._inner.open(key, entry)

    def flush(self) -> None:
        """Pass it on."""
        self._inner.flush()

    def settle(self, key: str) -> None:
        """Pass it on."""
        self._inner.settle(key)

    def read_back(self, key: str) -> Reader:
        """Pass it on."""
        return self._inner.read_back(key)

    def vouched(self, key: str) -> str:
        """Pass it on."""
        return self._inner.vouched(key)

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Pass it on."""
        return self._inner.publish(keys)

    def discard(self, key: str) -> None:
        """Pass it on."""
        self._inner.discard(key)

    def close(self) -> None:
        """Pass it on."""
        self._inner.close()


class PassingStore:
    """A store that is the one inside."""

    def __init__(self, inner: Store) -> None:
        """Wrap a store."""
        self._inner = inner
        self.url = inner.url

    @property
    def traits(self) -> Traits:
        """Those of the store inside; what wraps it exists in this process only."""
        return replace(self._inner.traits, opens_anywhere=False)

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Pass it on."""
        return self._inner.list(prefix, without=without)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Pass it on."""
        return self._inner.folders(prefix)

    def stat(self, key: str) -> Entry:
        """Pass it on."""
        return self._inner.stat(key)

    def read(self, key: str, *, past_cache: bool = False) -> Reader:
        """Pass it on."""
        return self._inner.read(key, past_cache=past_cache)

    def busy(self, key: str) -> str:
        """Pass it on."""
        return self._inner.busy(key)

    def stage(self, owner: str = "") -> Staging:
        """Pass it on."""
        return self._inner.stage(owner)

    def delete(self, key: str) -> None:
        """Pass it on."""
        self._inner.delete(key)

    def is_leftover(self, key: str, owner: str) -> bool:
        """Pass it on."""
        return self._inner.is_leftover(key, owner)

    def volume(self) -> str:
        """Pass it on."""
        return self._inner.volume()

    def free_bytes(self) -> int | None:
        """Pass it on."""
        return self._inner.free_bytes()

    def probe_names(self) -> NameRules:
        """Pass it on."""
        return self._inner.probe_names()

    def make(self) -> None:
        """Pass it on."""
        self._inner.make()

    def close(self) -> None:
        """Pass it on."""
        self._inner.close()
