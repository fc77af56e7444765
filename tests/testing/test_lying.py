"""Does a lying store store what it is told to, and report what it should not?"""

from __future__ import annotations

import pytest

from coldchain.errors import NotFound
from coldchain.model import Entry
from coldchain.testing import Lie, LyingStore, MemoryStore
from coldchain.testing.contract.acts import (
    carry,
    content_of,
    entry_for,
    everything,
    joined,
    put_in,
    replace,
    staging_of,
)


def test_p02_a_flipped_bit_is_seen_by_reading_back_and_not_by_size(memory: MemoryStore) -> None:
    lying = LyingStore(memory)
    lying.lie(Lie.FLIP)
    with staging_of(lying) as staging:
        put_in(staging, "a", b"1234")
        with staging.read_back("a") as reader:
            assert joined(reader) == b"0234"
        result = staging.publish({"a": None})["a"]
    assert result == lying.stat("a")
    assert memory.get("a") == b"0234"


@pytest.mark.parametrize("pieces", [[b"1234"], [b"1", b"2", b"34"], [b"12", b"", b"34"]])
def test_p02_a_lost_tail_is_told_as_a_whole_file(memory: MemoryStore, pieces: list[bytes]) -> None:
    lying = LyingStore(memory)
    lying.lie(Lie.CUT)
    with staging_of(lying) as staging:
        sink = staging.open("a", entry_for("a", b"1234"))
        for piece in pieces:
            sink.write(piece)
        sink.close()
        result = staging.publish({"a": None})["a"]
    assert isinstance(result, Entry)
    assert (result.size_bytes, lying.stat("a").size_bytes, memory.get("a")) == (4, 3, b"123")


def test_p02_a_dropped_file_is_told_as_published(memory: MemoryStore) -> None:
    lying = LyingStore(memory)
    lying.lie(Lie.DROP)
    with staging_of(lying) as staging:
        put_in(staging, "a", b"1234")
        with pytest.raises(NotFound):
            staging.read_back("a")
        result = staging.publish({"a": None})["a"]
    assert isinstance(result, Entry)
    assert (result.path, result.size_bytes) == ("a", 4)
    assert everything(lying) == []


def test_p02_a_vanishing_file_reads_back_well(memory: MemoryStore) -> None:
    lying = LyingStore(memory)
    lying.lie(Lie.VANISH)
    with staging_of(lying) as staging:
        put_in(staging, "a", b"1234")
        with staging.read_back("a") as reader:
            assert joined(reader) == b"1234"
        assert isinstance(staging.publish({"a": None})["a"], Entry)
    assert everything(memory) == []


def test_it_lies_as_often_as_it_is_told_and_of_the_keys_it_is_told(memory: MemoryStore) -> None:
    lying = LyingStore(memory)
    lying.lie(Lie.FLIP, keys=["b", "c"], times=1)
    carry(lying, dict.fromkeys("abc", b"1"))
    assert [memory.get(key) for key in "abc"] == [b"1", b"0", b"1"]
    assert lying.told == [(Lie.FLIP, "b")]


@pytest.mark.parametrize("lie", Lie)
def test_a_file_that_is_discarded_and_written_again_is_whole(memory: MemoryStore, lie: Lie) -> None:
    lying = LyingStore(memory)
    lying.lie(lie, times=1)
    with staging_of(lying) as staging:
        put_in(staging, "a", b"1234")
        staging.discard("a")
        put_in(staging, "a", b"1234")
        assert staging.publish({"a": None})["a"] == memory.stat("a")
    assert memory.get("a") == b"1234"
    assert everything(memory) == ["a"]


def test_p02_rot_changes_bytes_and_nothing_else_until_the_file_is_stored_anew(memory: MemoryStore) -> None:
    lying = LyingStore(memory)
    entry = carry(lying, {"a": b"1234"})["a"]
    lying.rot("a")
    assert content_of(lying, "a") == b"0234"
    assert lying.stat("a") == entry
    replace(lying, "a", b"1234", entry)
    assert content_of(lying, "a") == b"1234"


def test_p02_rot_on_the_medium_does_not_show_in_the_cache(memory: MemoryStore) -> None:
    lying = LyingStore(memory)
    carry(lying, {"a": b"1234"})
    lying.rot("a", only_past_cache=True)
    assert content_of(lying, "a") == b"1234"
    with lying.read("a", past_cache=True) as reader:
        assert joined(reader) == b"0234"
