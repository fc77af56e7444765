"""When is a file settled, which copies are due, and does a draft keep what was decided?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.ledger.settling import Look
from coldchain.model import (
    Action,
    Dataset,
    Digest,
    Entry,
    Hold,
    Keep,
    Manner,
    ProofKind,
    Record,
    Refuse,
    Send,
    State,
    Tally,
    Target,
)
from coldchain.steps.check import due, sampled
from coldchain.steps.draft import Draft
from coldchain.steps.encoding import decode_send, encode_send
from coldchain.steps.settle import Settling

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEN = timedelta(minutes=10)

# --- settling ---------------------------------------------------------------------------------------------------------


def seen(age: timedelta, *, ctime_age: timedelta | None = None, size_bytes: int = 5) -> Entry:
    now_ns = round(NOW.timestamp()) * 10**9

    def stamp(duration: timedelta) -> int:
        return now_ns - round(duration.total_seconds()) * 10**9

    return Entry("f", size_bytes, stamp(age), stamp(age if ctime_age is None else ctime_age), 7, 0o100644)


def since(minutes: float) -> int:
    return round((NOW - timedelta(minutes=minutes)).timestamp() * 1_000_000)


MIN = timedelta(minutes=1)
FUTURE = seen(-400 * timedelta(days=1))
SETTLING: list[tuple[str, Entry, dict[str, tuple[Entry, int]], bool]] = [
    ("old", seen(11 * MIN), {}, True),
    ("just old enough", seen(10 * MIN), {}, True),
    ("young", seen(9 * MIN), {}, False),
    ("old mtime, young ctime", seen(99 * MIN, ctime_age=MIN), {}, False),
    ("young, seen long ago", seen(9 * MIN), {"f": (seen(9 * MIN), since(99))}, False),
    ("future, first look", FUTURE, {}, False),
    ("future, looked at 9 minutes ago", FUTURE, {"f": (FUTURE, since(9))}, False),
    ("future, looked at 10 minutes ago", FUTURE, {"f": (FUTURE, since(10))}, True),
    ("future, and changed since", FUTURE, {"f": (FUTURE._replace(size_bytes=4), since(99))}, False),
    ("future, looked at after now", FUTURE, {"f": (FUTURE, since(-99))}, False),
]


@pytest.mark.parametrize(("entry", "earlier", "ready"), [row[1:] for row in SETTLING], ids=[row[0] for row in SETTLING])
def test_p18_a_file_is_ready_when_it_was_left_alone(
    entry: Entry, earlier: dict[str, tuple[Entry, int]], ready: bool
) -> None:
    looks: list[Look] = []
    settling = Settling(TEN, NOW, earlier.get, lambda path: "", remember=looks.append)
    assert (not settling.reason_to_wait(entry)) is ready
    assert settling.recent.files == (not ready)
    ahead = entry.mtime_ns == FUTURE.mtime_ns
    assert bool(looks) is (ahead and not ready), "what waits and bears no true time is remembered, and nothing else"


def test_a_look_from_a_clock_that_was_set_back_counts_from_now() -> None:
    looks: list[Look] = []
    settling = Settling(TEN, NOW, {"f": (FUTURE, since(-99))}.get, lambda path: "", remember=looks.append)
    assert settling.reason_to_wait(FUTURE)
    assert looks == [(FUTURE, since(0))]


def test_the_moment_at_which_the_first_file_will_be_ready_is_known() -> None:
    settling = Settling(TEN, NOW, {"f": (FUTURE, since(4))}.get, lambda path: "")
    for entry, first in ((seen(MIN), since(1)), (seen(5 * MIN), since(5)), (FUTURE, since(5))):
        assert settling.reason_to_wait(entry)
        assert settling.recent.first_us == first
    assert settling.recent.files == 3


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=0), "0 s"),
        (timedelta(seconds=119), "119 s"),
        (timedelta(seconds=120), "2 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=2), "2 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_ages_are_said_in_whole_units(age: timedelta, words: str) -> None:
    said = Settling(timedelta(days=30), NOW, lambda path: None, lambda path: "").reason_to_wait(seen(age))
    assert said == f"modified {words} ago; it must be left alone for 30 days"


def test_p18_an_open_file_is_not_ready_however_old() -> None:
    busy = Settling(TEN, NOW, lambda path: None, lambda path: f"{path} is open")
    assert busy.reason_to_wait(seen(99 * MIN)) == "f is open"
    assert Settling(timedelta(0), NOW, lambda path: None, lambda path: "").reason_to_wait(FUTURE) == ""


@given(st.lists(st.integers(1, 9), min_size=2, max_size=9))
def test_a_stamp_in_the_future_is_waited_for_once_and_no_longer(steps: list[int]) -> None:
    """However the runs are spread, the file goes as soon as ten minutes lie between its first look and now."""
    looks: list[Look] = []
    passed = 0
    for minutes in steps:
        earlier, looks = {look[0].path: look for look in looks}, []
        now = NOW + timedelta(minutes=passed)
        settling = Settling(TEN, now, earlier.get, lambda path: "", remember=looks.append)
        assert (settling.reason_to_wait(FUTURE) == "") == (passed >= 10)
        if passed >= 10:
            return
        passed += minutes


# --- drafts -----------------------------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=[]), max_size=8) | st.just("\udcff\n\x00\U0001f600")
number = st.integers(0, 2**63)
entries = st.builds(Entry, text, number, st.integers(-(2**63), 2**63), number, number, st.integers(0, 0o177777))
digests = st.builds(Digest, st.sampled_from(["sha256", "md5"]), st.text("0123456789abcdef"))
targets = st.builds(
    Target, st.sampled_from("ab"), text, st.sampled_from(Manner), text, st.none() | digests, text, st.booleans()
)
names = st.lists(st.sampled_from("ab"), unique=True).map(tuple)
sends = st.builds(Send, entries, st.lists(targets, min_size=1, max_size=2).map(tuple), names, st.booleans())
actions = st.one_of(
    sends,
    st.builds(Keep, entries, names),
    st.builds(Hold, entries, text, names, names),
    st.builds(Refuse, text, number, text, st.sampled_from(["", "a"]), st.sampled_from([State.REFUSED, State.FAILED])),
)


@given(sends)
def test_a_send_survives_the_spool(send: Send) -> None:
    import json

    assert decode_send(json.loads(json.dumps(encode_send(send)))) == send


@given(st.lists(st.lists(st.tuples(entries, number), max_size=4), max_size=4), st.integers(0, 3))
def test_a_draft_keeps_what_the_ledger_shall_remember_of_each_dataset(plans: list[list[Look]], in_memory: int) -> None:
    draft = Draft(("a",))
    draft._looks._limit = in_memory
    for position, looks in enumerate(plans):
        draft.begin(Dataset(str(position)))
        for look in looks:
            draft.remember(look)
    planned = [one for one, _ in draft.by_dataset()]
    assert [list(one.looks) for one in planned] == plans
    draft.close()


@given(st.lists(st.lists(actions, max_size=6), max_size=4), st.integers(0, 3))
def test_a_draft_gives_back_every_action_but_keeps_and_counts_all(plans: list[list[Action]], in_memory: int) -> None:
    draft = Draft(("a", "b"))
    for spool in draft._waves:
        spool._limit = in_memory
    for position, plan in enumerate(plans):
        draft.begin(Dataset(str(position)))
        for action in plan:
            draft.add(action)
    found = [
        (planned.dataset.name, [action for wave in waves for action in wave]) for planned, waves in draft.by_dataset()
    ]
    wanted = [
        (str(position), [action for action in plan if not isinstance(action, Keep)])
        for position, plan in enumerate(plans)
    ]
    assert found == wanted
    flat = [action for plan in plans for action in plan]
    sizes = [action.size_bytes if isinstance(action, Refuse) else action.entry.size_bytes for action in flat]
    assert draft.selected == Tally(len(flat), sum(sizes))
    assert draft.to_read.files == sum(isinstance(action, Send) for action in flat)
    for name in ("a", "b"):
        kept = sum(not isinstance(action, Refuse) and name in action.kept for action in flat)
        assert sum(planned.kept[name].files for planned in draft.datasets) == kept
    draft.close()


# --- which copies are proved again ------------------------------------------------------------------------------------


def copies(ages_days: list[int]) -> Iterator[tuple[str, Record]]:
    for position, age in enumerate(sorted(ages_days, reverse=True)):
        at_us = round((NOW - timedelta(days=age)).timestamp() * 1_000_000)
        record = Record(
            "p", f"k{position}", 1, 0, 0, 0, 0, 0, Digest("sha256", ""), ProofKind.READBACK, "direct", at_us, at_us
        )
        yield "d", record


@given(st.lists(st.integers(0, 200), max_size=40), st.integers(0, 120))
def test_what_is_due_is_all_that_is_too_old_and_a_fair_share(ages: list[int], last_days: int) -> None:
    last = NOW - timedelta(days=last_days)
    chosen = list(due(copies(ages), len(ages), timedelta(days=90), NOW, last))
    assert len(chosen) >= sum(age >= 90 for age in ages)
    assert len(chosen) >= len(ages) * min(1, last_days / 90) - 1e-9
    assert chosen == list(copies(ages))[: len(chosen)], "the oldest first"


def test_a_check_each_day_proves_everything_within_the_time() -> None:
    ages = dict.fromkeys(range(1000), 0)
    for day in range(1, 100):
        ages = {key: age + 1 for key, age in ages.items()}
        order = sorted(ages, key=lambda key: (-ages[key], key))
        last = NOW - timedelta(days=1) if day > 1 else None
        count = len(list(due(copies(list(ages.values())), 1000, timedelta(days=90), NOW, last)))
        assert count < 40
        ages.update(dict.fromkeys(order[:count], 0))
        assert max(ages.values()) <= 91


def test_a_sample_is_about_the_share_and_another_one_each_time() -> None:
    many = list(copies([1] * 5000))
    first, second = (list(sampled(many, 0.1, salt)) for salt in (1, 2))
    assert 350 < len(first) < 650
    assert first == list(sampled(many, 0.1, 1))
    assert len({r.key for _, r in first} & {r.key for _, r in second}) < 120
    assert list(sampled(many, 1.0, 1)) == many
    assert list(sampled(many, 0.0, 1)) == []
