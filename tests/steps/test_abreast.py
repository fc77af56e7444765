"""What becomes of a destination that is much slower than the others?"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import cast

import pytest

from coldchain.content.digests import digest_of
from coldchain.model import Entry, Manner, Outcome, ProofKind, State, Target, Trouble, Verified
from coldchain.steps.abreast import LaneThread
from coldchain.steps.lane import Lane
from coldchain.steps.transfer import BatchResult
from coldchain.steps.transfer import _settle as settle_lanes
from coldchain.stores.base import Store
from coldchain.stores.local.store import LocalStore
from coldchain.testing import MemoryStore, SlowStore

ENTRY = Entry("f", 5, 10**18)
TARGET = Target("nas", "f", Manner.NEW, "new")


def send(lane: LaneThread, pieces: list[bytes]) -> None:
    lane.begin(ENTRY._replace(size_bytes=sum(map(len, pieces))), TARGET)
    for piece in pieces:
        lane.take(piece)
    lane.finish(digest_of("sha256", pieces)[0])
    lane.begin_to_settle()


def test_a_lane_that_keeps_up_ends_as_if_it_were_alone() -> None:
    store, done = MemoryStore("memory://abreast-1"), threading.Event()
    lane = LaneThread(Lane("nas", cast("Store", store), "ab", ProofKind.READBACK, store.volume()), 10, done.set)
    send(lane, [b"hello"])
    outcomes = lane.settle()
    assert outcomes is not None
    assert [type(outcome) for outcome in outcomes] == [Verified]
    assert done.wait(10)
    assert store.get("f") == b"hello"


def test_p11_a_lane_that_hangs_drops_out_and_takes_back_what_it_wrote_when_it_wakes(tmp_path: Path) -> None:
    local = LocalStore(str(tmp_path))
    slow = SlowStore(local)
    stall = slow.stall("sink.write")
    done = threading.Event()

    def close() -> None:
        slow.close()
        done.set()

    lane = LaneThread(Lane("nas", cast("Store", slow), "ab", ProofKind.READBACK, local.volume()), 0.2, close)
    send(lane, [b"x"] * 100)
    assert stall.reached.wait(10)
    assert lane.settle() is None, "it dropped out"
    lane.close()
    assert not done.is_set(), "its store must stay open for as long as it works"
    assert list(tmp_path.iterdir()), "its temporary file is still there"
    stall.release()
    assert done.wait(10)
    assert list(tmp_path.iterdir()) == []


def test_p03_a_file_that_was_cancelled_leaves_nothing_and_the_next_one_arrives(tmp_path: Path) -> None:
    store, done = LocalStore(str(tmp_path)), threading.Event()
    lane = LaneThread(Lane("nas", cast("Store", store), "ab", ProofKind.READBACK, store.volume()), 10, done.set)
    lane.begin(ENTRY, TARGET)
    lane.take(b"half")
    lane.cancel()
    lane.begin(ENTRY._replace(path="g"), TARGET._replace(key="g"))
    lane.take(memoryview(b"hello"))
    lane.finish(digest_of("sha256", [b"hello"])[0])
    lane.begin_to_settle()
    outcomes = lane.settle()
    assert outcomes is not None
    assert [outcome.entry.path for outcome in outcomes if isinstance(outcome, Verified)] == ["g"]
    assert done.wait(10)
    assert [file.name for file in tmp_path.iterdir()] == ["g"]


def test_p03_a_lane_that_is_closed_before_it_settled_takes_everything_back(tmp_path: Path) -> None:
    store, done = LocalStore(str(tmp_path)), threading.Event()
    lane = LaneThread(Lane("nas", cast("Store", store), "ab", ProofKind.READBACK, store.volume()), 10, done.set)
    lane.begin(ENTRY, TARGET)
    lane.take(b"hello")
    lane.finish(digest_of("sha256", [b"hello"])[0])
    lane.begin(ENTRY._replace(path="g"), TARGET._replace(key="g"))
    until = time.monotonic() + 10
    while len(list(tmp_path.iterdir())) < 2:
        assert time.monotonic() < until, "both are begun"
        time.sleep(0.005)
    lane.close()
    assert done.wait(10), "nobody waits for it, but it must end"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("patience_s", [None, 60.0])
def test_a_lane_that_is_slow_is_waited_for_while_there_is_patience(patience_s: float | None) -> None:
    store = MemoryStore(f"memory://abreast-slow-{patience_s}")
    slow = SlowStore(cast("Store", store))
    stall = slow.stall("sink.write")
    inner = Lane("nas", cast("Store", slow), "ab", ProofKind.READBACK, store.volume())
    lane = LaneThread(inner, patience_s, lambda: None)
    threading.Timer(1.2, stall.release).start()  # longer than one look takes
    send(lane, [b"hello"])
    outcomes = lane.settle()
    assert [type(outcome) for outcome in outcomes or ()] == [Verified]


def test_a_bug_in_a_lane_is_raised_to_the_reader_and_does_not_hang() -> None:
    class Broken(MemoryStore):
        def volume(self) -> str:
            if self.opened:
                raise ZeroDivisionError
            return super().volume()

        opened = False

    store = Broken("memory://abreast-2")
    done = threading.Event()
    inner = Lane("nas", cast("Store", store), "ab", ProofKind.READBACK, store.volume())
    store.opened = True
    lane = LaneThread(inner, None, done.set)
    send(lane, [b"hello"] * 100)  # more than may wait for it
    try:
        lane.settle()
    except ZeroDivisionError:
        assert done.wait(10)
    else:
        raise AssertionError("the bug went unnoticed")


def test_p01_a_destination_that_lags_is_named_and_the_word_on_the_others_stays() -> None:
    store = MemoryStore("memory://abreast-lagging")
    slow = SlowStore(cast("Store", store))
    stall, done = slow.stall("sink.write"), threading.Event()
    lane = LaneThread(Lane("nas", cast("Store", slow), "ab", ProofKind.READBACK, store.volume()), 0.2, done.set)
    send(lane, [b"x"] * 100)
    assert stall.reached.wait(10)
    told: list[Outcome] = [Trouble(name, "f", 5, State.HELD, "changed") for name in ("nas", "usb")]
    result = settle_lanes([lane], told)
    stall.release()
    lane.close()
    assert done.wait(10)
    assert result == BatchResult(told[1:], frozenset({"nas"}), ())
