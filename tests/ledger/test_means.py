"""Is it never forgotten or mistaken how a copy was proved?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coldchain.errors import LedgerDamaged
from coldchain.ledger.ledger import Ledger
from coldchain.model import Digest, ProofKind, Record
from tests.ledger.making import DATASET, DISK, JOB, LATER, NOW, meet, record_of, tamper, verified

MD5 = verified("a", digest=Digest("md5", "0a" * 16), proof_kind=ProofKind.CHECKSUM, proof_how="ETag")
BLAKE3 = verified("a", digest=Digest("blake3", "0b" * 32), proof_kind=ProofKind.SIZE, proof_how="")


@pytest.fixture
def own() -> Iterator[Ledger]:
    with Ledger.empty(NOW) as ledger:
        yield ledger


def stored(ledger: Ledger) -> list[Record]:
    return list(ledger.stored(JOB, DISK, DATASET))


def test_each_copy_keeps_how_it_was_proved(own: Ledger) -> None:
    outcomes = [MD5, BLAKE3._replace(entry=MD5.entry._replace(path="b"), key="b"), verified("c"), verified("d", 2)]
    own.record(meet(own), JOB, DATASET, outcomes, NOW)
    assert stored(own) == [record_of(outcome) for outcome in outcomes]
    assert stored(own) == stored(own)


def test_p02_a_proof_that_was_never_written_down_lends_its_means_to_no_other(own: Ledger) -> None:
    run = meet(own)
    with pytest.raises(RuntimeError), own.together():
        own.record(run, JOB, DATASET, [MD5], NOW)
        assert stored(own) == [record_of(MD5)]
        raise RuntimeError("power cut")
    with own.together():
        own.record(run, JOB, DATASET, [BLAKE3], LATER)
        assert stored(own) == [record_of(BLAKE3, LATER)]
    assert stored(own) == [record_of(BLAKE3, LATER)]


def test_p05_the_older_of_two_versions_is_known_as_such(own: Ledger) -> None:
    run = meet(own)
    own.record(run, JOB, DATASET, [MD5], NOW)
    own.record(run, JOB, DATASET, [BLAKE3._replace(key="a~v2")], LATER)
    old, new = record_of(MD5, superseded=True), record_of(BLAKE3, LATER, key="a~v2")
    assert list(own.all_records(JOB, DISK, DATASET)) == [old, new]
    assert stored(own) == [new]


def test_means_that_came_after_the_first_reading_are_learnt(sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as writer:
        run = meet(writer)
        writer.record(run, JOB, DATASET, [MD5], NOW)
        with Ledger.open_read_only(sqlite_url) as reader:
            assert stored(reader) == [record_of(MD5)]
            writer.record(run, JOB, DATASET, [BLAKE3], LATER)
            assert stored(reader) == [record_of(BLAKE3, LATER)]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM means", "a record names means 1 that are not there"),
        ("UPDATE means SET kind = 9", "a record names means 1 that are not there"),
        ("UPDATE records SET digest = 'text'", "a record makes no sense: AttributeError"),
        ("UPDATE records SET source_mtime_ns = 'noon'", "a record makes no sense: TypeError"),
    ],
)
def test_p08_a_record_that_makes_no_sense_is_damage(sqlite_url: str, statement: str, why: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        ledger.record(meet(ledger), JOB, DATASET, [MD5], NOW)
    tamper(sqlite_url, statement)
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        with pytest.raises(LedgerDamaged, match=why):
            stored(ledger)
        with ledger.together(), pytest.raises(LedgerDamaged, match=why):
            stored(ledger)
        with pytest.raises(LedgerDamaged, match=why):
            ledger.record(meet(ledger), JOB, DATASET, [MD5], LATER)


@pytest.mark.parametrize("value", [0, 1, -1, -(1 << 61), (1 << 63) - 1, 1 << 63, (1 << 63) + (1 << 62)])
def test_times_of_any_century_come_back(own: Ledger, value: int) -> None:
    entry = verified("a").entry._replace(mtime_ns=value, ctime_ns=value)
    odd = verified("a", entry=entry, stored_mtime_ns=value)
    own.record(meet(own), JOB, DATASET, [odd], NOW)
    assert stored(own) == [record_of(odd)]


@pytest.mark.parametrize("inode", [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_inodes_of_any_file_system_come_back(own: Ledger, inode: int) -> None:
    odd = verified("a", entry=verified("a").entry._replace(inode=inode))
    own.record(meet(own), JOB, DATASET, [odd], NOW)
    assert stored(own) == [record_of(odd)]
