"""Does a faulty store fail when it is told to, and only then?"""

from __future__ import annotations

from typing import get_args

import pytest

from coldchain.errors import Denied, FlushFailed, StoreFull, StoreGone, Unreliable
from coldchain.model import Entry
from coldchain.testing import Call, FaultyStore, ForgetfulStore, LyingStore, MemoryStore, SlowStore, Verb
from coldchain.testing.contract.acts import (
    carry,
    content_of,
    entry_for,
    everything,
    joined,
    put_in,
    refused,
    staging_of,
)


def test_the_nth_call_of_a_verb_fails_and_no_other(memory: MemoryStore) -> None:
    faulty = FaultyStore(memory)
    memory.put("a", b"1")
    faulty.fail("store.stat", Denied, nth=2)
    faulty.stat("a")
    with pytest.raises(Denied) as caught:
        faulty.stat("a")
    assert (caught.value.url, caught.value.key) == (memory.url, "a")
    assert faulty.stat("a") == memory.stat("a")


def test_a_fault_can_last_and_be_healed(memory: MemoryStore) -> None:
    faulty = FaultyStore(memory)
    faulty.fail("store.volume", StoreGone, nth=2, forever=True)
    faulty.volume()
    for _ in range(3):
        with pytest.raises(StoreGone):
            faulty.volume()
    faulty.heal()
    assert faulty.volume() == memory.volume()


def test_a_fault_can_be_for_some_keys_alone(memory: MemoryStore) -> None:
    faulty = FaultyStore(memory)
    memory.put("a", b"1")
    memory.put("b", b"1")
    faulty.fail("store.read", Unreliable, keys=["b"], forever=True)
    assert content_of(faulty, "a") == b"1"
    with pytest.raises(Unreliable):
        faulty.read("b")


def test_a_write_fails_in_the_middle_of_a_file(memory: MemoryStore) -> None:
    faulty = FaultyStore(memory)
    faulty.fail("sink.write", StoreFull, nth=3)
    with staging_of(faulty) as staging:
        put_in(staging, "a", b"1")
        sink = staging.open("b", entry_for("b", b""))
        sink.write(b"1")
        with pytest.raises(StoreFull):
            sink.write(b"2")
        sink.abort()
    assert everything(memory) == []


def test_publishing_fails_for_one_key_and_succeeds_for_the_others(memory: MemoryStore) -> None:
    faulty = FaultyStore(memory)
    faulty.fail("publish.key", Denied, keys=["b"])
    with staging_of(faulty) as staging:
        for key in "abc":
            put_in(staging, key, b"1")
        results = staging.publish(dict.fromkeys("abc"))
    assert list(results) == ["a", "b", "c"]
    assert isinstance(refused(results["b"]), Denied)
    assert everything(memory) == ["a", "c"]


def test_a_lost_reply_is_an_error_though_the_deed_is_done(memory: MemoryStore) -> None:
    faulty = FaultyStore(memory)
    faulty.lose_reply("publish.key")
    with staging_of(faulty) as staging:
        put_in(staging, "a", b"1")
        assert isinstance(refused(staging.publish({"a": None})["a"]), Unreliable)
    assert memory.get("a") == b"1"


def test_a_listing_breaks_off_in_the_middle(memory: MemoryStore) -> None:
    faulty = FaultyStore(memory)
    for key in "abc":
        memory.put(key, b"1")
    faulty.fail("listing.item", Unreliable, nth=3)
    listing = faulty.list()
    assert [next(listing).path, next(listing).path] == ["a", "b"]
    with pytest.raises(Unreliable):
        next(listing)


@pytest.mark.parametrize("verb", get_args(Verb))
def test_every_verb_can_fail(memory: MemoryStore, verb: Verb) -> None:
    faulty = FaultyStore(memory)
    faulty.fail(verb, FlushFailed, forever=True)
    if verb == "publish.key":
        assert isinstance(_use_everything(faulty), FlushFailed)
    else:
        with pytest.raises(FlushFailed):
            _use_everything(faulty)


def test_the_calls_are_kept_in_order(memory: MemoryStore) -> None:
    faulty = FaultyStore(memory)
    carry(faulty, {"a": b"12"})
    assert faulty.calls == [
        Call("store.stage"),
        Call("staging.open", "a"),
        Call("sink.write", "a", 2),
        Call("sink.close", "a"),
        Call("staging.flush"),
        Call("staging.publish"),
        Call("publish.key", "a"),
        Call("staging.close"),
    ]


def _use_everything(store: FaultyStore) -> object:
    """Call every verb once; returns the result of publishing."""
    for call in (store.make, store.volume, store.free_bytes, store.probe_names, lambda: list(store.folders())):
        call()
    staging = store.stage()
    staging.open("aborted", entry_for("aborted", b"")).abort()
    for key in ("a", "discarded"):
        put_in(staging, key, b"1")
    staging.discard("discarded")
    staging.flush()
    staging.read_back("a")
    result = staging.publish({"a": None})["a"]
    if isinstance(result, Entry):
        staging.vouched("a")
        staging.settle("a")
    staging.close()
    if not isinstance(result, Entry):
        return result
    list(store.list())
    store.stat("a")
    store.busy("a")
    with store.read("a") as reader:
        joined(reader)
        reader.look_again()
        reader.being_written()
    store.delete("a")
    store.close()
    return result


def test_wrappers_can_be_put_over_each_other(memory: MemoryStore) -> None:
    faulty = FaultyStore(LyingStore(ForgetfulStore(SlowStore(memory))))
    carry(faulty, {"a": b"1"})
    assert content_of(faulty, "a") == b"1"
    assert (faulty.url, faulty.traits) == (memory.url, memory.traits)
