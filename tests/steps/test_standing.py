"""What is learnt from the manifest that stands there, and does it keep a list that somebody may have checked by?"""

from __future__ import annotations

from typing import Any

import pytest

from coldchain.config.values import OnChange
from coldchain.errors import NotFound, Occupied, StoreError, Unreliable
from coldchain.ledger.manifest import manifest_keys
from coldchain.model import Digest
from coldchain.steps.generations import Standing, keep_generation, read_standing
from coldchain.steps.identify import Writer
from coldchain.steps.plan import Aim
from coldchain.steps.publish import publish_manifests
from coldchain.steps.scan import Walks
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.names import NameRules
from coldchain.testing import FaultyStore, MemoryStore
from tests.ledger.making import DATASET, DISK, JOB, LATER, verified
from tests.steps.test_generations import JSON, WHOLE, Bench, bench, kept, sealed

__all__ = ["bench", "sealed"]

NOTHING = Standing()


def standing(bench: Bench, *, units: bool = False, dataset: str = DATASET) -> Standing:
    return read_standing(bench.store, JSON, dataset, bench.ledger.all_records(JOB, DISK, DATASET), units=units)


# --- what is learnt ---------------------------------------------------------------------------------------------------


def test_where_no_manifest_stands_nothing_is_learnt(bench: Bench) -> None:
    assert standing(bench) == NOTHING
    assert not NOTHING.sealed


def test_what_the_ledger_holds_as_well_is_nothing_new(sealed: Bench) -> None:
    found = standing(sealed)
    assert (found.key, found.sealed, found.differs, found.others) == (JSON, True, False, [])
    assert (found.algorithms, found.units) == ({"sha256"}, [])
    assert standing(sealed, units=True).units == [dict(unit) for unit in WHOLE.units]


def test_a_manifest_that_nobody_judged_tells_of_no_units(bench: Bench) -> None:
    bench.stored(a="one")
    bench.publish()
    found = standing(bench, units=True)
    assert (found.told, found.sealed, found.units, found.others) == (None, False, [], [])


@pytest.mark.parametrize("late", ["Z", "aa", "bb"])
def test_a_file_that_it_does_not_list_is_a_difference_wherever_its_name_stands(sealed: Bench, late: str) -> None:
    sealed.stored(**{late: "late"})
    found = standing(sealed)
    assert (found.differs, found.others) == (True, [])


@pytest.mark.parametrize("change", ["size", "digest"])
def test_a_file_that_it_lists_otherwise_is_a_difference(sealed: Bench, change: str) -> None:
    (record, _) = sealed.ledger.all_records(JOB, DISK, DATASET)
    sealed.ledger.forget(sealed.run, JOB, DATASET, DISK, record, "lost", LATER)
    assert [other.path for other in standing(sealed).others] == ["a"]
    again = verified("a", digest=record.digest if change == "size" else Digest("sha256", "0" * 64))
    size_bytes = record.size_bytes + (change == "size")
    again = again._replace(entry=again.entry._replace(size_bytes=size_bytes))
    sealed.ledger.record(sealed.run, JOB, DATASET, [again], LATER)
    found = standing(sealed)
    assert (found.differs, found.others) == (True, [])


@pytest.mark.parametrize("mine", ["Z", "aa", "c"])
def test_p08_what_another_ledger_listed_is_carried_over_wherever_ours_stand(sealed: Bench, mine: str) -> None:
    lost = Bench(sealed.store, sealed.url)
    lost.stored(**{mine: mine})
    found = standing(lost)
    assert (found.differs, [other.path for other in found.others]) == (True, ["a", "b"])
    assert lost.publish() == []
    assert lost.standing() == (2, False, sorted(["a", "b", mine]))
    assert [record.path for record in lost.read(kept(1)[0])[2]] == ["a", "b"]


