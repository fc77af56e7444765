"""Does the ledger remember what instruments said, and tell when that changed?"""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from coldchain.ledger import acquisitions
from coldchain.ledger.acquisitions import Acquisition, learnt_stamp
from coldchain.ledger.ledger import Ledger
from coldchain.verdict import Condition, Remark, Verdict
from tests.ledger.making import DATASET, JOB, LATER, NOW, kinds, meet, tamper

SHORT = Verdict(
    Condition.INCOMPLETE,
    "short by 2 of 3,456 images: B02 s3 w1, …",
    ("B02 s3 w1", "B02 s4\udcff w1"),
    2,
    {"images/half\udcff.tif": "its last strip is cut off", "nul\0name": "?"},
    (Remark("half \ud83d pair.fcs", "no $TOT: \udc80"),),
    {"PlateID": "BR\udcff00121482", "wells": 384, "start": "2024-01-02T03:04:05Z", "nested": [{"a": None}]},
    ({"unit": "D2023\udcfe", "roiCount": 12}, {"unit": "ü", "µ": 0.5}),
)
WHOLE = Verdict(Condition.COMPLETE, "3,456 images, all there")
OPEN = Verdict(Condition.ACQUIRING, "short by 3,000 of 3,456 images")
DAY = timedelta(days=1)


def judge(ledger: Ledger, verdict: Verdict, stamp: str = "aa", days: int = 0, **changes: Any) -> Acquisition:
    fixed: dict[str, Any] = {"run": 1, "job": JOB, "dataset": DATASET, "instrument": "cellpainting", "remembered": {}}
    return ledger.judge(**(fixed | {"stamp": stamp, "verdict": verdict, "now": NOW + days * DAY} | changes))


def told(verdict: Verdict = WHOLE, *, since: int = 0, written: int = 1) -> Acquisition:
    completed = NOW + since * DAY if verdict.condition is Condition.COMPLETE else None
    stamp = learnt_stamp(NOW + written * DAY)
    return Acquisition("cellpainting", stamp, verdict, {}, NOW, NOW + since * DAY, completed)


def history(ledger: Ledger) -> list[tuple[str, Any]]:
    told_of = ("complete", "incomplete", "reopened")
    return [(one.kind, one.detail) for one in ledger.events(dataset=DATASET) if one.kind in told_of]


def test_a_verdict_comes_back_with_every_name_whatever_its_bytes(ledger: Ledger) -> None:
    remembered = {"bin\udcff": ["stamp", {"a": [1, 2.5, None, "\udc80", "nul\0"]}]}
    judged = judge(ledger, SHORT, remembered=remembered)
    expected = Acquisition("cellpainting", "aa", SHORT, remembered, NOW, NOW, None)
    assert judged == ledger.acquisition(JOB, DATASET) == expected
    assert list(ledger.acquisitions()) == list(ledger.acquisitions(JOB)) == [(JOB, DATASET, expected)]
    assert ledger.conditions(JOB) == {DATASET: Condition.INCOMPLETE}


def test_nothing_is_known_of_a_dataset_that_nobody_judged(ledger: Ledger) -> None:
    meet(ledger)
    assert ledger.acquisition(JOB, DATASET) is None
    assert ledger.conditions(JOB) == {}
    assert list(ledger.acquisitions()) == []


def test_times_tell_since_when_and_when_it_was_complete_for_the_first_time(ledger: Ledger) -> None:
    steps = [
        (OPEN, "a", 0, 0, None),
        (OPEN, "b", 1, 0, None),
        (SHORT, "b", 2, 2, None),
        (WHOLE, "c", 3, 3, 3),
        (WHOLE, "d", 4, 3, 3),
        (OPEN, "e", 5, 5, 3),
        (WHOLE, "f", 6, 6, 3),
    ]
    for verdict, stamp, days, since, completed in steps:
        judged = judge(ledger, verdict, stamp, days)
        assert judged == ledger.acquisition(JOB, DATASET)
        assert (judged.first_seen, judged.since) == (NOW, NOW + since * DAY)
        assert judged.completed == (None if completed is None else NOW + completed * DAY)


def test_events_tell_when_a_condition_changed_and_of_late_files(ledger: Ledger) -> None:
    for number, verdict in enumerate([OPEN, OPEN, SHORT, SHORT, WHOLE, WHOLE, OPEN, WHOLE, SHORT]):
        judge(ledger, verdict, str(number), number)
    assert history(ledger) == [
        ("incomplete", {"summary": SHORT.summary}),
        ("complete", {"summary": WHOLE.summary}),
        ("reopened", {"summary": WHOLE.summary, "condition": "complete", "why": "late or changed files"}),
        ("reopened", {"summary": OPEN.summary, "condition": "acquiring"}),
        ("complete", {"summary": WHOLE.summary}),
        ("reopened", {"summary": SHORT.summary, "condition": "incomplete"}),
    ]
    assert ledger.verify_chain().first_broken is None


