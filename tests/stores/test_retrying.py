"""Is a request made again only where that does no harm, and not for ever?"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from coldchain.content.patience import Patience
from coldchain.errors import ChangedUnderway, ConfigurationError, Denied, FlushFailed, NotFound, StoreError, Unreliable
from coldchain.model import Entry, Place
from coldchain.stores.base import Store, open_store
from coldchain.stores.wrapped.retrying import RetryingStore
from coldchain.testing import MemoryStore
from coldchain.testing.contract import StoreContract
from coldchain.testing.wrapping import Call, Verb, WrappedStore


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    memory = MemoryStore(f"memory://{uuid.uuid4()}")
    yield memory
    memory.forget()


T = TypeVar("T")


class Shaky:
    """Raises at the first so many calls of a verb."""

    def __init__(self, verb: Verb, times: int, error: Callable[[], StoreError] = lambda: Unreliable("shaky")) -> None:
        self.verb, self.left, self.calls, self.error = verb, times, 0, error
        self.waits: list[float] = []

    def __call__(self, call: Call, deed: Callable[[], T], /) -> T:
        if call.verb == self.verb:
            self.calls += 1
            if self.left:
                self.left -= 1
                raise self.error()
        return deed()

    def store(self, memory: MemoryStore, retries: int = 3) -> RetryingStore:
        patience = Patience(retries, sleep=self.waits.append, share=lambda: 1.0)
        return RetryingStore(WrappedStore(memory, self), patience)


class TestRetryingStore(StoreContract):
    @pytest.fixture
    def store(self, memory: MemoryStore) -> Store:
        return RetryingStore(memory, Patience(3))

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        MemoryStore(store.url).put(key, content)

    def remove_root(self, store: Store) -> None:
        MemoryStore(store.url).unplug()


HARMLESS: dict[Verb, Callable[[Store], object]] = {
    "store.list": lambda store: list(store.list()),
    "listing.item": lambda store: list(store.list()),
    "store.folders": lambda store: list(store.folders()),
    "store.stat": lambda store: store.stat("a"),
    "store.read": lambda store: store.read("a"),
    "reader.chunk": lambda store: [*store.read("a").chunks()],
    "reader.look_again": lambda store: store.read("a").look_again(),
    "store.stage": lambda store: store.stage().close(),
    "store.delete": lambda store: store.delete("a"),
    "store.volume": lambda store: store.volume(),
    "store.make": lambda store: store.make(),
}


@pytest.mark.parametrize("verb", HARMLESS)
def test_a_harmless_request_outlasts_trouble_that_passes(memory: MemoryStore, verb: Verb) -> None:
    memory.put("a", b"x")
    shaky = Shaky(verb, 3)
    HARMLESS[verb](shaky.store(memory))
    assert shaky.left == 0
    assert shaky.waits == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("verb", HARMLESS)
def test_trouble_that_stays_is_raised_after_so_many_tries(memory: MemoryStore, verb: Verb) -> None:
    memory.put("a", b"x")
    shaky = Shaky(verb, 100)
    with pytest.raises(Unreliable):
        HARMLESS[verb](shaky.store(memory, 5))
    assert shaky.calls == 6
    assert shaky.waits == [0.25, 0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize("error", [Denied, NotFound, ChangedUnderway, FlushFailed])
@pytest.mark.parametrize("verb", HARMLESS)
def test_what_will_not_pass_is_raised_at_once(memory: MemoryStore, verb: Verb, error: type[StoreError]) -> None:
    memory.put("a", b"x")
    shaky = Shaky(verb, 1, lambda: error("no"))
    with pytest.raises(error):
        HARMLESS[verb](shaky.store(memory))
    assert shaky.waits == []


@pytest.mark.parametrize("verb", ["sink.write", "sink.close", "staging.flush", "publish.key", "staging.settle"])
def test_what_could_do_harm_is_never_done_twice(memory: MemoryStore, verb: Verb) -> None:
    shaky = Shaky(verb, 1)
    staging = shaky.store(memory).stage("t")

    def write() -> None:
        sink = staging.open("a", Entry("a", 1, 1))
        sink.write(b"x")
        sink.close()
        if verb == "staging.settle":
            staging.settle("a")
        staging.flush()
        result = staging.publish({"a": None})["a"]
        if isinstance(result, StoreError):
            raise result

    with pytest.raises(Unreliable):
        write()
    assert (shaky.calls, shaky.waits) == (1, [])


def test_a_listing_that_breaks_off_goes_on_where_it_was(memory: MemoryStore) -> None:
    keys = [f"run/{number:02}" for number in range(20)]
    for key in keys:
        memory.put(key, b"x")
    shaky = Shaky("listing.item", 0)
    found = []
    for item in shaky.store(memory).list():
        found.append(item.path)
        if item.path == "run/07":
            shaky.left = 2
    assert found == keys
    assert shaky.waits == [0.25, 0.5]


def test_a_file_is_not_begun_anew_when_pieces_were_given_out(memory: MemoryStore) -> None:
    memory.put("a", bytes(3 << 20))
    shaky = Shaky("reader.chunk", 0)
    pieces = iter(shaky.store(memory).read("a").chunks())
    next(pieces)
    shaky.left = 1
    with pytest.raises(Unreliable):
        next(pieces)


def test_a_file_that_is_gone_at_the_second_try_was_deleted_by_the_first(memory: MemoryStore) -> None:
    memory.put("a", b"x")

    def lose_the_reply() -> StoreError:
        memory.delete("a")
        return Unreliable("the reply was lost")

    Shaky("store.delete", 1, lose_the_reply).store(memory).delete("a")
    with pytest.raises(NotFound):
        Shaky("store.delete", 0).store(memory).delete("a")


def test_a_place_is_tried_again_by_its_option(memory: MemoryStore) -> None:
    assert isinstance(open_store(Place("d", memory.url, (("retries", "3"),))), RetryingStore)
    assert isinstance(open_store(Place("d", memory.url, (("retries", "0"),))), MemoryStore)
    with pytest.raises(ConfigurationError, match="is no whole number"):
        open_store(Place("d", memory.url, (("retries", "many"),)))
