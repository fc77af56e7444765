"""Does a slow store take its time when it is told to, and only then?"""

from __future__ import annotations

import threading

import pytest

from coldchain.errors import Unreliable
from coldchain.testing import MemoryStore, SlowStore, Verb
from coldchain.testing.contract.acts import (
    carry,
    content_of,
    everything,
)


def test_calls_and_bytes_take_their_time(memory: MemoryStore) -> None:
    slept: list[float] = []
    verbs: list[Verb] = ["sink.write", "reader.chunk"]
    slow = SlowStore(memory, per_call_s=1.0, per_byte_s=0.5, verbs=verbs, sleep=slept.append)
    carry(slow, {"a": b"1234"})
    assert slept == [3.0]
    assert content_of(slow, "a") == b"1234"
    assert slept == [3.0, 1.0, 2.0, 1.0]


def test_a_store_without_delays_never_sleeps(memory: MemoryStore) -> None:
    slept: list[float] = []
    carry(SlowStore(memory, sleep=slept.append), {"a": b"1"})
    assert slept == []


def test_a_call_hangs_until_it_is_let_go(memory: MemoryStore) -> None:
    slow = SlowStore(memory)
    stall = slow.stall("staging.flush")
    thread = threading.Thread(target=carry, args=(slow, {"a": b"1"}))
    thread.start()
    assert stall.reached.wait(30)
    assert not any(key == "a" for key in everything(memory))
    stall.release()
    thread.join(30)
    assert everything(memory) == ["a"]
    carry(slow, {"b": b"1"})


def test_only_the_chosen_keys_hang(memory: MemoryStore) -> None:
    slow = SlowStore(memory)
    memory.put("a", b"1")
    stall = slow.stall("store.stat", keys=["b"])
    slow.stat("a")
    assert not stall.reached.is_set()


def test_what_hangs_too_long_fails(memory: MemoryStore) -> None:
    slow = SlowStore(memory)
    slow.stall("store.stat", longest_s=0.01)
    with pytest.raises(Unreliable, match="hung"):
        slow.stat("a")
