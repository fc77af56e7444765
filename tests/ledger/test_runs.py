"""Does the ledger remember runs, troubles, places and unsettled files?"""

from __future__ import annotations

from datetime import datetime

import pytest

from coldchain.errors import ColdchainError, UsageError
from coldchain.ledger import runs as module
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.settling import Look
from coldchain.model import Entry, SourceSeen, State, Tally, Trouble
from tests.ledger.making import DATASET, DISK, JOB, LATER, NOW, ODD_NAMES, identity, meet

TROUBLE = Trouble(DISK, "a", 12, State.HELD, "still being written (open in python.exe)")


def test_a_run_has_a_beginning_and_an_end(ledger: Ledger) -> None:
    number = ledger.begin_run(JOB, "run --dataset odd\udcff", NOW)
    [row] = ledger.runs()
    assert (row.id, row.job, row.started, row.ended, row.exit_code) == (number, JOB, NOW, None, None)
    ledger.end_run(number, LATER, 3, {"files": 2, "odd": "\udcff", "nested": {"b": [1, None]}})
    row = ledger.run(number)
    assert (row.ended, row.exit_code) == (LATER, 3)
    assert row.summary == {"files": 2, "odd": "\udcff", "nested": {"b": [1, None]}}
    assert [event.kind for event in ledger.events(job=JOB)] == ["run-begun", "run-ended"]


def test_runs_come_newest_first_and_by_job(ledger: Ledger) -> None:
    numbers = [ledger.begin_run(job, "run", NOW) for job in ("one", "two", "one", "one")]
    assert [row.id for row in ledger.runs()] == numbers[::-1]
    assert [row.id for row in ledger.runs("one", limit=2)] == [numbers[3], numbers[2]]
    assert ledger.runs("nobody") == []


def test_an_unknown_run_is_named_with_those_that_are_known(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="there was none yet"):
        ledger.run(1)
    first, last = (ledger.begin_run(JOB, "run", NOW) for _ in range(2))
    with pytest.raises(UsageError, match=f"no run 77; known are {first} to {last}"):
        ledger.run(77)
    with pytest.raises(ColdchainError, match="never began"):
        ledger.end_run(77, NOW, 0, {})


def test_p11_a_killed_run_is_known_as_such(ledger: Ledger) -> None:
    assert ledger.unfinished(JOB)
    first = ledger.begin_run(JOB, "run", NOW)
    ledger.end_run(first, NOW, 0, {})
    assert not ledger.unfinished(JOB)
    assert ledger.unfinished("another job")
    ledger.begin_run(JOB, "run", NOW)
    assert ledger.unfinished(JOB)


def test_troubles_come_back_as_they_came(ledger: Ledger) -> None:
    run = meet(ledger)
    states = [State.HELD, State.REFUSED, State.FAILED]
    found = [
        TROUBLE._replace(path=name, state=states[index % 3], reason=f"because of {name}", integrity=index == 0)
        for index, name in enumerate(ODD_NAMES)
    ]
    ledger.add_troubles(run, JOB, DATASET, found)
    ledger.add_troubles(run, JOB, "second", [TROUBLE])
    ledger.add_troubles(run, JOB, "none", [])
    assert list(ledger.troubles(run)) == [(DATASET, one) for one in found] + [("second", TROUBLE)]
    assert ledger.last_troubles(JOB, DATASET, ODD_NAMES[0]) == [(run, found[0])]
    assert list(ledger.troubles(run + 1)) == []


def test_troubles_are_whole_over_pages_and_the_oldest_are_forgotten(ledger: Ledger) -> None:
    runs = [meet(ledger) for _ in range(4)]
    other = meet(ledger, job="ifcb")
    ledger.add_troubles(other, "ifcb", DATASET, [TROUBLE])
    for run in runs:
        ledger.add_troubles(run, JOB, DATASET, [TROUBLE] * (module.PAGE + 1 if run == runs[-1] else 2))
    assert [run for run, _ in ledger.last_troubles(JOB, DATASET, "a")][:: module.PAGE + 1] == [runs[3], runs[2]]
    ledger.forget_old_troubles(JOB, keep_runs=2)
    assert [len(list(ledger.troubles(run))) for run in (*runs, other)] == [0, 0, 2, module.PAGE + 1, 1]
    ledger.forget_old_troubles(JOB, keep_runs=0)
    assert list(ledger.troubles(runs[-1])) == []


def test_p10_how_a_source_looked_is_remembered(ledger: Ledger) -> None:
    assert ledger.source(JOB) is None
    for seen in (SourceSeen("disk\udcff", Tally(3, 10**13), NOW), SourceSeen("disk", Tally(0, 0), LATER)):
        ledger.see_source(JOB, seen)
        assert ledger.source(JOB) == seen


def test_p10_who_a_destination_is_is_remembered(ledger: Ledger) -> None:
    assert ledger.destination(JOB, DISK) is None
    more = identity("disk-1", writers=((JOB, "bench-pc"), ("ifcb", "ship")))
    for who in (identity("disk-1"), more, identity("disk-2", names={}), more):
        ledger.see_destination(JOB, DISK, "file:///mnt/odd\udcff", who, LATER)
        assert ledger.destination(JOB, DISK) == who
    assert ledger.destination(JOB, "archive") is None


def test_unsettled_files_are_remembered_until_the_next_look(ledger: Ledger) -> None:
    def remembered(dataset: str, *names: str) -> list[Look]:
        look = ledger.looks(JOB, dataset)
        return [found for name in names if (found := look(name))]

    assert remembered(DATASET, "a") == []
    ledger.set_looks(JOB, DATASET, [])
    assert ledger.datasets(JOB) == []
    first = [(Entry(name, 1, 2**63, -5, 2**64 - 1, 0o100600), 7) for name in ODD_NAMES]
    ledger.set_looks(JOB, DATASET, first)
    ledger.set_looks(JOB, "other", [(Entry("x", 1, 2), 3)])
    assert remembered(DATASET, *ODD_NAMES) == first
    assert remembered(DATASET, "x") == []
    ledger.set_looks(JOB, DATASET, [(Entry("a", 2, 3), 8), (Entry("a", 9, 9), 9)])
    assert remembered(DATASET, "a", *ODD_NAMES) == [(Entry("a", 2, 3), 8)]
    ledger.set_looks(JOB, DATASET, [])
    assert remembered(DATASET, "a") == []
    assert remembered("other", "x")


@pytest.mark.parametrize("step", [1, -1, 7])
def test_many_unsettled_files_are_found_in_any_order(ledger: Ledger, step: int) -> None:
    names = [f"{number:05}" for number in range(2500)]
    ledger.set_looks(JOB, DATASET, ((Entry(name, int(name), 2), 3) for name in names if not name.endswith("1")))
    ledger.set_looks(JOB, "other", [(Entry(names[2], 1, 2), 3)])
    look = ledger.looks(JOB, DATASET)
    for name in names[::step]:
        found = look(name)
        assert (found is not None and found[0].size_bytes == int(name)) is not name.endswith("1")


def test_a_time_without_a_zone_is_a_mistake(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        ledger.begin_run(JOB, "run", datetime(2026, 1, 1))
    assert ledger.runs() == []
