"""Does who checks by age see every copy once, also over the edge of a page?"""

from __future__ import annotations

from itertools import islice

from coldchain.ledger.ledger import Ledger
from coldchain.ledger.records import AGED_PAGE
from tests.ledger.making import DATASET, DISK, JOB, LATER, NOW, meet, verified


def test_who_only_looks_sees_every_copy_once_and_comes_to_an_end() -> None:
    with Ledger.empty(NOW) as ledger:
        run = meet(ledger)
        ledger.record(run, JOB, DATASET, [verified("b"), verified("c")], NOW)
        ledger.record(run, JOB, "another", [verified("b"), verified("a")], NOW)
        ledger.record(run, JOB, "another", [verified("d")], LATER)
        seen = [(dataset, record.path) for dataset, record in islice(ledger.by_age(JOB, DISK), 10)]
    assert seen == [(DATASET, "b"), (DATASET, "c"), ("another", "a"), ("another", "b"), ("another", "d")]


def test_the_edge_of_a_page_loses_no_copy() -> None:
    paths = [f"{number:06d}" for number in range(AGED_PAGE + 1)]
    with Ledger.empty(NOW) as ledger:
        ledger.record(meet(ledger), JOB, DATASET, [verified(path) for path in paths], NOW)
        assert [record.path for _, record in islice(ledger.by_age(JOB, DISK), AGED_PAGE + 9)] == paths
