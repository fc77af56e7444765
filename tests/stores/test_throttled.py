"""Does a place take no more of the line than it was given, however many threads there are?"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from coldchain.config.bandwidth import Window, parse_bandwidth
from coldchain.errors import ConfigurationError
from coldchain.model import Entry, Place
from coldchain.stores.base import Store, open_store
from coldchain.stores.wrapped.throttled import Bucket, Buckets, ThrottledStore, local_minute
from coldchain.testing import MemoryStore
from coldchain.testing.contract import StoreContract

MB = 1_000_000


class Clock:
    """A clock that moves only when somebody sleeps; many may sleep at once."""

    def __init__(self) -> None:
        self.now_s, self.minute = 0.0, 0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        with self._lock:
            self.now_s += seconds

    def bucket(self, text: str) -> Bucket:
        return Bucket(parse_bandwidth(text), minute=lambda: self.minute, clock=self, sleep=self.sleep)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    memory = MemoryStore(f"memory://{uuid.uuid4()}")
    yield memory
    memory.forget()


def carry(store: Store, key: str, content: bytes) -> None:
    staging = store.stage("t")
    sink = staging.open(key, Entry(key, len(content), 1))
    for start in range(0, len(content), MB):
        sink.write(content[start : start + MB])
    sink.close()
    staging.flush()
    with staging.read_back(key) as reader:
        assert b"".join(map(bytes, reader.chunks())) == content
    assert isinstance(staging.publish({key: None})[key], Entry)
    staging.close()


class TestThrottledStore(StoreContract):
    @pytest.fixture
    def store(self, memory: MemoryStore) -> Store:
        return ThrottledStore(memory, Clock().bucket("1 MB/s"))

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        MemoryStore(store.url).put(key, content)

    def remove_root(self, store: Store) -> None:
        MemoryStore(store.url).unplug()


def test_writing_and_reading_back_take_as_long_as_the_bandwidth_says(clock: Clock, memory: MemoryStore) -> None:
    carry(ThrottledStore(memory, clock.bucket("2 MB/s")), "a", bytes(10 * MB))
    assert clock.now_s == pytest.approx(10.0, abs=0.3)


def test_reading_a_source_counts_and_so_does_a_piece(clock: Clock, memory: MemoryStore) -> None:
    memory.put("a", bytes(4 * MB))
    with ThrottledStore(memory, clock.bucket("2 MB/s")).read("a") as reader:
        assert sum(map(len, reader.chunks())) == 4 * MB
        assert len(reader.piece(0, 2 * MB)) == 2 * MB
    assert clock.now_s == pytest.approx(3.0, abs=0.3)


def test_many_threads_share_one_limit() -> None:
    """Each pays for what all of them have drawn before: what is waited for grows with the sum."""
    waits: list[float] = []
    bucket = Bucket((Window(MB),), minute=lambda: 0, clock=lambda: 0.0, sleep=waits.append)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: bucket.draw(MB), range(20)))
    assert max(waits) == pytest.approx(20.0, abs=0.3)
    assert sorted(waits) == pytest.approx([n - 0.25 for n in range(1, 21)])


def test_time_in_which_nothing_travelled_is_not_saved_up(clock: Clock) -> None:
    bucket = clock.bucket("1 MB/s")
    bucket.draw(MB)
    clock.now_s += 3600
    before = clock.now_s
    bucket.draw(10 * MB)
    assert clock.now_s - before == pytest.approx(10.0, abs=0.3)


def test_a_limit_holds_at_its_hours_and_at_no_others(clock: Clock) -> None:
    bucket = clock.bucket("08:00-18:00 1 MB/s; 22:00-06:00 4 MB/s")
    spent = {}
    for hour in (7, 8, 12, 17, 18, 21, 22, 0, 5, 6):
        clock.minute, before = hour * 60, clock.now_s
        clock.now_s += 100
        bucket.draw(8 * MB)
        spent[hour] = round(clock.now_s - before - 100)
    assert spent == {7: 0, 8: 8, 12: 8, 17: 8, 18: 0, 21: 0, 22: 2, 0: 2, 5: 2, 6: 0}


def test_the_clock_on_the_wall_counts_hours_and_minutes() -> None:
    before = datetime.now()
    minute = local_minute()
    after = datetime.now()
    assert minute in {60 * moment.hour + moment.minute for moment in (before, after)}


def test_a_place_that_is_opened_twice_has_one_bucket() -> None:
    buckets = Buckets()
    assert buckets.of("s3://bucket", "1 MB/s") is buckets.of("s3://bucket", "1 MB/s")
    assert buckets.of("s3://bucket", "1 MB/s") is not buckets.of("s3://other", "1 MB/s")
    with pytest.raises(ConfigurationError, match="s3://bucket: bandwidth: '1 Mb/s' is no bandwidth"):
        buckets.of("s3://bucket", "1 Mb/s")


def test_a_place_is_slowed_by_its_option(memory: MemoryStore) -> None:
    place = Place("d", memory.url, (("bandwidth", "100 MB/s"),))
    one, other = open_store(place), open_store(place)
    assert isinstance(one, ThrottledStore)
    assert isinstance(other, ThrottledStore)
    assert one._bucket is other._bucket
    carry(one, "a", b"x")
    assert other.stat("a").size_bytes == 1
