"""Is a manifest that is no longer what was written noticed, and is one that is right left in peace?"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from uuid import uuid4

import pytest

from coldchain.config.values import OnChange
from coldchain.errors import NotFound, StoreError, StoreGone, Unreliable
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, json_lines, manifest_keys
from coldchain.steps.plan import Aim
from coldchain.steps.reread import Reread, reread
from coldchain.steps.scan import Walks
from coldchain.stores.base import Reader
from coldchain.stores.names import NameRules
from coldchain.testing import FaultyStore, MemoryStore
from tests.ledger.making import DATASET, DISK, JOB, LATER, digest_of, verified
from tests.steps.test_generations import JSON, SUMS, Bench

GOOD = [(JSON, "good"), (SUMS, "good")]


@pytest.fixture
def bench() -> Iterator[Bench]:
    url = f"memory://{uuid4().hex}"
    made = Bench(MemoryStore(url), url)
    made.stored(a="one", b="two", c="three")
    assert made.publish() == []
    yield made
    made.ledger.close()


def found(bench: Bench, *, volume: str = "", algorithm: str = "sha256") -> list[Reread]:
    aim = Aim(DISK, bench.store, Walks(bench.store), NameRules(), OnChange.REPLACE, volume)
    return list(reread(bench.ledger, JOB, aim, DATASET, algorithm))


def states(bench: Bench) -> list[tuple[str, str]]:
    return [(one.key, one.state) for one in found(bench)]


def put(bench: Bench, key: str, content: bytes) -> None:
    assert isinstance(bench.store, MemoryStore)
    bench.store.put(key, content)


def test_p08_what_was_written_is_good(bench: Bench) -> None:
    assert states(bench) == GOOD


@pytest.mark.parametrize("key", [JSON, SUMS])
def test_p08_any_byte_that_is_another_is_found(bench: Bench, key: str) -> None:
    whole = bench.bytes(key)
    for place in range(0, len(whole), 7):
        put(bench, key, whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        *_, last = found(bench)
        assert (last.key, last.state) == (key, "corrupt"), place
        assert last.reason
        assert last.reason[0].isalpha()
        assert not any(words in last.reason for words in (key, "The data beside")), last.reason


@pytest.mark.parametrize("key", [JSON, SUMS])
@pytest.mark.parametrize("less", [1, 20, 300])
def test_p08_a_manifest_that_is_cut_short_is_found(bench: Bench, key: str, less: int) -> None:
    put(bench, key, bench.bytes(key)[:-less])
    assert found(bench)[-1][1:3] == (key, "corrupt")


def test_p08_a_manifest_that_is_empty_or_not_there_is_found(bench: Bench) -> None:
    put(bench, SUMS, b"")
    assert states(bench) == [(JSON, "good"), (SUMS, "corrupt")]
    bench.store.delete(SUMS)
    assert states(bench) == [(JSON, "good"), (SUMS, "lost")]
    bench.store.delete(JSON)
    assert states(bench) == [(JSON, "lost")]


def test_p08_a_manifest_that_does_not_list_what_was_stored_since_is_outdated(bench: Bench) -> None:
    bench.stored(late="four")
    assert states(bench) == [(JSON, "outdated")]
    assert bench.publish() == []
    assert states(bench) == GOOD
    bench.stored(late="another four")
    assert states(bench) == [(JSON, "outdated")]


def test_p08_the_list_of_an_earlier_state_beside_a_new_json_is_found(bench: Bench) -> None:
    """Of the two files a run that was cut short may have written one."""
    before = bench.bytes(SUMS)
    bench.stored(late="four")
    assert bench.publish() == []
    put(bench, SUMS, before)
    assert states(bench) == [(JSON, "good"), (SUMS, "corrupt")]


def test_what_another_ledger_stored_there_belongs_to_the_list(bench: Bench) -> None:
    """It is carried over from manifest to manifest, and this ledger does not know it."""
    with Ledger.empty(LATER) as other:
        mine = bench.ledger
        bench.ledger = other
        bench.__post_init__()
        bench.stored(z="of another host")
        assert bench.publish() == []
        assert states(bench) == GOOD
        bench.ledger = mine
        assert states(bench) == GOOD
        assert bench.bytes(SUMS).count(b"\n") == 4


def test_a_job_whose_digest_is_another_one_since_has_no_list_of_that_digest_yet(bench: Bench) -> None:
    key, _ = manifest_keys(JOB, DATASET, "md5")
    assert [(one.key, one.state) for one in found(bench, algorithm="md5")] == [(JSON, "good"), (key, "good")]


def test_both_are_read_past_the_cache(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of the cache may be right where the disk is not."""
    seen: list[tuple[str, bool]] = []
    read = MemoryStore.read

    def watched(self: MemoryStore, key: str, *, past_cache: bool = False) -> Reader:
        seen.append((key, past_cache))
        return read(self, key, past_cache=past_cache)

    monkeypatch.setattr(MemoryStore, "read", watched)
    assert states(bench) == GOOD
    assert seen == [(JSON, True), (SUMS, True)]


@pytest.mark.parametrize("key", [JSON, SUMS])
@pytest.mark.parametrize(("error", "tries"), [(Unreliable, 2), (StoreGone, 1)])
def test_a_link_that_breaks_is_borne_once(bench: Bench, key: str, error: type[StoreError], tries: int) -> None:
    whole = bench.store
    bench.store = faulty = FaultyStore(whole)
    faulty.fail("store.read", Unreliable, keys=[key])
    assert states(bench) == GOOD
    faulty.fail("reader.chunk", error, keys=[key], forever=True)
    last = found(bench)[-1]
    assert (last.key, last.state) == (key, "unreadable")
    assert last.reason
    assert len([call for call in faulty.calls if call.verb == "store.read" and call.key == key]) == 2 + tries


def test_p10_of_a_place_that_is_gone_nothing_is_lost(bench: Bench) -> None:
    volume = bench.store.volume()
    assert states(bench) == [(one.key, one.state) for one in found(bench, volume=volume)] == GOOD
    bench.store.delete(JSON)
    assert [one.state for one in found(bench, volume=volume)] == ["lost"]
    assert [one.state for one in found(bench, volume="another")] == ["unreadable"]
    whole = bench.store
    for error in (NotFound, Unreliable, StoreGone):
        bench.store = faulty = FaultyStore(whole)
        faulty.fail("store.volume", error, forever=True)
        assert [one.state for one in found(bench, volume=volume)] == ["unreadable"]


def test_the_manifest_of_another_dataset_under_this_name_is_not_judged(bench: Bench) -> None:
    """A place that confuses names: what lies there may be right."""
    header, _, _ = bench.read()
    other = ManifestHeader(JOB, "another", header.destination, header.ledger, header.head, LATER, "1")
    put(bench, JSON, b"".join(json_lines(other, [])))
    [one] = found(bench)
    assert (one.state, "another" in one.reason) == ("unreadable", True)


def test_memory_does_not_grow_with_the_files_that_are_listed(bench: Bench) -> None:
    """Only what no ledger of ours knows is held."""

    def peak(files: int) -> int:
        many = [verified(f"f{number:06}", digest=digest_of(number)) for number in range(files)]
        bench.ledger.record(bench.run, JOB, DATASET, many, LATER)
        assert bench.publish() == []
        tracemalloc.start()
        assert states(bench) == GOOD
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    first = peak(12_000)
    assert peak(24_000) < 1.1 * first
