"""Is it said of every manifest that could not be written, and is what stands there never lost?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from coldchain.config.values import OnChange
from coldchain.errors import NotFound, Occupied, StoreError, StoreFull, StoreGone
from coldchain.ledger.manifest import manifest_keys
from coldchain.steps.identify import Writer
from coldchain.steps.plan import Aim
from coldchain.steps.publish import agent_key, leave_word, publish_manifests, read_agent
from coldchain.steps.scan import Walks
from coldchain.stores.names import NameRules
from coldchain.testing import FaultyStore, MemoryStore
from tests.ledger.making import DATASET, DISK, JOB, LATER, digest_of, verified
from tests.steps.test_generations import JSON, SUMS, Bench

ME, OTHER = Writer(JOB, "bench-pc"), Writer("another", "bench-pc")


@pytest.fixture
def bench() -> Iterator[Bench]:
    url = f"memory://{uuid4().hex}"
    made = Bench(MemoryStore(url), url)
    made.stored(a="one", b="two")
    yield made
    made.ledger.close()


def publish(bench: Bench, *datasets: str, name: str = DISK) -> list[tuple[str, StoreError]]:
    aim = Aim(name, bench.store, Walks(bench.store), NameRules(), OnChange.REPLACE)
    return list(publish_manifests(bench.ledger, bench.job, aim, datasets, ME, LATER))


@pytest.mark.parametrize("key", [JSON, SUMS])
def test_p13_a_manifest_that_could_not_be_written_is_named(bench: Bench, key: str) -> None:
    bench.ledger.record(bench.run, JOB, "second", [verified("c", digest=digest_of(3))], LATER)
    bench.store = FaultyStore(bench.store)
    bench.store.fail("publish.key", StoreFull, forever=True, keys=[key])
    [(dataset, error)] = publish(bench, DATASET, "second")
    assert (dataset, type(error)) == (DATASET, StoreFull)
    bench.store.heal()
    assert publish(bench, DATASET, "second") == []


def test_p13_a_place_that_is_gone_costs_every_manifest_and_says_so(bench: Bench) -> None:
    bench.ledger.record(bench.run, JOB, "second", [verified("c", digest=digest_of(3))], LATER)
    bench.store = FaultyStore(bench.store)
    bench.store.fail("store.stage", StoreGone, forever=True)
    assert [dataset for dataset, _ in publish(bench, DATASET, "second")] == [DATASET, "second"]


def test_a_manifest_that_cannot_be_read_is_not_written_over_and_the_others_are_written(bench: Bench) -> None:
    publish(bench, DATASET)
    before = bench.bytes(JSON)
    bench.stored(late="three")
    bench.ledger.record(bench.run, JOB, "second", [verified("c", digest=digest_of(3))], LATER)
    whole = bench.store
    bench.store = FaultyStore(whole)
    bench.store.fail("store.read", StoreGone, forever=True, keys=[JSON])
    assert [dataset for dataset, _ in publish(bench, DATASET, "second")] == [DATASET]
    bench.store = whole
    assert bench.bytes(JSON) == before
    assert [found.path for found in whole.list(".coldchain/manifests") if "second" in found.path]


def test_p08_damage_to_the_name_of_the_dataset_does_not_make_it_the_manifest_of_another(bench: Bench) -> None:
    publish(bench, DATASET)
    assert isinstance(bench.store, MemoryStore)
    rotten = bench.bytes(JSON).replace(DATASET.encode(), DATASET.swapcase().encode(), 1)
    bench.store.put(JSON, rotten)
    assert publish(bench, DATASET) == []
    assert bench.read()[0].dataset == DATASET
    [aside] = [found.path for found in bench.store.list(".coldchain/set-aside")]
    assert bench.bytes(aside) == rotten


def test_a_manifest_that_is_damaged_is_set_aside_byte_for_byte(bench: Bench) -> None:
    publish(bench, DATASET)
    assert isinstance(bench.store, MemoryStore)
    bench.store.put(JSON, b"scribbled over")
    assert publish(bench, DATASET) == []
    [aside] = [found.path for found in bench.store.list(".coldchain/set-aside")]
    assert bench.bytes(aside) == b"scribbled over"
    assert [record.path for record in bench.read()[2]] == ["a", "b"]


def test_p08_a_manifest_never_shrinks(bench: Bench) -> None:
    publish(bench, DATASET)
    url = bench.url
    again = Bench(bench.store, url)
    again.stored(c="three")
    assert publish(again, DATASET) == []
    assert [record.path for record in again.read()[2]] == ["a", "b", "c"]
    assert len(again.bytes(SUMS).splitlines()) == 3
    again.ledger.close()


def test_of_nothing_that_is_stored_there_is_no_manifest(bench: Bench) -> None:
    assert publish(bench) == []
    assert publish(bench, "nothing of it") == []
    assert publish(bench, DATASET, name="unknown") == []
    assert [found.path for found in bench.store.list(".coldchain")] == []


# --- the word of the last run -----------------------------------------------------------------------------------------


def test_the_word_of_each_job_stays_beside_the_others_and_grows(bench: Bench) -> None:
    store = bench.store
    assert read_agent(store, ME) == {}
    leave_word(store, ME, {"ledger": "L", "event": 5})
    leave_word(store, OTHER, {"trouble": "x"})
    leave_word(store, ME, {"event": 6})
    assert read_agent(store, ME) == {"ledger": "L", "event": 6}
    assert read_agent(store, OTHER) == {}, "a word of trouble only says nothing of a ledger"
    assert read_agent(store, Writer(JOB, "another-pc")) == {}


@pytest.mark.parametrize(
    "spoiled", [b"", b"{", b"[]", b'{"jobs":[]}', b'{"jobs":{"merscope":5}}', b"\xff", b"[" * 99999]
)
def test_a_word_that_nobody_can_read_is_none_and_is_written_over(bench: Bench, spoiled: bytes) -> None:
    assert isinstance(bench.store, MemoryStore)
    bench.store.put(agent_key("bench-pc"), spoiled)
    assert read_agent(bench.store, ME) == {}
    leave_word(bench.store, ME, {"ledger": "L"})
    assert read_agent(bench.store, ME) == {"ledger": "L"}


@pytest.mark.parametrize("depth", range(100, 1000, 100))
def test_a_word_of_another_job_that_is_too_deep_to_be_written_is_in_nobodys_way(bench: Bench, depth: int) -> None:
    assert isinstance(bench.store, MemoryStore)
    bench.store.put(agent_key("bench-pc"), b'{"jobs":{"another":' + b"[" * depth + b"]" * depth + b"}}")
    leave_word(bench.store, ME, {"ledger": "L"})
    assert read_agent(bench.store, ME) == {"ledger": "L"}


def test_a_word_that_could_not_be_left_is_an_error_and_one_that_cannot_be_read_is_none(bench: Bench) -> None:
    leave_word(bench.store, ME, {"ledger": "L"})
    faulty = FaultyStore(bench.store)
    faulty.fail("publish.key", StoreFull, forever=True)
    with pytest.raises(StoreFull):
        leave_word(faulty, ME, {"ledger": "M"})
    faulty.fail("store.read", StoreGone, forever=True)
    assert read_agent(faulty, ME) == {}
    with pytest.raises(NotFound):
        bench.store.stat(agent_key("nobody"))


def test_p08_two_datasets_whose_names_a_place_confuses_never_write_over_each_others_manifest() -> None:
    """However they come: together, or one after the other."""
    url = "memory://folds"
    rules = NameRules(folds_case=True)
    store = MemoryStore(url, rules=rules)
    bench = Bench(store, url)
    for dataset, path in (("Run", "a"), ("run", "b")):
        bench.ledger.record(bench.run, JOB, dataset, [verified(path, digest=digest_of(ord(path)))], LATER)
    aim = Aim(DISK, store, Walks(store), rules, OnChange.REPLACE)

    def told(*datasets: str) -> list[tuple[str, type[StoreError]]]:
        published = publish_manifests(bench.ledger, bench.job, aim, datasets, ME, LATER)
        return [(dataset, type(error)) for dataset, error in published]

    assert told("Run", "run") == [("run", Occupied)]
    first = store.get(manifest_keys(JOB, "Run", "sha256")[1])
    assert json.loads(first)["dataset"] == "Run"
    assert told("run") == [("run", Occupied)]
    assert store.get(manifest_keys(JOB, "Run", "sha256")[1]) == first
    assert told("Run") == []
    store.forget()