def test_p11_a_judgement_that_changes_nothing_writes_nothing(sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        judge(ledger, SHORT, remembered={"a": 1})
        head = ledger.head()
        said: list[str] = []
        event.listen(ledger._database.connection.engine, "before_cursor_execute", lambda *a: said.append(a[2]))
        again = judge(ledger, SHORT, days=9, remembered={"a": 1})
        assert again == ledger.acquisition(JOB, DATASET)
        assert again.since == NOW
        assert said
        assert all(statement.startswith(("SELECT", "BEGIN")) for statement in said)
        assert "BEGIN IMMEDIATE" not in said
        assert ledger.head() == head
        judge(ledger, SHORT, days=9, remembered={"a": 2})
        assert any(statement.startswith("UPDATE") for statement in said)
        assert ledger.head() == head


def test_a_judgement_that_cannot_be_written_leaves_neither_line_nor_event(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), ledger._database.write():
        judge(ledger, WHOLE)
        raise RuntimeError("power cut")
    assert ledger.acquisition(JOB, DATASET) is None
    assert history(ledger) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("verdict", "{"),
        ("verdict", "[]"),
        ("verdict", "{}"),
        ("verdict", "null"),
        ("verdict", "[" * 100_000),
        ("verdict", '{"condition": "complete"}'),
        ("remembered", "[]"),
        ("remembered", '{"a": NaN}'),
        ("condition", "complete"),
        ("condition", "finished"),
        ("since_us", 1 << 62),
    ],
)
def test_a_line_that_cannot_be_made_out_is_as_if_it_were_not_there(ledger: Ledger, column: str, value: Any) -> None:
    judge(ledger, SHORT)
    judge(ledger, WHOLE, dataset="another")
    with ledger._database.write() as connection:
        connection.exec_driver_sql(f"UPDATE acquisitions SET {column} = '{value}' WHERE condition = 'incomplete'")
    assert ledger.acquisition(JOB, DATASET) is None
    assert [dataset for _, dataset, _ in ledger.acquisitions()] == ["another"]
    assert set(ledger.conditions(JOB)) <= {DATASET, "another"}
    assert judge(ledger, SHORT, days=1).first_seen == NOW + DAY
    assert ledger.acquisition(JOB, DATASET) is not None


