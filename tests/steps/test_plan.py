"""Is each file sent, kept, held or refused at each destination as what is known of it demands?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.config.values import OnChange
from coldchain.model import (
    ADDED,
    UNCHANGED,
    Action,
    Change,
    Changed,
    Difference,
    Digest,
    Entry,
    Hold,
    Keep,
    Manner,
    Missing,
    Oddity,
    Place,
    ProofKind,
    Record,
    Refuse,
    Send,
    State,
    Target,
    Touched,
    Unproved,
)
from coldchain.steps.layout import Layout
from coldchain.steps.plan import Aim, next_version, plan, refuse_oddity
from coldchain.steps.scan import Walks
from coldchain.steps.settle import Settling
from coldchain.stores.base import Traits, open_store
from coldchain.stores.names import NameRules
from coldchain.testing import MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENTRY = Entry("raw/a.tif", 5, 1000, 1000, 7)
KEY = "lab/raw/a.tif"
DIGEST = Digest("sha256", "ab")
RECORD = Record(
    ENTRY.path, "lab/raw/a~v2.tif", 5, 999, 999, 7, 0, 999, DIGEST, ProofKind.READBACK, "direct", proved_at_us=1,
    stored_at_us=1,
)  # fmt: skip
_numbers = count(1)


def aim(
    on_change: OnChange = OnChange.REPLACE,
    *,
    name: str = "nas",
    rules: NameRules | None = None,
    largest_bytes: int = 0,
    owner: str = "me",
    prefix: str = "lab/",
) -> Aim:
    store = MemoryStore(f"memory://plan-{next(_numbers)}", traits=Traits(largest_bytes=largest_bytes))
    made = Aim(name, store, Walks(store), rules or NameRules(), on_change, owner=owner)
    made.enter(Layout(prefix, 0), prefix.rstrip("/"))
    return made


def settling(
    busy: Callable[[str], str] = lambda path: "", grows: Callable[[str], bool] = lambda path: False
) -> Settling:
    return Settling(timedelta(0), NOW, lambda path: None, busy, grows)


def planned(aims: list[Aim], *changes: Change, entry: Entry = ENTRY, how: Settling | None = None) -> list[Action]:
    return list(plan(iter([Difference(entry, changes)]), aims, how or settling()))


def target(change: Change, on_change: OnChange = OnChange.REPLACE, entry: Entry = ENTRY) -> Target:
    [action] = planned([aim(on_change)], change, entry=entry)
    assert isinstance(action, Send)
    assert (action.entry, action.kept, action.growing) == (entry, (), False)
    return action.targets[0]


LONGER = ENTRY._replace(size_bytes=6)


def test_what_no_destination_knows_is_written_under_a_new_name() -> None:
    assert target(ADDED)[:3] == ("nas", KEY, Manner.NEW)
    missing = target(Missing(RECORD))
    assert missing[:3] == ("nas", KEY, Manner.NEW)
    assert "missing" in missing.reason


def test_p05_what_stands_there_unproved_is_read_and_never_written() -> None:
    assert target(Unproved(ENTRY, None, "why"))[:5] == ("nas", KEY, Manner.ADOPT, "why", None)
    assert target(Unproved(ENTRY, RECORD, "why"))[:5] == ("nas", RECORD.key, Manner.ADOPT, "why", DIGEST)


@pytest.mark.parametrize(("entry", "unsure"), [(ENTRY, True), (LONGER, False)], ids=["same size", "longer"])
def test_a_changed_file_gives_way_as_the_job_says_and_is_hashed_first_where_it_may_be_the_same(
    entry: Entry, unsure: bool
) -> None:
    replaced = target(Changed(RECORD), OnChange.REPLACE, entry)
    assert replaced[1:3] + replaced[4:] == (RECORD.key, Manner.REPLACE, DIGEST, RECORD.key, unsure)
    both = target(Changed(RECORD), OnChange.KEEP_BOTH, entry)
    assert both[1:3] + both[4:] == ("lab/raw/a~v2.tif", Manner.NEW, DIGEST, RECORD.key, unsure)
    [action] = planned([aim(OnChange.REFUSE)], Changed(RECORD), entry=entry)
    if unsure:
        assert isinstance(action, Send)
        assert action.targets[0][1:3] == (RECORD.key, Manner.ADOPT)
    else:
        assert isinstance(action, Refuse)
        assert (action.path, action.size_bytes, action.destination) == (entry.path, 6, "nas")


@pytest.mark.parametrize("on_change", OnChange)
def test_a_touched_file_is_always_read_before_anything_is_written(on_change: OnChange) -> None:
    found = target(Touched(RECORD), on_change, LONGER)
    assert found.unsure or found.manner is Manner.ADOPT


def test_a_file_goes_where_it_lacks_and_stays_where_it_is() -> None:
    aims = [aim(name="nas"), aim(name="tape"), aim(name="usb")]
    [action] = planned(aims, UNCHANGED, ADDED, UNCHANGED)
    assert isinstance(action, Send)
    assert action.kept == ("nas", "usb")
    assert [t.destination for t in action.targets] == ["tape"]
    assert planned(aims, UNCHANGED, UNCHANGED, UNCHANGED) == [Keep(ENTRY, ("nas", "tape", "usb"))]


def test_a_file_that_is_still_written_is_held_where_it_would_have_gone() -> None:
    busy = settling(lambda path: f"{path} is open")
    aims = [aim(name="nas"), aim(name="tape")]
    assert planned(aims, UNCHANGED, ADDED, how=busy) == [Hold(ENTRY, "raw/a.tif is open", ("tape",), ("nas",))]
    assert planned(aims, UNCHANGED, UNCHANGED, how=busy) == [Keep(ENTRY, ("nas", "tape"))]


def test_a_growing_file_goes_while_it_is_written_and_is_marked_so() -> None:
    [action] = planned([aim()], ADDED, how=settling(lambda path: "open", grows=lambda path: path == ENTRY.path))
    assert isinstance(action, Send)
    assert action.growing


def test_one_destination_that_refuses_a_file_keeps_it_from_no_other() -> None:
    small = aim(name="fat", largest_bytes=4)
    refuse, send = planned([small, aim(name="nas")], ADDED, ADDED)
    assert isinstance(refuse, Refuse)
    assert (refuse.path, refuse.size_bytes, refuse.destination, refuse.state) == (ENTRY.path, 5, "fat", State.REFUSED)
    assert isinstance(send, Send)
    assert [t.destination for t in send.targets] == ["nas"]
    [alone] = planned([small], ADDED)
    assert isinstance(alone, Refuse), "refused everywhere is refused, and neither sent nor kept"


@pytest.mark.parametrize(("largest_bytes", "kind"), [(0, Send), (1, Refuse), (4, Refuse), (5, Send), (6, Send)])
def test_the_largest_file_that_fits_is_sent(largest_bytes: int, kind: type[Action]) -> None:
    [action] = planned([aim(largest_bytes=largest_bytes)], ADDED)
    assert type(action) is kind


@pytest.mark.parametrize(
    ("prefix", "path", "kind"),
    [
        ("", ".coldchain/manifests/x", Refuse),
        ("", ".ColdChain/manifests/x", Refuse),
        ("", "sub/.coldchain/x", Send),
        ("lab/", ".coldchain/x", Send),
        ("", "n" * 256, Refuse),
        ("", "n" * 255, Send),
    ],
)
def test_p16_a_name_that_cannot_stand_there_is_refused_before_anything_is_sent(
    prefix: str, path: str, kind: type[Action]
) -> None:
    [action] = planned([aim(prefix=prefix)], ADDED, entry=ENTRY._replace(path=path))
    assert type(action) is kind


@pytest.mark.parametrize(("folds_case", "kinds"), [(True, [Send, Refuse]), (False, [Send, Send])])
def test_p16_two_names_that_a_place_would_merge_are_not_both_sent(folds_case: bool, kinds: list[type[Action]]) -> None:
    place = aim(rules=NameRules(folds_case=folds_case))
    twins = [Difference(ENTRY._replace(path=path), (ADDED,)) for path in ("A.tif", "a.tif")]
    assert [type(action) for action in plan(iter(twins), [place], settling())] == kinds


def test_p11_a_name_that_the_next_run_would_sweep_is_refused(tmp_path: Path) -> None:
    store = open_store(Place("nas", str(tmp_path)))
    place = Aim("nas", store, Walks(store), NameRules(), OnChange.REPLACE, owner="0123abcd")
    for owner, kind in (("0123abcd", Refuse), ("4567cdef", Send)):
        path = f"run/.~{owner}-01234567.coldchain"
        assert store.is_leftover(path, owner)
        assert [type(action) for action in planned([place], ADDED, entry=ENTRY._replace(path=path))] == [kind]


def test_p16_a_folder_that_a_later_dataset_would_merge_with_is_remembered_however_many_lie_between() -> None:
    place = aim(rules=NameRules(folds_case=True), prefix="")

    def last(*paths: str) -> Action:
        differences = (Difference(ENTRY._replace(path=path), (ADDED,)) for path in paths)
        return list(plan(differences, [place], settling()))[-1]

    place.enter(Layout("", 0), "", {"deep/sets/one"})
    assert isinstance(last("deep/Sets/f", *(f"z{number:03d}/sub/f" for number in range(100))), Send)
    place.enter(Layout("", 0), "deep/sets/one")
    assert isinstance(last("deep/sets/one/f"), Refuse)


def test_p10_what_the_brake_asks_for_is_counted() -> None:
    place = aim()
    changes: list[Change] = [
        UNCHANGED,
        ADDED,
        Changed(RECORD),
        Touched(RECORD),
        Missing(RECORD),
        Unproved(ENTRY, None, ""),
    ]
    list(plan((Difference(ENTRY, (change,)) for change in changes), [place], settling()))
    assert (place.stored, place.changed) == (4, 1), "stored before, of this: changed"
    list(plan(iter([Difference(ENTRY, (UNCHANGED,)), Difference(LONGER, (Changed(RECORD),))]), [place], settling()))
    assert (place.stored, place.changed) == (6, 2)


# --- the name of a version that is kept beside another ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "taken", "free"),
    [
        ("a/b.tif", 0, "a/b~v2.tif"),
        ("a/b.tif", 2, "a/b~v4.tif"),
        ("b", 0, "b~v2"),
        ("b.ome.tif", 0, "b.ome~v2.tif"),
        ("a.b/c", 0, "a.b/c~v2"),
        ("a/.hidden", 0, "a/.hidden~v2"),
    ],
)
def test_the_first_free_version_is_taken(key: str, taken: int, free: str) -> None:
    asked: list[str] = []

    def is_taken(candidate: str) -> bool:
        asked.append(candidate)
        return len(asked) <= taken

    assert next_version(key, is_taken) == free


@given(st.text(st.characters(exclude_categories=[], exclude_characters="/"), min_size=1))
def test_a_version_is_another_name_in_the_same_folder(name: str) -> None:
    version = next_version(f"folder/{name}", lambda candidate: False)
    assert version.startswith("folder/")
    assert "/" not in version.removeprefix("folder/")
    assert version != f"folder/{name}"


def test_a_name_under_which_anything_stands_is_not_free() -> None:
    place = aim(OnChange.KEEP_BOTH)
    assert isinstance(place.store, MemoryStore)
    place.store.put("lab/raw/a~v2.tif", b"somebody's")
    place.store.put_oddity(Oddity("lab/raw/a~v3.tif", "symlink", "a link"))
    [action] = planned([place], Changed(RECORD))
    assert isinstance(action, Send)
    assert action.targets[0].key == "lab/raw/a~v4.tif"


# --- what is no plain file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "state"), [("symlink", State.REFUSED), ("special", State.REFUSED), ("unreadable", State.FAILED)]
)
def test_what_is_no_plain_file_is_refused_and_what_cannot_be_read_has_failed(what: str, state: State) -> None:
    assert refuse_oddity(Oddity("x", what, "because")) == Refuse("x", 0, "because", state=state)
