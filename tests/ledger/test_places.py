"""Does what is recorded belong to the place and the dataset of which it was said?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coldchain.errors import LedgerError
from coldchain.ledger.ledger import Ledger
from tests.ledger.making import DISK, JOB, LATER, NOW, identity, meet, verified


@pytest.fixture
def own() -> Iterator[Ledger]:
    with Ledger.empty(NOW) as ledger:
        yield ledger


def paths(ledger: Ledger, dataset: str) -> list[str]:
    return [record.path for record in ledger.stored(JOB, DISK, dataset)]


def test_a_dataset_that_was_never_written_down_gives_its_number_to_no_other(own: Ledger) -> None:
    run = meet(own)
    with pytest.raises(RuntimeError), own.together():
        own.record(run, JOB, "lost", [verified("a")], NOW)
        assert paths(own, "lost") == ["a"]
        raise RuntimeError("power cut")
    own.record(run, JOB, "next", [verified("b")], LATER)
    own.record(run, JOB, "lost", [verified("c")], LATER)
    assert (paths(own, "next"), paths(own, "lost")) == (["b"], ["c"])
    assert own.datasets(JOB) == ["lost", "next"]


def test_nothing_is_recorded_at_a_place_that_nobody_met(own: Ledger) -> None:
    run = meet(own)
    with pytest.raises(LedgerError, match="nothing can be recorded at tape: job merscope never met that destination"):
        own.record(run, JOB, "first", [verified("a"), verified("b", destination="tape")], NOW)
    assert own.datasets(JOB) == []
    assert [event.kind for event in own.events()] == ["run-begun"]


def test_p10_records_of_another_disk_do_not_count_until_it_comes_back(own: Ledger) -> None:
    run = meet(own)
    own.record(run, JOB, "first", [verified("a")], NOW)
    own.see_destination(JOB, DISK, "file:///mnt/isilon", identity("disk-2"), LATER)
    assert paths(own, "first") == []
    own.record(run, JOB, "first", [verified("b")], LATER)
    own.see_destination(JOB, DISK, "file:///mnt/isilon", identity(DISK), LATER)
    assert paths(own, "first") == ["a"]
    assert own.destination(JOB, DISK) == identity(DISK)


def test_two_jobs_share_neither_places_nor_datasets(own: Ledger) -> None:
    run, other = meet(own), meet(own, job="ifcb")
    own.record(run, JOB, "first", [verified("a")], NOW)
    own.record(other, "ifcb", "first", [verified("b")], NOW)
    own.see_destination("ifcb", DISK, "file:///mnt/isilon", identity("disk-2"), LATER)
    assert paths(own, "first") == ["a"]
    assert list(own.stored("ifcb", DISK, "first")) == []
