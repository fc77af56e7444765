"""Can the past be altered unnoticed?"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from coldchain.errors import LedgerDamaged, LedgerError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.schema import events
from coldchain.model import Manner
from tests.ledger.making import DATASET, DISK, JOB, LATER, NOW, meet, tamper, verified

COUNT = 9


@pytest.fixture
def past(ledger: Ledger) -> Ledger:
    """A ledger in which nine things happened."""
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified("a"), verified("odd\udcff\n"), verified("c")], NOW)
    ledger.record(run, JOB, DATASET, [verified("a", 2, manner=Manner.REPLACE)], LATER)
    ledger.note(run, "destination-accepted", JOB, {"writers": ["x"], "nested": {"b": 1.5, "a": None}}, LATER)
    ledger.note(0, "manifest-written", "", {}, LATER)
    ledger.end_run(run, LATER, 0, {"files": 3})
    ledger.begin_run(JOB, "run", LATER)
    assert ledger.head()[0] == COUNT
    return ledger


def test_a_new_ledger_has_no_past(ledger: Ledger) -> None:
    assert ledger.head() == (0, "")
    assert list(ledger.events()) == []
    report = ledger.verify_chain()
    assert (report.events, report.head, report.first_broken, report.why) == (0, "", None, "")


def test_an_untouched_past_verifies_and_ends_at_the_head(past: Ledger) -> None:
    report = past.verify_chain()
    assert (report.events, report.head, report.first_broken) == (*past.head(), None)


def test_the_hash_is_what_the_documentation_says(past: Ledger) -> None:
    last = b""
    for event in past.events():
        fields = {
            "number": event.number,
            "at_us": round(event.at.timestamp() * 1e6),
            "run": event.run,
            "kind": event.kind,
            "job": event.job,
            "dataset": event.dataset,
            "destination": event.destination,
            "path": event.path,
            "detail": event.detail,
        }
        last = hashlib.sha256(last + json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).digest()
    assert last.hex() == past.head()[1]


def test_events_are_found_by_job_dataset_and_path(past: Ledger) -> None:
    assert [event.number for event in past.events()] == list(range(1, COUNT + 1))
    assert [event.number for event in past.events(limit=2)] == [COUNT - 1, COUNT]
    assert [event.kind for event in past.events(path="a")] == ["stored", "replaced"]
    assert [event.kind for event in past.events(path="a", limit=1)] == ["replaced"]
    assert len(list(past.events(job=JOB, dataset=DATASET))) == 4
    assert [event.kind for event in past.events(job="")] == ["manifest-written"]
    assert list(past.events(dataset="another")) == []


def test_events_are_whole_over_many_pages(ledger: Ledger) -> None:
    run = meet(ledger)
    ledger.record(run, JOB, DATASET, [verified(f"{number:05d}") for number in range(4_500)], NOW)
    assert [event.number for event in ledger.events()] == list(range(1, 4_502))
    assert ledger.verify_chain().events == 4_501


@pytest.mark.parametrize("statement", ["UPDATE events SET kind = 'x'", "DELETE FROM events"])
def test_the_database_itself_refuses_to_alter_the_past(past: Ledger, statement: str) -> None:
    with pytest.raises(LedgerError, match="events are never changed"), past._database.write() as connection:
        connection.execute(text(statement))
    assert past.verify_chain().first_broken is None


CHANGES = {
    "removed": ("DELETE FROM events WHERE number = 4", 4),
    "first removed": ("DELETE FROM events WHERE number = 1", 1),
    "moved": ("UPDATE events SET number = 400 WHERE number = 4", 4),
    "slipped in before": (
        "INSERT INTO events SELECT 0, at_us, run, kind, job, dataset, destination, path, detail, hash "
        "FROM events WHERE number = 1",
        1,
    ),
    "slipped in after": (
        "INSERT INTO events SELECT 10, at_us, run, kind, job, dataset, destination, path, detail, hash "
        "FROM events WHERE number = 9",
        10,
    ),
    "a detail with other words of the same meaning": ("UPDATE events SET detail = '{ }' WHERE number = 7", 7),
    "a hash": ("UPDATE events SET hash = ? WHERE number = 5", 5),
    "a path that is no text": ("UPDATE events SET path = ? WHERE number = 6", 6),
}


@pytest.mark.parametrize(("statement", "number"), CHANGES.values(), ids=CHANGES)
def test_every_change_of_the_past_is_found(past: Ledger, url: str, statement: str, number: int) -> None:
    tamper(url, statement, (b"\xff" * 32,) if "?" in statement else ())
    report = past.verify_chain()
    assert report.first_broken == number
    assert report.events == number - 1
    assert report.why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("removed", "event 4 is missing"),
        ("slipped in before", "event 0 was slipped in"),
        ("slipped in after", "event 10 is not what was written, or the one before it is not"),
    ],
)
def test_a_broken_chain_says_which_event_is_wrong_and_how(past: Ledger, url: str, change: str, why: str) -> None:
    tamper(url, CHANGES[change][0])
    assert past.verify_chain().why == why


def test_a_past_cut_off_at_its_end_is_shorter_than_its_head_was(past: Ledger, url: str) -> None:
    number, last = past.head()
    tamper(url, "DELETE FROM events WHERE number > 5")
    report = past.verify_chain()
    assert report.first_broken is None  # nothing inside can tell ...
    assert (report.events, report.head) != (number, last)  # ... but whoever kept the head can


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(number=st.integers(1, COUNT), column=st.sampled_from(list(events.c.keys())), draw=st.data())
def test_any_single_byte_that_changes_breaks_the_chain(
    past: Ledger, url: str, number: int, column: str, draw: st.DataObject
) -> None:
    def value() -> Any:
        statement = text(f"SELECT {column} FROM events WHERE number = {number}")
        return past._database.read(lambda connection: connection.execute(statement).scalar())

    before = value()
    if isinstance(before, int):
        after: Any = before ^ (1 << draw.draw(st.integers(5, 60)))
    else:
        raw = bytearray(before if isinstance(before, bytes) else before.encode())
        place = draw.draw(st.integers(0, len(raw)))
        if place == len(raw):
            raw.append(0x41)
        else:
            raw[place] ^= draw.draw(st.sampled_from([1, 2, 4, 8, 16])) if isinstance(before, str) else 0x80
        after = bytes(raw) if isinstance(before, bytes) else raw.decode()
        if isinstance(after, str) and "\0" in after:
            return  # PostgreSQL cannot even hold it
    tamper(url, f"UPDATE events SET {column} = ? WHERE number = {number}", (after,))
    try:
        assert past.verify_chain().first_broken is not None
    except LedgerDamaged:
        pass  # SQLite could not read it at all
    finally:
        found = after if column == "number" else number
        tamper(url, f"UPDATE events SET {column} = ? WHERE number = {found}", (before,))
    assert past.verify_chain().first_broken is None


def test_two_writers_at_once_make_one_chain_without_gaps(ledger: Ledger, url: str) -> None:
    with Ledger.open(url, now=NOW) as other, ThreadPoolExecutor(2) as threads:
        runs = [meet(ledger, job="one"), meet(other, job="two")]

        def work(mine: tuple[Ledger, int, str]) -> None:
            writer, run, job = mine
            for number in range(40):
                writer.record(run, job, DATASET, [verified(f"{number}"), verified(f"{number}b")], NOW)

        list(threads.map(work, [(ledger, runs[0], "one"), (other, runs[1], "two")]))
    report = ledger.verify_chain()
    assert (report.events, report.first_broken) == (162, None)
    assert [sum(1 for _ in ledger.stored(job, DISK, DATASET)) for job in ("one", "two")] == [80, 80]


def test_threads_may_share_a_ledger(ledger: Ledger) -> None:
    run = meet(ledger)

    def work(name: str) -> int:
        for number in range(30):
            ledger.record(run, JOB, name, [verified(f"{number:03d}")], NOW)
            list(ledger.stored(JOB, DISK, "a"))
        return sum(1 for _ in ledger.stored(JOB, DISK, name))

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(work, ["a", "b", "c"])) == [30, 30, 30]
    assert ledger.verify_chain().events == 91
