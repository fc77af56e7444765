"""Does the ledger give back what was written, in order, and say what became of each copy?"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coldchain.errors import LedgerError
from coldchain.ledger import records as module
from coldchain.ledger.columns import microseconds, nanoseconds, signed, unsigned
from coldchain.ledger.ledger import Ledger
from coldchain.model import Digest, Manner, ProofKind, State, Tally, Trouble
from tests.ledger.making import (
    DATASET,
    DISK,
    JOB,
    LATER,
    NOW,
    ODD_NAMES,
    digest_of,
    identity,
    kinds,
    meet,
    record_of,
    tamper,
    verified,
)


def test_p16_every_odd_name_comes_back_unchanged_and_in_the_order_of_code_points(ledger: Ledger) -> None:
    run = meet(ledger)
    outcomes = [verified(name, key=f"moved/{name}") for name in ODD_NAMES]
    random.Random(1).shuffle(outcomes)
    ledger.record(run, JOB, DATASET, outcomes, NOW)
    expected = [record_of(verified(name, key=f"moved/{name}")) for name in sorted(ODD_NAMES)]
    assert list(ledger.stored(JOB, DISK, DATASET)) == expected
    assert list(ledger.all_records(JOB, DISK, DATASET)) == expected
    for name in ODD_NAMES:
        assert ledger.find_path(name) == [(JOB, DATASET)]
        assert [event.path for event in ledger.events(path=name)] == [name]
    assert ledger.verify_chain().first_broken is None


def test_whether_anything_is_known_is_said_for_each_dataset_and_place(ledger: Ledger) -> None:
    assert not ledger.has_records(JOB, DISK, DATASET)
    run = meet(ledger)
    assert not ledger.has_records(JOB, DISK, DATASET)
    ledger.record(run, JOB, DATASET, [verified("a")], NOW)
    assert ledger.has_records(JOB, DISK, DATASET)
    for job, place, dataset in (("other", DISK, DATASET), (JOB, "other", DATASET), (JOB, DISK, "other")):
        assert not ledger.has_records(job, place, dataset)
    (record,) = ledger.stored(JOB, DISK, DATASET)
    ledger.forget(run, JOB, DATASET, DISK, record, "it is gone", NOW)
    assert not ledger.has_records(JOB, DISK, DATASET)


def test_a_name_between_new_ones_is_found_among_them(ledger: Ledger) -> None:
    """Only where no record stands between the first and the last of some names, none of them is looked for."""
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("m")], NOW)
    mixed = [verified("a"), verified("m", 2, manner=Manner.REPLACE), verified("z")]
    ledger.record(run, JOB, DATASET, mixed, LATER)
    ledger.record(run, JOB, DATASET, [verified("z", 3, manner=Manner.REPLACE)], LATER)
    kinds = [(event.path, event.kind) for event in ledger.events() if event.path]
    assert kinds == [("m", "stored"), ("a", "stored"), ("m", "replaced"), ("z", "stored"), ("z", "replaced")]
    assert [record.path for record in ledger.stored(JOB, DISK, DATASET)] == ["a", "m", "z"]


def test_streams_are_whole_over_many_pages_and_while_records_are_written(ledger: Ledger) -> None:
    run = meet(ledger)
    count = 2 * module.PAGE + 7
    paths = [f"{number:06d}" for number in range(count)]
    ledger.record(run, JOB, DATASET, [verified(path) for path in paths], NOW)
    seen: list[str] = []
    for record in ledger.stored(JOB, DISK, DATASET):
        if len(seen) % 500 == 0:  # a batch behind the reader, as a run does
            ledger.record(run, JOB, DATASET, [verified(record.path, 2, manner=Manner.REPLACE)], LATER)
        seen.append(record.path)
    assert seen == paths
    assert [record.path for record in ledger.all_records(JOB, DISK, DATASET)] == paths
    exact = ledger.stored(JOB, DISK, DATASET)
    next(exact)
    exact.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [0, 1, module.PAGE - 1, module.PAGE, module.PAGE + 1])
def test_the_edge_of_a_page_loses_nothing(sqlite_url: str, count: int) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        run = meet(ledger)
        ledger.record(run, JOB, DATASET, [verified(f"{number:06d}") for number in range(count)], NOW)
        assert sum(1 for _ in ledger.stored(JOB, DISK, DATASET)) == count
        assert sum(1 for _ in ledger.all_records(JOB, DISK, DATASET)) == count


def test_what_became_of_a_copy_is_told_by_the_kind_of_its_event(ledger: Ledger) -> None:
    run = meet(ledger)

    def record(content: int, manner: Manner, key: str = "a") -> str:
        ledger.record(run, JOB, DATASET, [verified("a", content, manner=manner, key=key)], NOW)
        return kinds(ledger, "a")[-1]

    assert record(1, Manner.NEW) == "stored"
    assert record(1, Manner.ADOPT) == "proved-again"
    assert record(1, Manner.NEW) == "repaired"
    assert record(1, Manner.REPLACE) == "repaired"
    assert record(2, Manner.REPLACE) == "replaced"
    assert record(3, Manner.NEW, key="a.2") == "kept-both"
    ledger.record(run, JOB, DATASET, [verified("b", manner=Manner.ADOPT)], NOW)
    assert kinds(ledger, "b") == ["adopted"]
    for content in (1, 2):  # a copy that was lost, of a file that changed since
        ledger.record(run, JOB, DATASET, [verified("c", content)], NOW)
    assert kinds(ledger, "c") == ["stored", "replaced"]
    ledger.record(run, JOB, DATASET, [verified("d", manner=Manner.REPLACE)], NOW)
    assert kinds(ledger, "d") == ["replaced"]


def test_p05_a_version_kept_beside_its_successor_stays_on_record(ledger: Ledger) -> None:
    run = meet(ledger)
    first, second = verified("a", 1), verified("a", 2, key="a~2")
    ledger.record(run, JOB, DATASET, [first, verified("b")], NOW)
    ledger.record(run, JOB, DATASET, [second], LATER)
    old = record_of(first, superseded=True)
    assert list(ledger.stored(JOB, DISK, DATASET)) == [record_of(second, LATER), record_of(verified("b"))]
    assert list(ledger.all_records(JOB, DISK, DATASET))[:2] == [old, record_of(second, LATER)]
    assert ledger.copies(JOB, DATASET, "a") == [(DISK, record_of(second, LATER)), (DISK, old)]
    ledger.record(run, JOB, DATASET, [first._replace(manner=Manner.ADOPT)], LATER)  # the file is the first one again
    assert [record.key for record in ledger.stored(JOB, DISK, DATASET)] == ["a", "b"]
    assert [record.superseded for record in ledger.all_records(JOB, DISK, DATASET)] == [False, True, False]


def test_two_versions_of_one_path_in_one_batch_leave_one_current(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("a", 1), verified("a", 2, key="a~2")], NOW)
    assert [(record.key, record.superseded) for record in ledger.all_records(JOB, DISK, DATASET)] == [
        ("a", True),
        ("a~2", False),
    ]


def test_a_replaced_copy_keeps_one_row_and_names_the_digest_it_had(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("a", 1)], NOW)
    ledger.record(run, JOB, DATASET, [verified("a", 2, manner=Manner.REPLACE)], LATER)
    assert list(ledger.all_records(JOB, DISK, DATASET)) == [record_of(verified("a", 2), LATER)]
    event = list(ledger.events(path="a"))[-1]
    assert event.detail["old_digest"] == str(digest_of(1))
    assert (event.at, event.run, event.destination, event.detail["proof"]) == (LATER, run, DISK, "readback")


def test_proving_again_keeps_the_time_of_storing(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("a")], NOW)
    ledger.record(run, JOB, DATASET, [verified("a", manner=Manner.ADOPT)], LATER)
    [record] = ledger.stored(JOB, DISK, DATASET)
    assert (record.stored_at_us, record.proved_at_us) == (microseconds(NOW), microseconds(LATER))


def test_a_batch_for_several_destinations_is_recorded_at_each(ledger: Ledger) -> None:
    run = meet(ledger, "isilon", "archive")
    outcomes = [verified("a"), verified("a", destination="archive", proof_kind=ProofKind.SIZE, proof_how="stat")]
    ledger.record(run, JOB, DATASET, outcomes, NOW)
    assert [(name, record.proof_kind) for name, record in ledger.copies(JOB, DATASET, "a")] == [
        ("archive", ProofKind.SIZE),
        ("isilon", ProofKind.READBACK),
    ]
    assert len(kinds(ledger, "a")) == 2


def test_p04_a_batch_is_recorded_whole_or_not_at_all(ledger: Ledger) -> None:
    run = meet(ledger)
    before = ledger.head()
    with pytest.raises(LedgerError, match="never met"):
        ledger.record(run, JOB, DATASET, [verified("a"), verified("b", destination="zebra")], NOW)
    assert list(ledger.stored(JOB, DISK, DATASET)) == []
    assert ledger.head() == before
    assert ledger.datasets(JOB) == []
    ledger.record(run, JOB, "other", [verified("a")], NOW)  # numbers that were taken back point nowhere
    ledger.record(run, JOB, DATASET, [verified("a", 2)], NOW)
    assert [record.digest for record in ledger.stored(JOB, DISK, DATASET)] == [digest_of(2)]


def test_refreshing_touches_only_what_stands(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("a"), verified("b")], NOW)
    a, b = ledger.stored(JOB, DISK, DATASET)
    touched = a._replace(source_mtime_ns=5, source_ctime_ns=6, source_inode=7, mode=0o600)
    proved = b._replace(proved_at_us=microseconds(LATER), proof_how="evicted")
    lying = proved._replace(size_bytes=1, digest=digest_of(9), superseded=True, stored_at_us=1)
    ledger.refresh(run, JOB, DATASET, DISK, [touched, lying, record_of(verified("never seen"))], LATER)
    assert list(ledger.stored(JOB, DISK, DATASET)) == [touched, proved]
    assert (kinds(ledger, "a")[-1], kinds(ledger, "b")[-1]) == ("touched", "proved")
    assert kinds(ledger, "never seen") == []


def test_a_lost_and_a_corrupt_copy_are_forgotten_but_not_their_story(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("a"), verified("b"), verified("c")], NOW)
    a, b, c = ledger.stored(JOB, DISK, DATASET)
    ledger.forget(run, JOB, DATASET, DISK, a, "not there any more", LATER)
    ledger.forget(run, JOB, DATASET, DISK, b, "corrupt: other bytes", LATER)
    ledger.forget(run, JOB, DATASET, DISK, c, "other bytes", LATER, corrupt=True)
    ledger.forget(run, JOB, DATASET, DISK, c, "again", LATER)
    assert list(ledger.stored(JOB, DISK, DATASET)) == []
    assert [kinds(ledger, path)[1:] for path in "abc"] == [["lost"], ["corrupt"], ["corrupt"]]
    assert list(ledger.events(path="a"))[-1].detail["reason"] == "not there any more"
    assert ledger.find_path("a") == [(JOB, DATASET)]


def test_p10_records_of_another_disk_do_not_count_until_it_comes_back(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("a")], NOW)
    ledger.see_destination(JOB, DISK, "file:///mnt/isilon", identity("another disk"), LATER)
    assert list(ledger.stored(JOB, DISK, DATASET)) == []
    assert ledger.copies(JOB, DATASET, "a") == []
    assert ledger.tallies(JOB) == []
    assert list(ledger.by_age(JOB, DISK)) == []
    ledger.record(run, JOB, DATASET, [verified("b")], LATER)
    ledger.see_destination(JOB, DISK, "file:///mnt/isilon", identity(DISK), LATER)
    assert [record.path for record in ledger.stored(JOB, DISK, DATASET)] == ["a"]


def test_the_oldest_proof_comes_first_and_what_is_proved_meanwhile_comes_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = meet(ledger)
    for hour, path in enumerate(["c", "a", "b", "d"]):
        moment = NOW + hour * (LATER - NOW)
        ledger.record(run, JOB, f"set {path > 'b'}", [verified(path), verified(f"{path}2")], moment)
    end = NOW + 10 * (LATER - NOW)
    seen: list[tuple[str, str]] = []
    for dataset, record in ledger.by_age(JOB, DISK):
        seen.append((dataset, record.path))
        ledger.refresh(run, JOB, dataset, DISK, [record._replace(proved_at_us=microseconds(end))], end)
    assert [path for _, path in seen] == ["c", "c2", "a", "a2", "b", "b2", "d", "d2"]
    assert all(dataset == f"set {path > 'b~'}" for dataset, path in seen), "a record of another dataset"


def test_tallies_count_what_is_current(ledger: Ledger) -> None:
    run = meet(ledger, "isilon", "archive")
    weak = {"destination": "archive", "proof_kind": ProofKind.CHECKSUM}
    ledger.record(run, JOB, "one", [verified("a", 1), verified("b", 2), verified("a", 1, **weak)], NOW)
    ledger.record(run, JOB, "one", [verified("b", 5, key="b~2")], LATER)
    ledger.record(run, JOB, "two", [verified("a", 7)], LATER)
    rows = [(row.dataset, row.destination, row.tally, row.weakest, row.oldest_proof) for row in ledger.tallies(JOB)]
    assert rows == [
        ("one", "archive", Tally(1, 1001), ProofKind.CHECKSUM, NOW),
        ("one", "isilon", Tally(2, 2006), ProofKind.READBACK, NOW),
        ("two", "isilon", Tally(1, 1007), ProofKind.READBACK, LATER),
    ]
    assert ledger.tallies("another job") == []


def test_jobs_and_datasets_do_not_mix(ledger: Ledger) -> None:
    run = meet(ledger)
    other = meet(ledger, job="ifcb")
    ledger.record(run, JOB, DATASET, [verified("a", 1)], NOW)
    ledger.record(other, "ifcb", DATASET, [verified("a", 2)], NOW)
    ledger.record(run, JOB, "odd\udcff", [verified("a", 3)], NOW)
    assert [record.digest for record in ledger.stored(JOB, DISK, DATASET)] == [digest_of(1)]
    assert [record.digest for record in ledger.stored("ifcb", DISK, DATASET)] == [digest_of(2)]
    assert ledger.datasets(JOB) == [DATASET, "odd\udcff"]
    assert ledger.find_path("a") == [("ifcb", DATASET), (JOB, DATASET), (JOB, "odd\udcff")]
    assert [record.digest for _, record in ledger.copies(JOB, DATASET, "a")] == [digest_of(1)]
    assert list(ledger.stored("nobody", DISK, DATASET)) == []
    assert list(ledger.stored(JOB, "nowhere", DATASET)) == []
    assert list(ledger.stored(JOB, DISK, "nothing")) == []


def test_a_path_that_was_only_ever_refused_is_known(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.add_troubles(run, JOB, DATASET, [Trouble(DISK, "aux.txt", 1, State.REFUSED, "a reserved word")])
    assert ledger.find_path("aux.txt") == [(JOB, DATASET)]
    assert ledger.find_path("nobody knows me") == []


def test_p08_a_manifest_fills_an_empty_ledger_and_changes_no_record_that_stands(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("a", 1)], LATER)
    told = [
        record_of(verified("a", 2)),
        record_of(verified("b", 1), superseded=True),
        record_of(verified("b", 2, key="b~2", digest=Digest("blake3", "ab" * 32))),
    ]
    assert ledger.rebuild(run, JOB, DATASET, DISK, told, NOW) == 2
    assert list(ledger.all_records(JOB, DISK, DATASET)) == [record_of(verified("a", 1), LATER), *told[1:]]
    assert kinds(ledger, "b") == ["rebuilt", "rebuilt"]
    assert ledger.rebuild(run, JOB, DATASET, DISK, told, NOW) == 0


@pytest.mark.parametrize("value", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_an_inode_may_use_all_64_bits(ledger: Ledger, value: int) -> None:
    run = meet(ledger)
    entry = verified("a").entry._replace(inode=value)
    ledger.record(run, JOB, DATASET, [verified("a", entry=entry)], NOW)
    assert [record.source_inode for record in ledger.stored(JOB, DISK, DATASET)] == [value]


@given(st.integers(min_value=-(2**61), max_value=2**64 - 2**61 - 1))
def test_times_between_1896_and_2481_come_back(value: int) -> None:
    assert nanoseconds(signed(value)) == value


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_unsigned_numbers_come_back(value: int) -> None:
    assert unsigned(signed(value)) == value
    assert -(2**63) <= signed(value) < 2**63


_names = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(paths=st.lists(st.tuples(_names, _names), unique_by=lambda pair: pair[0], min_size=1, max_size=20))
def test_any_names_come_back_in_the_order_of_code_points(ledger: Ledger, paths: list[tuple[str, str]]) -> None:
    run = meet(ledger)
    dataset = f"set {run}"
    ledger.record(run, JOB, dataset, [verified(path, key=key) for path, key in paths], NOW)
    assert [(record.path, record.key) for record in ledger.stored(JOB, DISK, dataset)] == sorted(paths)


def test_a_name_that_was_altered_on_disk_is_damage_not_a_crash(ledger: Ledger, url: str) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("a")], NOW)
    tamper(url, "UPDATE records SET path = ?", (b"\xff",))
    with pytest.raises(LedgerError, match="damaged"):
        list(ledger.stored(JOB, DISK, DATASET))
