"""Does a draft hold what its instrument says is not whole, and count what is then still to be read?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coldchain.config.values import Incomplete
from coldchain.model import Action, Dataset, Entry, Hold, Keep, Manner, Refuse, Send, Tally, Target
from coldchain.steps.draft import Draft
from coldchain.steps.judge import Judged
from coldchain.steps.settle import NONE_RECENT
from coldchain.verdict import Condition, Verdict

ACQUIRING = Judged(Verdict(Condition.ACQUIRING, "3 of 9 images"))
INCOMPLETE = Judged(Verdict(Condition.INCOMPLETE, "short by 2"))
WHOLE = Judged(Verdict(Condition.COMPLETE))


def entry(path: str, size_bytes: int = 10) -> Entry:
    return Entry(path, size_bytes, 1)


def send(path: str, *kept: str) -> Send:
    return Send(entry(path), (Target("nas", path, Manner.NEW, "new"), Target("tape", path, Manner.NEW, "new")), kept)


@pytest.fixture
def draft() -> Iterator[Draft]:
    draft = Draft(("nas", "tape", "usb"))
    yield draft
    draft.close()


def planned(draft: Draft) -> list[tuple[str, Action]]:
    return [(one.dataset.name, action) for one, action in draft.actions()]


def one_each(draft: Draft, first: Judged, second: Judged) -> None:
    """Two datasets of two files each."""
    for name, judged in (("A", first), ("B", second)):
        draft.begin(Dataset(name)).judged = judged
        draft.add(send(f"{name}/1"))
        draft.add(send(f"{name}/2", "usb"))


def test_what_is_whole_is_sent(draft: Draft) -> None:
    one_each(draft, WHOLE, WHOLE)
    draft.seal()
    assert [action for _, action in planned(draft)] == [
        send("A/1"), send("A/2", "usb"), send("B/1"), send("B/2", "usb")
    ]  # fmt: skip
    assert draft.to_read == Tally(4, 40)
    assert [one.to_read for one in draft.datasets] == [Tally(2, 20)] * 2


@pytest.mark.parametrize("judged", [ACQUIRING, INCOMPLETE])
def test_p18_a_dataset_that_is_not_whole_waits_where_the_job_says_so(draft: Draft, judged: Judged) -> None:
    draft.incomplete = Incomplete.WAIT
    one_each(draft, judged, WHOLE)
    draft.seal()
    found = planned(draft)
    assert [type(action) for _, action in found] == [Hold, Hold, Send, Send]
    held = found[1][1]
    assert isinstance(held, Hold)
    assert (held.entry, held.destinations, held.kept) == (entry("A/2"), ("nas", "tape"), ("usb",))
    assert judged.verdict.summary in held.reason
    assert draft.to_read == Tally(2, 20), "what waits is not read"


def test_where_everything_waits_nothing_is_read(draft: Draft) -> None:
    draft.incomplete = Incomplete.WAIT
    one_each(draft, INCOMPLETE, ACQUIRING)
    draft.seal()
    assert planned_sends(draft) == []
    assert draft.to_read == Tally()


def test_p18_a_file_that_is_not_whole_is_held_and_the_others_go(draft: Draft) -> None:
    judged = Judged(Verdict(Condition.UNKNOWN, unwhole={"A/2": "it is cut short"}))
    one_each(draft, judged, WHOLE)
    draft.seal()
    [(_, _), (_, held), *rest] = planned(draft)
    assert isinstance(held, Hold)
    assert (held.entry.path, held.reason) == ("A/2", "it is cut short")
    assert all(isinstance(action, Send) for _, action in rest)
    assert draft.to_read == Tally(3, 30)


def test_p18_while_one_dataset_is_acquired_nothing_of_the_source_is_read_if_the_job_says_so(draft: Draft) -> None:
    one_each(draft, WHOLE, ACQUIRING)
    draft.seal(undisturbed=True)
    assert draft.disturbing == "B"
    assert {action.reason for _, action in planned(draft) if isinstance(action, Hold)} == {
        "the instrument is acquiring: B"
    }
    assert len(planned_sends(draft)) == 0
    assert draft.to_read == Tally()


def planned_sends(draft: Draft) -> list[Send]:
    return [action for _, action in planned(draft) if isinstance(action, Send)]


@pytest.mark.parametrize(("second", "undisturbed"), [(ACQUIRING, False), (INCOMPLETE, True), (WHOLE, True)])
def test_else_everything_is_read(draft: Draft, second: Judged, undisturbed: bool) -> None:
    one_each(draft, WHOLE, second)
    draft.seal(undisturbed=undisturbed)
    assert len(planned_sends(draft)) == 4
    assert draft.to_read == Tally(4, 40)


def test_p01_every_kind_of_action_is_counted_once(draft: Draft) -> None:
    one = draft.begin(Dataset("A"))
    draft.add(Refuse("A/1", 10, "a name", "nas"))
    draft.add(send("A/1"), first_of_entry=False)
    draft.add(Hold(entry("A/2"), "open", ("nas",), ("tape",)))
    draft.add(Keep(entry("A/3"), ("nas", "tape")))
    draft.seal()
    assert (one.selected, draft.selected) == (Tally(3, 30), Tally(3, 30))
    assert one.unsettled == 1
    assert one.to_read == draft.to_read == Tally(1, 10)
    assert one.kept == {"nas": Tally(1, 10), "tape": Tally(2, 20), "usb": Tally()}
    assert one.recent == NONE_RECENT
    assert [type(action) for _, action in planned(draft)] == [Refuse, Send, Hold]


def test_markers_come_after_the_files_that_they_speak_of_and_looks_belong_to_their_dataset(draft: Draft) -> None:
    for name in ("A", "B"):
        draft.begin(Dataset(name))
        for number, wave in enumerate((2, 0, 1)):
            draft.add(send(f"{name}/{number}"), wave=wave)
        draft.remember((entry(f"{name}/0"), 5))
    draft.seal()
    paths = [action.entry.path for action in planned_sends(draft)]
    assert paths == ["A/1", "A/2", "A/0", "B/1", "B/2", "B/0"]
    seen = []
    for one, waves in draft.by_dataset():
        seen += [(one.dataset.name, look[0].path) for look in one.looks]
        assert [len(list(wave)) for wave in waves] == [1, 1, 1]
    assert seen == [("A", "A/0"), ("B", "B/0")]
