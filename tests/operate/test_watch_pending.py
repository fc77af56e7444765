"""When is what looked at, and how often is it said?"""

from __future__ import annotations

from coldchain.hints.base import Hints
from coldchain.model import REST, Dataset, Part
from coldchain.operate.watching.backoff import LONGEST_S, Backoff
from coldchain.operate.watching.once import Once
from coldchain.operate.watching.pending import Pending, datasets_of


def _hints(*paths: str) -> Hints:
    return Hints(frozenset(paths))


def test_a_path_waits_until_its_newest_hint_has_settled_and_holds_nobody_up() -> None:
    pending = Pending(settle_s=10)
    pending.take(_hints("a", "b"), 0)
    pending.take(_hints("b"), 8)
    assert pending.due_paths(9) == frozenset()
    assert pending.due_paths(11) == {"a"}
    assert pending.due_paths(19) == {"b"}
    assert pending.due_paths(1000) == frozenset()


def test_a_path_that_is_hinted_at_for_ever_is_looked_at_all_the_same() -> None:
    pending = Pending(settle_s=1)
    for second in range(61):
        pending.take(_hints("a"), second)
        if pending.due_paths(second):
            break
    assert second == 60


def test_hints_without_end_cost_no_memory_but_a_look_at_everything() -> None:
    pending = Pending(settle_s=10)
    pending.take(_hints(*map(str, range(10_000))), 0)
    assert pending.all_at is not None
    assert 10 <= pending.all_at <= 11
    assert pending.due_paths(1000) == frozenset()


def test_a_hint_falls_into_its_dataset_and_a_folder_into_all_within() -> None:
    days = [Dataset("d1", (Part("bins", "D1"),)), Dataset("d2", (Part("bins", "D2"),))]
    found = [Dataset(REST, (Part(without=("bins/D1", "bins/D2", "x/")),)), *days, Dataset("x", (Part("x"),))]
    assert datasets_of(frozenset({"bins/D1.roi"}), found) == {"d1"}
    assert datasets_of(frozenset({"bins/"}), found) >= {"d1", "d2"}
    assert datasets_of(frozenset({"bins"}), found) >= {"d1", "d2"}
    assert "x" in datasets_of(frozenset({"x"}), found)
    assert datasets_of(frozenset({"x/y/z"}), found) == {"x"}
    assert datasets_of(frozenset({"xy"}), found) == {REST}
    assert datasets_of(frozenset({""}), found) == {"d1", "d2", "x", REST}


def test_waits_double_up_to_five_minutes_and_never_end() -> None:
    backoff, waits = Backoff(), []
    for _ in range(2000):
        backoff.failed(0)
        waits.append(backoff.due)
    assert 0.7 <= waits[0] <= 1
    assert all(
        0.75 * min(LONGEST_S, 2.0 ** min(n, 60)) <= wait <= min(LONGEST_S, 2.0 ** min(n, 60))
        for n, wait in enumerate(waits)
    )
    assert len(set(waits)) > 1000


def test_equal_sentences_about_a_matter_are_said_once_until_it_is_over() -> None:
    said: list[str] = []
    once = Once(said.append)
    for _ in range(3):
        once.say("nas", "away")
    once.over("nas", "back")
    once.over("nas", "back")
    once.say("nas", "away")
    assert said == ["away", "back", "away"]