def test_p08_the_manifest_of_another_dataset_is_neither_believed_nor_written_over(sealed: Bench) -> None:
    """It is the only way back to that one's files, and what it lists are not files of this dataset."""
    assert isinstance(sealed.store, MemoryStore)
    sealed.ledger.record(sealed.run, JOB, "second", [verified("c")], LATER)
    aim = Aim(DISK, sealed.store, Walks(sealed.store), NameRules(), OnChange.REPLACE)
    assert list(publish_manifests(sealed.ledger, sealed.job, aim, ["second"], Writer(JOB, "bench-pc"), LATER)) == []
    sealed.store.put(JSON, sealed.bytes(manifest_keys(JOB, "second", "sha256")[1]))
    with pytest.raises(Occupied, match="the manifest of 'second' lies under this name"):
        standing(sealed)
    assert [(dataset, type(error)) for dataset, error in sealed.publish(sealed=True)] == [(DATASET, Occupied)]
    assert sealed.store.get(JSON) == sealed.bytes(manifest_keys(JOB, "second", "sha256")[1])


# --- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["Z", "aa", "bb"])
def test_a_late_file_begins_a_generation_wherever_its_name_stands_in_the_list(sealed: Bench, late: str) -> None:
    before = sealed.bytes(JSON)
    sealed.stored(**{late: "late"})
    sealed.publish()
    assert sealed.standing() == (2, False, sorted(["a", "b", late])), "nobody said that it is whole with that"
    assert sealed.generations() == kept(1)
    assert sealed.bytes(kept(1)[0]) == before


def test_a_generation_that_is_kept_already_is_not_written_again(sealed: Bench) -> None:
    header, _, _ = sealed.read()
    found = standing(sealed)
    faulty = FaultyStore(sealed.store)
    for _ in range(2):
        assert keep_generation(faulty, found, header, "owner") == 1
    assert sum(call.verb == "staging.publish" for call in faulty.calls) == 1
    assert sealed.generations() == kept(1)
    assert isinstance(sealed.store, MemoryStore)
    sealed.store.delete(kept(1)[1])
    assert keep_generation(faulty, found, header, "owner") == 1
    assert sealed.generations() == kept(1), "the one that is missing is made good"


def test_p02_a_store_that_loses_what_it_was_given_keeps_nothing_and_says_so(sealed: Bench) -> None:
    header, _, _ = sealed.read()
    found = standing(sealed)
    faulty = FaultyStore(sealed.store)
    faulty.fail("store.read", NotFound, forever=True, keys=kept(1))
    with pytest.raises(StoreError, match="could not be kept"):
        keep_generation(faulty, found, header, "owner")


@pytest.mark.parametrize("verb", ["sink.write", "sink.close", "staging.flush"])
def test_p04_a_list_that_is_not_written_and_durable_is_not_kept(sealed: Bench, verb: Any) -> None:
    header, _, _ = sealed.read()
    faulty = FaultyStore(sealed.store)
    faulty.fail(verb, Unreliable)
    with pytest.raises(Unreliable):
        keep_generation(faulty, standing(sealed), header, "owner")
    assert sealed.generations() == []
    assert keep_generation(faulty, standing(sealed), header, "owner") == 1


def test_a_list_is_kept_under_its_own_number_although_those_before_it_are_gone(sealed: Bench) -> None:
    for name in "cd":
        sealed.stored(**{name: name})
        sealed.publish(sealed=True)
    assert isinstance(sealed.store, MemoryStore)
    for key in (*kept(1), *kept(2)):
        sealed.store.delete(key)
    header, _, _ = sealed.read()
    assert keep_generation(sealed.store, standing(sealed), header, "owner") == 3
    assert sealed.generations() == kept(3)


def test_a_long_list_is_kept_byte_for_byte(bench: Bench) -> None:
    name = "n" * 200
    many = [verified(f"{name}{number:05d}") for number in range(CHUNK_BYTES // 250)]
    bench.ledger.record(bench.run, JOB, DATASET, many, LATER)
    bench.judged()
    assert bench.publish(sealed=True) == []
    before = bench.bytes(JSON)
    assert len(before) > CHUNK_BYTES
    bench.stored(z="late")
    assert bench.publish() == []
    assert bench.bytes(kept(1)[0]) == before
    assert len(bench.bytes(kept(1)[1]).splitlines()) == len(many)
