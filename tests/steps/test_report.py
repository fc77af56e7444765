"""Does a report count every file once, and is its exit code honest?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coldchain.model import ProofKind, State, Tally, Trouble
from coldchain.steps.report import SHOWN_TROUBLES, DatasetReport, Report, condition_json, trouble_json
from coldchain.verdict import Condition, Remark, Verdict
from tests.ledger.making import verified

AT = datetime(2026, 1, 1, tzinfo=UTC)
NAS, TAPE, USB = "nas", "tape", "usb"
"""The last one is optional."""


def report_of(**changes: Any) -> Report:
    return Report("lab", "/bench", (NAS, TAPE, USB), frozenset({NAS, TAPE}), AT, **changes)


def whole(report: Report, name: str = "plate", files: int = 3) -> DatasetReport:
    """A dataset that was verified everywhere by an earlier run."""
    tally = Tally(files, files * 10)
    return report.begin(name, tally, dict.fromkeys(report.destinations, tally))


def trouble(destination: str, path: str = "a", state: State = State.HELD) -> Trouble:
    return Trouble(destination, path, 10, state, "why")


# --- the counts -------------------------------------------------------------------------------------------------------


def test_p01_what_was_kept_and_what_came_of_the_others_adds_up() -> None:
    report = report_of()
    dataset = report.begin("plate", Tally(4, 400), {NAS: Tally(2, 200), TAPE: Tally()})
    sent = [
        verified(path, destination=NAS)._replace(proof_kind=kind) for path, kind in zip("ab", ProofKind, strict=False)
    ]
    dataset.add(sent)
    lot = dataset.lots[NAS]
    size_bytes = sum(one.entry.size_bytes for one in sent)
    assert lot.tally(State.VERIFIED) == lot.total == Tally(4, 200 + size_bytes)
    assert lot.sent == Tally(2, size_bytes)
    assert (lot.weakest, dataset.lots[TAPE].weakest) == (ProofKind.SIZE, None)
    dataset.add([trouble(TAPE, "a", State.HELD), trouble(TAPE, "b", State.HELD), trouble(TAPE, "c", State.FAILED)])
    dataset.add([trouble(TAPE, "d", State.REFUSED)])
    assert {state: dataset.lots[TAPE].tally(state).files for state in State} == {
        State.VERIFIED: 0,
        State.HELD: 2,
        State.REFUSED: 1,
        State.FAILED: 1,
    }
    assert dataset.lots[TAPE].tally(State.HELD) == Tally(2, 20)
    assert dataset.lots[TAPE].sent == Tally()
    assert [one.path for one in dataset.troubles] == ["a", "b", "c", "d"]
    assert list(report.unaccounted()) == ["plate at usb: 4 selected, 0 accounted for"]
    dataset.add(trouble(USB, path) for path in "abcd")
    assert list(report.unaccounted()) == []
    dataset.add([trouble(NAS, "e")])
    assert list(report.unaccounted()) == ["plate at nas: 4 selected, 5 accounted for"]


@pytest.mark.parametrize("first", ProofKind)
@pytest.mark.parametrize("then", ProofKind)
def test_p02_the_weakest_proof_of_the_run_is_told(first: ProofKind, then: ProofKind) -> None:
    report = report_of()
    dataset = report.begin("plate", Tally(2, 0), {})
    dataset.add([verified("a", proof_kind=first, destination=NAS), verified("b", proof_kind=then, destination=NAS)])
    assert dataset.lots[NAS].weakest is min(first, then)


def test_what_is_not_shown_is_counted() -> None:
    dataset = report_of().begin("plate", Tally(50, 500), {})
    dataset.add(trouble(NAS, str(number)) for number in range(SHOWN_TROUBLES + 3))
    assert [one.path for one in dataset.troubles] == [str(number) for number in range(SHOWN_TROUBLES)]
    assert dataset.more_troubles == 3
    assert dataset.lots[NAS].tally(State.HELD).files == SHOWN_TROUBLES + 3


def test_a_run_selected_what_its_datasets_did() -> None:
    report = report_of()
    assert report.selected == Tally()
    assert report.begin("one", Tally(2, 20), {}).name == "one"
    report.begin("two", Tally(3, 30), {})
    assert report.selected == Tally(5, 50)


def test_p01_only_what_is_complete_and_wholly_verified_there_is_sealed() -> None:
    report = report_of()
    dataset = report.begin("plate", Tally(2, 20), {NAS: Tally(2, 20), TAPE: Tally(1, 10)})
    for condition in Condition:
        dataset.verdict = Verdict(condition)
        complete = condition is Condition.COMPLETE
        assert [dataset.is_sealed(name) for name in report.destinations] == [complete, False, False]


# --- the exit code ----------------------------------------------------------------------------------------------------


def test_p13_all_is_well_only_when_every_dataset_is_verified_at_every_required_destination() -> None:
    report = report_of()
    whole(report)
    report.begin("late", Tally(2, 20), {NAS: Tally(2, 20), TAPE: Tally(2, 20)})
    assert report.exit_code == 0, "usb is optional"
    report.datasets[1].lots[TAPE].states[State.VERIFIED] = Tally(1, 10)
    assert report.exit_code == 3
    report.datasets[1].add([trouble(TAPE)])
    assert report.exit_code == 3
    report.datasets[1].lots[TAPE].states = {State.VERIFIED: Tally(2, 20)}
    assert report.exit_code == 0
    whole(report, "last").lots[NAS].states = {State.REFUSED: Tally(3, 30)}
    assert report.exit_code == 3


WORSE: list[tuple[dict[str, Any], int]] = [
    ({"manifests_due": ["plate"]}, 3),
    ({"absent": ["B07"]}, 3),
    ({"integrity": 1}, 4),
    ({"integrity": 1, "absent": ["B07"]}, 4),
    ({"interrupted": True, "integrity": 1}, 130),
]


@pytest.mark.parametrize(("changes", "code"), WORSE)
def test_p13_whatever_is_wrong_is_told_although_every_file_is_verified(changes: dict[str, Any], code: int) -> None:
    report = report_of(**changes)
    whole(report)
    assert report.exit_code == code


def test_p01_nothing_selected_is_no_success() -> None:
    assert report_of().exit_code == 6
    report = report_of(absent=["B07"])
    report.begin("empty", Tally(), {})
    assert report.exit_code == 6
    assert report_of(integrity=1).exit_code == 4


# --- as JSON ----------------------------------------------------------------------------------------------------------


def test_the_json_form_says_of_each_dataset_what_the_report_holds() -> None:
    report = report_of(run=7, ended=AT + timedelta(seconds=2), duration_s=2.0004, notes=["a note"], absent=["B07"])
    report.manifests_due, report.sweep_due, report.throughput = ["plate"], [NAS], {"step_s": 1.0}
    dataset = report.begin("plate", Tally(3, 30), {NAS: Tally(1, 10)})
    remark = Remark("plate/a", "odd")
    dataset.verdict = Verdict(Condition.INCOMPLETE, "short by 2", ("b", "c"), 2, remarks=(remark,))
    dataset.gone, dataset.more_troubles = 5, 6
    wrong = Trouble(NAS, "plate/a", 10, State.FAILED, "rotten", integrity=True)
    dataset.add([verified("plate/b", destination=NAS), wrong])
    said: dict[str, Any] = report.as_json()
    (one,) = said.pop("datasets")
    assert said == {
        "format": "coldchain-report",
        "version": 1,
        "run": 7,
        "job": "lab",
        "source": "/bench",
        "started": "2026-01-01T00:00:00+00:00",
        "ended": "2026-01-01T00:00:02+00:00",
        "duration_s": 2.0,
        "exit_code": 3,
        "files": 3,
        "size_bytes": 30,
        "notes": ["a note"],
        "manifests_due": ["plate"],
        "sweep_due": [NAS],
        "absent": ["B07"],
        "throughput": {"step_s": 1.0},
    }
    lots = one.pop("destinations")
    assert one == {
        "dataset": "plate",
        "files": 3,
        "size_bytes": 30,
        "gone_from_source": 5,
        **condition_json(dataset.verdict),
        "troubles": [trouble_json(wrong)],
        "more_troubles": 6,
    }
    assert (one["missing"], one["remarks"]) == (["b", "c"], [{"path": "plate/a", "sentence": "odd"}])
    nothing = {"files": 0, "size_bytes": 0}
    assert lots[NAS] == {
        "verified": {"files": 2, "size_bytes": 10 + 1001},
        "held": nothing,
        "refused": nothing,
        "failed": {"files": 1, "size_bytes": 10},
        "sent": {"files": 1, "size_bytes": 1001},
        "weakest_proof": "readback",
    }
    assert lots[USB] == {**{state.value: nothing for state in State}, "sent": nothing, "weakest_proof": None}
    assert report_of().as_json()["ended"] is None
