"""Does a wrapper that has nothing to say pass every call on, and every answer back?"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import pytest

from coldchain.content.patience import Patience
from coldchain.model import Entry
from coldchain.stores.base import Reader, Store
from coldchain.stores.local.store import LocalStore
from coldchain.stores.wrapped.passing import PassingReader, PassingStore
from coldchain.stores.wrapped.retrying import RetryingStore
from coldchain.stores.wrapped.throttled import Bucket, ThrottledStore
from coldchain.testing import MemoryStore
from coldchain.testing.wrapping import Call, WrappedStore

T = TypeVar("T")
WRAPPERS: dict[str, Callable[[Store], Store]] = {
    "passing": PassingStore,
    "retrying": lambda store: RetryingStore(store, Patience(3)),
    "throttled": lambda store: ThrottledStore(store, Bucket(())),
}
each_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS)


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    memory = MemoryStore(f"memory://{uuid.uuid4()}")
    yield memory
    memory.forget()


@each_wrapper
def test_every_verb_reaches_the_store_inside_once(memory: MemoryStore, wrapper: str) -> None:
    called: list[str] = []

    def note(call: Call, deed: Callable[[], T], /) -> T:
        called.append(call.verb)
        return deed()

    store = WRAPPERS[wrapper](WrappedStore(memory, note))
    memory.put("a", b"x")
    memory.hold_open("a")
    verbs: dict[str, Callable[[], object]] = {
        "store.folders": lambda: list(store.folders()),
        "store.stat": lambda: store.stat("a"),
        "store.read": lambda: store.read("a"),
        "store.busy": lambda: store.busy("a"),
        "store.stage": store.stage,
        "store.volume": store.volume,
        "store.free_bytes": store.free_bytes,
        "store.probe_names": store.probe_names,
        "store.make": store.make,
        "store.delete": lambda: store.delete("a"),
        "store.close": store.close,
    }
    for verb, act in verbs.items():
        called.clear()
        act()
        assert called == [verb]


@each_wrapper
def test_answers_come_back_as_they_are(memory: MemoryStore, wrapper: str) -> None:
    store = WRAPPERS[wrapper](memory)
    memory.put("a", b"x")
    memory.hold_open("a")
    assert (store.url, store.volume(), store.free_bytes()) == (memory.url, memory.volume(), memory.free_bytes())
    assert (store.busy("a"), store.stat("a")) == (memory.busy("a"), memory.stat("a"))
    assert store.busy("a")
    assert store.probe_names() == memory.probe_names()
    with store.read("a") as reader:
        assert reader.being_written()
        assert reader.look_again() == memory.stat("a")
        assert reader.piece(0, 10) == b"x"


@each_wrapper
def test_what_exists_in_this_process_only_is_not_opened_in_another_without_it(place: Path, wrapper: str) -> None:
    inner = LocalStore(str(place))
    assert inner.traits.opens_anywhere
    assert not WRAPPERS[wrapper](inner).traits.opens_anywhere
    inner.close()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


class _Turning:
    """A reader that finds out while it reads that there is no way past the cache."""

    entry = Entry("a", 2, 1)

    def __init__(self) -> None:
        self.how = "direct"
        self.inside = 0

    def chunks(self) -> Iterator[bytes | memoryview]:
        yield b"a"
        self.how = "cached"
        yield b"b"

    def piece(self, offset: int, length: int) -> bytes:
        return b"ab"[offset : offset + length]

    def look_again(self) -> Entry:
        return self.entry

    def being_written(self) -> bool:
        return False

    def __enter__(self) -> Self:
        self.inside += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.inside -= 1


class _Opening(MemoryStore):
    def __init__(self, reader: _Turning) -> None:
        super().__init__(f"memory://{uuid.uuid4()}")
        self.reader = reader

    def read(self, key: str, *, past_cache: bool = False) -> Reader:  # type: ignore[override]
        return self.reader


@each_wrapper
def test_p02_a_proof_says_how_it_was_read_in_the_end_and_not_how_it_began(wrapper: str) -> None:
    inner = _Turning()
    with WRAPPERS[wrapper](_Opening(inner)).read("a") as reader:
        assert inner.inside == 1
        assert [(bytes(chunk), reader.how) for chunk in reader.chunks()] == [(b"a", "direct"), (b"b", "cached")]
    assert inner.inside == 0
    with PassingReader(inner) as passing:
        assert passing.entry == inner.entry
