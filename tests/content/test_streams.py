"""Do batches, spools and the pool hand on everything, once, without filling the memory?"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.content.batches import BATCH_BYTES, BATCH_FILES, LARGE_BYTES, in_batches
from coldchain.content.digests import digest_of, hasher_of
from coldchain.content.pool import as_completed, threads
from coldchain.content.spool import Spool
from coldchain.errors import ConfigurationError

sizes = st.lists(st.sampled_from([0, 1, 1 << 20, LARGE_BYTES - 1, LARGE_BYTES, 5 * LARGE_BYTES]), max_size=60)


@given(sizes)
def test_every_item_is_in_one_batch_in_order_and_large_ones_go_alone(items: list[int]) -> None:
    numbered = list(enumerate(items))
    batches = list(in_batches(numbered, lambda item: item[1]))
    assert sorted(item for batch in batches for item in batch) == numbered
    small = [item for batch in batches for item in batch if item[1] < LARGE_BYTES]
    assert small == sorted(small)
    for batch in batches:
        assert batch
        assert len(batch) == 1 or all(size < LARGE_BYTES for _, size in batch)
        assert sum(size for _, size in batch[:-1]) < BATCH_BYTES


def test_a_batch_holds_no_more_than_its_number_of_files() -> None:
    assert [len(batch) for batch in in_batches([0] * (2 * BATCH_FILES + 1), int)] == [BATCH_FILES, BATCH_FILES, 1]


def test_a_batch_is_full_as_soon_as_it_has_its_bytes() -> None:
    size = BATCH_BYTES // 8
    assert [len(batch) for batch in in_batches([size] * 20, int)] == [8, 8, 4]


@given(st.lists(st.text(st.characters(exclude_categories=[]))), st.integers(0, 5))
def test_a_spool_gives_back_what_it_got_in_order_and_as_often_as_asked(items: list[str], limit: int) -> None:
    spool: Spool[str] = Spool(lambda item: [item], lambda values: str(values[0]), limit)
    for item in items:
        spool.append(item)
    assert len(spool) == len(items)
    assert list(spool) == items
    assert list(spool) == items
    spool.close()
    assert (list(spool), len(spool)) == ([], 0)


def test_p17_the_pool_takes_no_more_from_the_stream_than_it_may() -> None:
    taken = []
    release = threading.Event()

    def items() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    def work(number: int) -> int:
        release.wait(10)
        return number * number

    with threads(2) as executor:
        results = as_completed(executor, work, items(), ahead=4)
        threading.Timer(0.05, release.set).start()
        found = [next(results)]
        assert len(taken) <= 8
        found += results
    assert sorted(found) == [(number, number * number) for number in range(50)]


def test_an_error_in_the_pool_is_raised_and_work_that_has_not_begun_is_dropped() -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), threads(1) as executor:
        list(as_completed(executor, work, range(1000), ahead=4))
    assert len(begun) < 10


def test_nobody_works_any_more_when_the_pool_was_left() -> None:
    begun, release = threading.Event(), threading.Event()
    ended: list[int] = []

    def work(number: int) -> None:
        begun.set()
        release.wait(10)
        ended.append(number)

    def leave_by_an_error() -> None:
        with threads(1) as executor:
            for number in range(3):
                executor.submit(work, number)
            assert begun.wait(10)
            threading.Timer(0.05, release.set).start()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave_by_an_error()
    assert ended == [0], "what was begun is done, and what was not is dropped"


@given(st.lists(st.binary()))
def test_the_digest_of_pieces_is_that_of_the_whole(pieces: list[bytes]) -> None:
    digest, size_bytes = digest_of("sha256", pieces)
    assert (digest.value, size_bytes) == (hashlib.sha256(b"".join(pieces)).hexdigest(), sum(map(len, pieces)))


def test_an_unknown_digest_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="crc32"):
        hasher_of("crc32")


def test_a_digest_whose_package_is_missing_is_a_mistake_in_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blake3", None)
    with pytest.raises(ConfigurationError, match=r"coldchain\[blake3\]"):
        hasher_of("blake3")
