"""Does the history tell a copy that was repaired, adopted or proved again from one that is new?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coldchain.ledger.columns import microseconds
from coldchain.ledger.ledger import Ledger
from coldchain.model import Manner
from tests.ledger.making import DATASET, DISK, JOB, LATER, NOW, kinds, meet, verified

LAST = LATER + (LATER - NOW)


@pytest.fixture
def own() -> Iterator[Ledger]:
    with Ledger.empty(NOW) as ledger:
        yield ledger


def test_a_version_proved_again_beside_one_that_was_superseded_long_ago_is_not_kept_both_again(own: Ledger) -> None:
    run = meet(own)
    for outcome, moment in (
        (verified("a"), NOW),
        (verified("a", 2, key="a.v2"), LATER),
        (verified("a", 2, key="a.v2", manner=Manner.ADOPT), LAST),
        (verified("a", 3, key="a.v2", manner=Manner.REPLACE), LAST),
    ):
        own.record(run, JOB, DATASET, [outcome], moment)
    assert kinds(own, "a") == ["stored", "kept-both", "proved-again", "replaced"]


def test_a_copy_that_was_written_again_was_stored_then_not_before(own: Ledger) -> None:
    run = meet(own)
    own.record(run, JOB, DATASET, [verified("a")], NOW)
    own.record(run, JOB, DATASET, [verified("a", manner=Manner.REPLACE)], LATER)
    assert kinds(own, "a") == ["stored", "repaired"]
    [record] = own.stored(JOB, DISK, DATASET)
    assert record.stored_at_us == microseconds(LATER)


def test_other_bytes_that_were_found_there_and_adopted_have_no_older_time_of_storing(own: Ledger) -> None:
    run = meet(own)
    own.record(run, JOB, DATASET, [verified("a")], NOW)
    own.record(run, JOB, DATASET, [verified("a", 2, manner=Manner.ADOPT)], LATER)
    [record] = own.stored(JOB, DISK, DATASET)
    assert record.stored_at_us == microseconds(LATER)


def test_the_history_names_an_old_digest_only_where_the_bytes_changed(own: Ledger) -> None:
    run = meet(own)
    own.record(run, JOB, DATASET, [verified("a")], NOW)
    own.record(run, JOB, DATASET, [verified("a", manner=Manner.ADOPT)], LATER)
    own.record(run, JOB, DATASET, [verified("a", 2, manner=Manner.REPLACE)], LAST)
    assert ["old_digest" in event.detail for event in own.events(path="a")] == [False, False, True]
