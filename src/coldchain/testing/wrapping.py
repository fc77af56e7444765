"""How can a wrapper have a say in every call to a store?

Each wrapper of this package holds a store and hands every call through one function, its *around*: that function gets
the call and the deed, and may do the deed, refuse it, delay it, or look at what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self, TypeVar

from coldchain.errors import StoreError
from coldchain.model import Entry, Oddity
from coldchain.stores.base import Reader, Sink, Staging, Store
from coldchain.stores.names import NameRules

Verb = Literal[
    "store.list",
    "listing.item",  # each step of a listing, also the last, which finds nothing more
    "store.folders",
    "store.stat",
    "store.read",
    "reader.chunk",  # each piece, also the last step, which finds nothing more
    "reader.look_again",
    "reader.being_written",
    "store.busy",
    "store.stage",
    "staging.open",
    "sink.write",
    "sink.close",
    "sink.abort",
    "staging.flush",
    "staging.settle",
    "staging.read_back",
    "staging.vouched",
    "staging.publish",  # the whole call ...
    "publish.key",  # ... and each of its keys
    "staging.discard",
    "staging.close",
    "store.delete",
    "store.make",
    "store.volume",
    "store.free_bytes",
    "store.probe_names",
    "store.close",
]

T = TypeVar("T")


class Call(NamedTuple):
    """One call to a store or to what it gave out."""

    verb: Verb
    key: str = ""
    """The key or prefix; "" where the verb has none."""
    size_bytes: int = 0
    """How much is written."""


class Around(Protocol):
    """What a wrapper does about a call: normally returns what the deed returns."""

    def __call__(self, call: Call, deed: Callable[[], T], /) -> T:
        """Do the deed, or not."""


class WrappedReader:
    """A reader whose calls go through ``around``."""

    def __init__(self, inner: Reader, key: str, around: Around) -> None:
        """Wrap a reader that was opened for ``key``."""
        self._inner, self._key, self._around = inner, key, around
        self.entry, self.how = inner.entry, inner.how

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Pass the pieces on."""
        pieces = iter(self._inner.chunks())
        while (piece := self._around(Call("reader.chunk", self._key), lambda: next(pieces, None))) is not None:
            self.how = self._inner.how  # a place may find out only while reading that there is no way past its cache
            yield piece

    def piece(self, offset: int, length: int) -> bytes:
        """Pass it on."""
        return self._around(Call("reader.chunk", self._key), lambda: self._inner.piece(offset, length))

    def look_again(self) -> Entry:
        """Pass it on."""
        return self._around(Call("reader.look_again", self._key), self._inner.look_again)

    def being_written(self) -> bool:
        """Pass it on."""
        return self._around(Call("reader.being_written", self._key), self._inner.being_written)

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, error, trace)


class WrappedSink:
    """A sink whose calls go through ``around``."""

    def __init__(self, inner: Sink, key: str, around: Around) -> None:
        """Wrap a sink that was opened for ``key``."""
        self._inner, self._key, self._around = inner, key, around

    def write(self, chunk: bytes | memoryview) -> None:
        """Pass it on."""
        self._around(Call("sink.write", self._key, len(chunk)), lambda: self._inner.write(chunk))

    def close(self) -> None:
        """Pass it on."""
        self._around(Call("sink.close", self._key), self._inner.close)

    def abort(self) -> None:
        """Pass it on."""
        self._around(Call("sink.abort", self._key), self._inner.abort)


class WrappedStaging:
    """A staging whose calls, and those of its sinks and readers, go through ``around``."""

    def __init__(self, inner: Staging, around: Around) -> None:
        """Wrap a staging."""
        self._inner, self._around = inner, around

    def open(self, key: str, entry: Entry) -> Sink:
        """Pass it on."""
        sink = self._around(Call("staging.open", key), lambda: self._inner.open(key, entry))
        return WrappedSink(sink, key, self._around)

    def flush(self) -> None:
        """Pass it on."""
        self._around(Call("staging.flush"), self._inner.flush)

    def settle(self, key: str) -> None:
        """Pass it on."""
        self._around(Call("staging.settle", key), lambda: self._inner.settle(key))

    def read_back(self, key: str) -> Reader:
        """Pass it on."""
        reader = self._around(Call("staging.read_back", key), lambda: self._inner.read_back(key))
        return WrappedReader(reader, key, self._around)

    def vouched(self, key: str) -> str:
        """Pass it on."""
        return self._around(Call("staging.vouched", key), lambda: self._inner.vouched(key))

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Pass it on key by key; an error of one key becomes its result."""
        return self._around(
            Call("staging.publish"), lambda: {key: self._publish(key, expected) for key, expected in keys.items()}
        )

    def _publish(self, key: str, expected: Entry | None) -> Entry | StoreError:
        try:
            return self._around(Call("publish.key", key), lambda: self._inner.publish({key: expected})[key])
        except StoreError as error:
            return error

    def discard(self, key: str) -> None:
        """Pass it on."""
        self._around(Call("staging.discard", key), lambda: self._inner.discard(key))

    def close(self) -> None:
        """Pass it on."""
        self._around(Call("staging.close"), self._inner.close)


class WrappedStore:
    """A store whose calls, and those of all that it gives out, go through ``around``; changes nothing by itself."""

    def __init__(self, inner: Store, around: Around) -> None:
        """Wrap a store; ``url`` and ``traits`` are its own, but the wrapping exists in this process only."""
        self.inner = inner
        self.url, self.traits = inner.url, replace(inner.traits, opens_anywhere=False)
        self._around = around

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Pass the listing on, step by step."""
        items = self._around(Call("store.list", prefix), lambda: self.inner.list(prefix, without=without))
        while (item := self._around(Call("listing.item", prefix), lambda: next(items, None))) is not None:
            yield item

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Pass them on."""
        yield from self._around(Call("store.folders", prefix), lambda: self.inner.folders(prefix))

    def stat(self, key: str) -> Entry:
        """Pass it on."""
        return self._around(Call("store.stat", key), lambda: self.inner.stat(key))

    def read(self, key: str, *, past_cache: bool = False) -> Reader:
        """Pass it on."""
        reader = self._around(Call("store.read", key), lambda: self.inner.read(key, past_cache=past_cache))
        return WrappedReader(reader, key, self._around)

    def busy(self, key: str) -> str:
        """Pass it on."""
        return self._around(Call("store.busy", key), lambda: self.inner.busy(key))

    def stage(self, owner: str = "") -> Staging:
        """Pass it on."""
        return WrappedStaging(self._around(Call("store.stage"), lambda: self.inner.stage(owner)), self._around)

    def delete(self, key: str) -> None:
        """Pass it on."""
        self._around(Call("store.delete", key), lambda: self.inner.delete(key))

    def is_leftover(self, key: str, owner: str) -> bool:
        """Pass it on; nothing can go wrong in it."""
        return self.inner.is_leftover(key, owner)

    def make(self) -> None:
        """Pass it on."""
        self._around(Call("store.make"), self.inner.make)

    def volume(self) -> str:
        """Pass it on."""
        return self._around(Call("store.volume"), self.inner.volume)

    def free_bytes(self) -> int | None:
        """Pass it on."""
        return self._around(Call("store.free_bytes"), self.inner.free_bytes)

    def probe_names(self) -> NameRules:
        """Pass it on."""
        return self._around(Call("store.probe_names"), self.inner.probe_names)

    def close(self) -> None:
        """Pass it on."""
        self._around(Call("store.close"), self.inner.close)