def test_numbers_that_are_none_are_as_if_they_were_not_there(sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        judge(ledger, SHORT)
    tamper(sqlite_url, "UPDATE acquisitions SET first_seen_us = 'yesterday'")
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        assert ledger.acquisition(JOB, DATASET) is None
        judge(ledger, SHORT, days=1)
        assert ledger.acquisition(JOB, DATASET) is not None


def test_what_json_has_no_word_for_is_written_as_the_nearest_thing(ledger: Ledger) -> None:
    endless: list[Any] = []
    endless.append(endless)
    catalogue = {"gain": float("nan"), "at": NOW, "channels": {"b"}, "endless": endless, "fine": 1.5, "ü": "ü"}
    for _ in range(2):
        judge(ledger, Verdict(Condition.COMPLETE, catalogue=catalogue))
    found = ledger.acquisition(JOB, DATASET)
    assert found is not None
    kept = dict(found.verdict.catalogue)
    assert kept.pop("endless")
    assert kept == {"gain": None, "at": str(NOW), "channels": ["b"], "fine": 1.5, "ü": "ü"}
    assert len(history(ledger)) == 1


def test_what_nobody_could_end_or_is_nothing_is_written_all_the_same() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    with Ledger.empty(NOW) as ledger:
        judge(ledger, Verdict(Condition.COMPLETE, catalogue={"x": endless, "gain": float("inf"), "lamp": None}))
        found = ledger.acquisition(JOB, DATASET)
        assert found is not None
        assert found.verdict.catalogue["x"]
        assert (found.verdict.catalogue["gain"], found.verdict.catalogue["lamp"]) == (None, None)


def test_nothing_is_told_of_what_is_still_acquired_nor_of_files_that_stayed() -> None:
    with Ledger.empty(NOW) as ledger:
        judge(ledger, OPEN)
        judge(ledger, Verdict(Condition.UNKNOWN), "bb")
        assert list(ledger.events()) == []
        judge(ledger, WHOLE, "cc")
        judge(ledger, replace(WHOLE, summary="said otherwise"), "cc", 1, remembered={"D1": 1})
        assert [event.kind for event in ledger.events()] == ["complete"]


def test_acquisitions_come_in_order_over_many_pages(ledger: Ledger) -> None:
    names = {job: sorted(f"ü{number}" for number in range(600)) for job in ("a", "Z")}
    with ledger._database.write():
        for job, some in names.items():
            for name in reversed(some):
                judge(ledger, WHOLE, job=job, dataset=name)
    found = [(job, dataset) for job, dataset, _ in ledger.acquisitions()]
    assert found == [(job, name) for job in ("Z", "a") for name in names[job]]
    assert list(ledger.conditions("a")) == names["a"]
    assert [dataset for _, dataset, _ in ledger.acquisitions("Z")] == names["Z"]


@pytest.mark.parametrize("characters", [0, 1, 400, 1000, 8 << 20])
def test_acquisitions_come_all_however_many_are_read_at_once(characters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisitions, "AT_ONCE_CHARACTERS", characters)
    names = [f"{number}" for number in range(7)]
    with Ledger.empty(NOW) as ledger:
        for name in names:
            judge(ledger, replace(WHOLE, summary="x" * int(name) * 50), dataset=name)
        assert [(dataset, len(found.verdict.summary)) for _, dataset, found in ledger.acquisitions()] == [
            (name, int(name) * 50) for name in names
        ]


def test_p17_datasets_of_20_000_units_are_not_all_in_memory(sqlite_url: str) -> None:
    units = tuple({"unit": f"D20230101T{number:06d}", "roiCount": number, "x": "y" * 200} for number in range(20_000))
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        for number in range(6):
            judge(ledger, replace(WHOLE, units=units), dataset=str(number))
        del units
        tracemalloc.start()
        first = next(ledger.acquisitions())[2]
        one, _ = tracemalloc.get_traced_memory()
        assert len(first.verdict.units) == 20_000
        del first
        tracemalloc.reset_peak()
        assert sum(len(found.verdict.units) for _, _, found in ledger.acquisitions()) == 120_000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * one


# --- what manifests tell ----------------------------------------------------------------------------------------------


def test_p08_what_a_manifest_tells_stands_where_nothing_did(ledger: Ledger) -> None:
    assert ledger.learn(JOB, DATASET, told(replace(SHORT, unwhole={})))
    found = ledger.acquisition(JOB, DATASET)
    assert found == told(replace(SHORT, unwhole={}))
    assert found.learnt
    assert history(ledger) == []


def test_what_was_judged_here_is_not_overwritten_by_an_older_word(ledger: Ledger) -> None:
    judge(ledger, OPEN, days=5)
    assert not ledger.learn(JOB, DATASET, told(WHOLE, since=4, written=9))
    assert not ledger.learn(JOB, DATASET, told(WHOLE, since=5, written=9))
    assert ledger.conditions(JOB) == {DATASET: Condition.ACQUIRING}
    assert ledger.learn(JOB, DATASET, told(WHOLE, since=6, written=9))
    found = ledger.acquisition(JOB, DATASET)
    assert found is not None
    assert (found.first_seen, found.completed) == (NOW, NOW + 6 * DAY)


def test_of_two_manifests_the_newer_one_counts_in_either_order(ledger: Ledger) -> None:
    old, new = told(WHOLE, since=1, written=2), told(replace(WHOLE, summary="newer"), since=1, written=3)
    for dataset, order in (("x", [old, new]), ("y", [new, old])):
        assert [ledger.learn(JOB, dataset, one) for one in order] == [True, order[0] is old]
        assert not ledger.learn(JOB, dataset, new)
        found = ledger.acquisition(JOB, dataset)
        assert found is not None
        assert found.verdict.summary == "newer"


def test_judging_what_a_manifest_told_is_no_late_file(ledger: Ledger) -> None:
    ledger.learn(JOB, DATASET, told(WHOLE))
    judged = judge(ledger, WHOLE, "ff", 3)
    assert (judged.since, judged.completed, judged.learnt) == (NOW, NOW, False)
    assert history(ledger) == []
    judge(ledger, WHOLE, "ee", 4)
    assert [kind for kind, _ in history(ledger)] == ["reopened"]


def test_events_of_acquisitions_have_no_path(ledger: Ledger) -> None:
    judge(ledger, WHOLE, now=LATER)
    assert kinds(ledger, "") == ["complete"]
