"""When is an instrument asked again, which files does its word hold back, and when may a marker go?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from coldchain.config.values import Incomplete, Job
from coldchain.instruments.base import Habits, Judge, Look
from coldchain.instruments.files import Files
from coldchain.ledger.acquisitions import Acquisition
from coldchain.model import Dataset, Entry, Manner, Outcome, Part, Place, Send, State, Target, Trouble
from coldchain.steps.following import Following
from coldchain.steps.judge import Judged, Judging
from coldchain.stores.base import Store
from coldchain.testing.memory import MemoryStore
from coldchain.verdict import Condition, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLATE = Dataset("plate", (Part("plate"),))
JOB = Job("j", Place("source", "memory://s"), ())


class Counting:
    """An instrument that counts how often it is asked for a verdict."""

    name, title, habits = "counting", "counts", Habits()

    def __init__(self, verdict: Verdict) -> None:
        self.said, self.asked = verdict, 0
        self.seen: list[Entry] = []
        self.look: Look | None = None

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        return 0, ""

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        yield PLATE

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        self.look = look
        return self

    def see(self, entry: Entry) -> None:
        self.seen.append(entry)

    def verdict(self) -> Verdict:
        self.asked += 1
        if self.look is not None:
            self.look.remember("a", "stamp", [1, 2])
        return self.said

    def marker(self, dataset: Dataset, path: str) -> str | None:
        if path.endswith(".hdr"):
            return path.removesuffix("hdr")
        return "" if path.endswith("DONE") else None


def judged(instrument: Counting, known: Acquisition | None, *entries: Entry, waiting: int = 0) -> Judged:
    judging = Judging(instrument, PLATE, known, Look(MemoryStore("memory://s"), JOB, NOW))
    for entry in entries:
        judging.see(entry)
    return judging.judged(waiting)


def known(found: Judged) -> Acquisition:
    return Acquisition("counting", found.stamp, found.verdict, found.remembered or {}, NOW, NOW, None)


WHOLE, CUT = Entry("plate/a", 5, 1), Entry("plate/a", 4, 1)
CONDITIONS = [
    (Verdict(Condition.COMPLETE), False),
    (Verdict(Condition.INCOMPLETE, unwhole={"plate/a": "cut"}), False),
    (Verdict(Condition.UNKNOWN), False),
    (Verdict(Condition.UNKNOWN, unwhole={"plate/a": "young"}), True),
    (Verdict(Condition.ACQUIRING), True),
]


@pytest.mark.parametrize(("verdict", "again"), CONDITIONS)
def test_headers_are_not_read_again_while_no_file_changes_unless_time_alone_may_change_the_verdict(
    verdict: Verdict, *, again: bool
) -> None:
    instrument = Counting(verdict)
    first = judged(instrument, None, WHOLE)
    second = judged(instrument, known(first), WHOLE)
    assert (second.verdict, second.stamp) == (verdict, first.stamp)
    assert dict(second.remembered or {})["a"] == ["stamp", [1, 2]]
    assert instrument.asked == 1 + again
    assert judged(instrument, known(first), CUT).stamp != first.stamp
    assert instrument.asked == 2 + again


def test_another_question_is_asked_anew_but_is_no_other_content() -> None:
    instrument = Counting(Verdict(Condition.COMPLETE))
    first = judged(instrument, None, WHOLE)
    personal = Judging(
        instrument, PLATE, known(first), Look(MemoryStore("memory://s"), replace(JOB, personal=True), NOW)
    )
    personal.see(WHOLE)
    assert personal.judged(0).stamp == first.stamp
    assert instrument.asked == 2


def test_what_was_remembered_is_recalled_for_the_same_stamp_only() -> None:
    instrument = Counting(Verdict(Condition.ACQUIRING))
    first = judged(instrument, None, WHOLE)
    judged(instrument, known(first), CUT)
    assert instrument.look is not None
    assert instrument.look.recall("a", "stamp") == [1, 2]
    assert instrument.look.recall("a", "other") is None
    assert instrument.look.recall("b", "stamp") is None


def test_an_instrument_is_shown_every_file() -> None:
    instrument = Counting(Verdict(Condition.COMPLETE))
    judged(instrument, None, WHOLE, CUT)
    assert instrument.seen == [WHOLE, CUT]


def test_p13_what_another_instrument_said_of_the_same_files_is_neither_believed_nor_recalled() -> None:
    first = judged(Counting(Verdict(Condition.COMPLETE)), None, WHOLE)
    instrument = Counting(Verdict(Condition.INCOMPLETE))
    found = judged(instrument, replace(known(first), instrument="another"), WHOLE)
    assert found.verdict.condition is Condition.INCOMPLETE
    assert instrument.look is not None
    assert instrument.look.recall("a", "stamp") is None


def test_what_no_instrument_judges_has_no_stamp_so_that_nothing_is_written_down_of_it() -> None:
    judging = Judging(Files(), PLATE, None, Look(MemoryStore("memory://s"), JOB, NOW))
    judging.see(WHOLE)
    assert judging.judged(waiting=1) == Judged()


@pytest.mark.parametrize(("waiting", "said"), [(1, "1 file is"), (2, "2 files are")])
def test_a_dataset_with_files_that_are_still_written_is_not_complete(waiting: int, said: str) -> None:
    found = judged(Counting(Verdict(Condition.COMPLETE, "3 images")), None, WHOLE, waiting=waiting)
    assert (found.verdict.condition, found.verdict.summary) == (
        Condition.ACQUIRING,
        f"{said} still being written; otherwise: 3 images",
    )


@pytest.mark.parametrize("condition", [one for one in Condition if one is not Condition.COMPLETE])
def test_what_is_not_complete_stays_what_it_is_while_files_are_written(condition: Condition) -> None:
    assert judged(Counting(Verdict(condition, "said")), None, WHOLE, waiting=1).verdict == Verdict(condition, "said")


HOLDING = [
    (Incomplete.SEND, Condition.INCOMPLETE, ("cut", "")),
    (Incomplete.SEND, Condition.COMPLETE, ("cut", "")),
    (Incomplete.WAIT, Condition.INCOMPLETE, ("its dataset", "its dataset")),
    (Incomplete.WAIT, Condition.ACQUIRING, ("its dataset", "its dataset")),
    (Incomplete.WAIT, Condition.UNKNOWN, ("cut", "")),
    (Incomplete.FLAG, Condition.INCOMPLETE, ("", "")),
    (Incomplete.FLAG, Condition.UNKNOWN, ("", "")),
    (Incomplete.FLAG, Condition.ACQUIRING, ("cut", "")),
]


@pytest.mark.parametrize(("policy", "condition", "reasons"), HOLDING)
def test_the_job_says_what_happens_to_what_is_not_whole(
    policy: Incomplete, condition: Condition, reasons: tuple[str, str]
) -> None:
    found = Judged(Verdict(condition, "short by 1 of 2", unwhole={"plate/a": "cut"}))
    for path, reason in zip(("plate/a", "plate/b"), reasons, strict=True):
        said = found.reason_to_hold(path, policy)
        assert said.startswith(reason)
        assert bool(said) == bool(reason)


def test_a_dataset_is_overdue_only_while_it_is_open_and_only_if_the_job_asks() -> None:
    seen = known(Judged(Verdict(Condition.ACQUIRING)))
    day = timedelta(days=1)
    assert Judged(Verdict(Condition.INCOMPLETE)).overdue(seen, day, NOW + 2 * day)
    assert not Judged(Verdict(Condition.INCOMPLETE)).overdue(seen, day, NOW + day)
    assert not Judged(Verdict(Condition.COMPLETE)).overdue(seen, day, NOW + 2 * day)
    assert not Judged(Verdict(Condition.INCOMPLETE)).overdue(seen, None, NOW + 2 * day)
    assert not Judged(Verdict(Condition.INCOMPLETE)).overdue(None, day, NOW + 2 * day)


# --- markers ----------------------------------------------------------------------------------------------------------


class Decided:
    """Keeps what was decided."""

    def __init__(self) -> None:
        self.held: list[tuple[str, str]] = []

    def add(self, outcomes: Iterator[Outcome]) -> None:
        for outcome in outcomes:
            assert isinstance(outcome, Trouble)
            assert outcome.state is State.HELD
            self.held.append((outcome.path, outcome.destination))


def trouble(path: str, destination: str) -> Trouble:
    return Trouble(destination, path, 1, State.FAILED, "no room")


def sent(path: str) -> Send:
    return Send(Entry(path, 1, 1), tuple(Target(name, path, Manner.NEW, "new") for name in ("a", "b")))


def allowed(troubles: list[Trouble], *paths: str) -> tuple[set[tuple[str, str]], list[tuple[str, str]]]:
    following, decided = Following(Counting(Verdict(Condition.COMPLETE)), PLATE), Decided()
    following.heed(troubles)
    through = list(following.allowed(map(sent, paths), decided))  # type: ignore[arg-type]
    assert all(send.targets for send in through), "nothing is read for nobody"
    return {(send.entry.path, target.destination) for send in through for target in send.targets}, decided.held


def test_a_marker_waits_only_for_what_it_vouches_for_and_only_where_that_is_in_trouble() -> None:
    paths = ("plate/b1.hdr", "plate/b2.hdr", "plate/DONE")
    through, held = allowed([trouble("plate/b1.roi", "a")], *paths)
    assert sorted(held) == [("plate/DONE", "a"), ("plate/b1.hdr", "a")]
    assert through == {(path, name) for path in paths for name in "ab"} - set(held)


def test_a_marker_does_not_wait_for_what_it_does_not_vouch_for() -> None:
    through, held = allowed([trouble("plate/b3.roi", name) for name in "ab"], "plate/b1.hdr", "plate/b4.hdr")
    assert (len(through), held) == (4, [])
    through, held = allowed([trouble("plate/b1.roi", name) for name in "ab"], "plate/b1.hdr")
    assert (through, len(held)) == (set(), 2)


def test_without_trouble_every_marker_goes() -> None:
    through, held = allowed([], "plate/b1.hdr", "plate/DONE")
    assert (len(through), held) == (4, [])


def test_with_very_many_troubles_every_marker_waits() -> None:
    many = [trouble(f"plate/{number}", "a") for number in range(10_001)]
    through, held = allowed(many, "plate/zzz.hdr")
    assert (through, held) == ({("plate/zzz.hdr", "b")}, [("plate/zzz.hdr", "a")])
