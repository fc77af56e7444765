"""Does each destination see of each source file what is so, however the three streams are interleaved?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldchain.model import (
    ADDED,
    DISPROVED,
    UNCHANGED,
    Change,
    Changed,
    Digest,
    Entry,
    Missing,
    Oddity,
    ProofKind,
    Record,
    Touched,
    Unproved,
)
from coldchain.steps.compare import Side, Standard, compare
from coldchain.steps.layout import Layout
from coldchain.stores.base import Traits
from coldchain.testing import MemoryStore

STRICT = Standard(ProofKind.READBACK, stable_inodes=True)
LAYOUT = Layout("lab/", len("raw/"))
NAMES = ["a", "a/b", "ab", "b", "b/c", "c", "é", "\udcff"]
_numbers = count(1)


def store(step_ns: int = 1) -> MemoryStore:
    return MemoryStore(f"memory://compare-{next(_numbers)}", traits=Traits(mtime_step_ns=step_ns))


def source(name: str) -> Entry:
    return Entry(f"raw/{name}", 5, 1000, 2000, 7)


def copy(name: str) -> Entry:
    return Entry(f"lab/{name}", 5, 1003)


def record(name: str) -> Record:
    return Record(
        f"raw/{name}",
        f"lab/{name}",
        size_bytes=5,
        source_mtime_ns=1000,
        source_ctime_ns=2000,
        source_inode=7,
        mode=0,
        stored_mtime_ns=1003,
        digest=Digest("sha256", ""),
        proof_kind=ProofKind.READBACK,
        proof_how="direct",
        proved_at_us=1,
        stored_at_us=1,
    )


def one(
    entry: Entry,
    known: Record | None,
    found: Entry | Oddity | None,
    place: MemoryStore | None = None,
    begun: Record | None = None,
) -> Change:
    """What a destination says of a single file."""
    side = Side(place or store(), iter([known] if known else []), STRICT, {begun.path: begun} if begun else None)
    side.enter(LAYOUT, iter([found] if found else []))
    return side.change(entry)


some = st.sets(st.sampled_from(NAMES)).map(sorted)


@given(some, some, some)
def test_every_file_is_compared_with_its_own_record_and_its_own_copy(
    here: list[str], recorded: list[str], there: list[str]
) -> None:
    side = Side(store(), map(record, recorded), STRICT)
    side.enter(LAYOUT, map(copy, there))
    expected: list[Change] = []
    for name in here:
        if name in recorded:
            expected.append(UNCHANGED if name in there else Missing(record(name)))
        else:
            expected.append(Unproved(copy(name), None, "it stands there already") if name in there else ADDED)
    differences = list(compare([source(name) for name in here], [side]))
    assert [difference.entry for difference in differences] == [source(name) for name in here]
    assert [difference.changes for difference in differences] == [(change,) for change in expected]
    assert side.gone() == len(set(recorded) - set(here))
    assert side.gone() == len(set(recorded) - set(here)), "asked twice, counted once"


def test_each_side_answers_for_itself_and_in_its_order() -> None:
    full, empty = Side(store(), iter([record("a")]), STRICT), Side(store(), iter([]), STRICT)
    full.enter(LAYOUT, iter([copy("a")]))
    empty.enter(LAYOUT, iter([]))
    [difference] = compare([source("a")], [full, empty])
    assert difference.changes == (UNCHANGED, ADDED)


def test_records_go_on_from_part_to_part_and_each_part_has_its_own_copies() -> None:
    def found(part: str) -> Iterator[Entry]:
        yield Entry(f"{part}/x", 5, 1003)

    parts = ("one", "two")
    records = [record("x")._replace(path=f"{part}/x", key=f"{part}/x") for part in parts]
    side = Side(store(), iter(records), STRICT)
    for part in parts:
        side.enter(Layout(f"{part}/", len(f"{part}/")), found(part))
        assert side.change(source("x")._replace(path=f"{part}/x")) is UNCHANGED
    assert side.gone() == 0


KNOWN = record("a")
ALTERED: dict[str, tuple[Entry, Record, Entry | Oddity, type]] = {
    "as it was": (source("a"), KNOWN, copy("a"), type(UNCHANGED)),
    "a link stands there": (source("a"), KNOWN, Oddity("lab/a", "symlink", "a link"), Unproved),
    "a longer copy": (source("a"), KNOWN, copy("a")._replace(size_bytes=6), Unproved),
    "a later copy": (source("a"), KNOWN, copy("a")._replace(mtime_ns=1004), Unproved),
    "an earlier copy": (source("a"), KNOWN, copy("a")._replace(mtime_ns=1002), Unproved),
    "a longer source": (source("a")._replace(size_bytes=6), KNOWN, copy("a"), Changed),
    "a later source": (source("a")._replace(mtime_ns=1001), KNOWN, copy("a"), Changed),
    "an earlier source": (source("a")._replace(mtime_ns=999), KNOWN, copy("a"), Changed),
    "another ctime": (source("a")._replace(ctime_ns=2001), KNOWN, copy("a"), Touched),
    "another inode": (source("a")._replace(inode=8), KNOWN, copy("a"), Touched),
    "a check found it wrong": (source("a"), KNOWN._replace(proof_how=DISPROVED), copy("a"), Unproved),
    "a weaker proof": (source("a"), KNOWN._replace(proof_kind=ProofKind.CHECKSUM), copy("a"), Unproved),
}


@pytest.mark.parametrize(("entry", "known", "found", "kind"), ALTERED.values(), ids=ALTERED)
def test_the_least_difference_is_seen(entry: Entry, known: Record, found: Entry | Oddity, kind: type) -> None:
    assert type(one(entry, known, found)) is kind


def test_a_place_that_rounds_times_is_asked_no_more_than_it_keeps() -> None:
    for off_ns, kind in ((1999, type(UNCHANGED)), (2000, Unproved), (-1999, type(UNCHANGED)), (-2000, Unproved)):
        found = copy("a")._replace(mtime_ns=1003 + off_ns)
        assert type(one(source("a"), KNOWN, found, store(2000))) is kind


def test_where_inodes_mean_nothing_they_are_not_compared() -> None:
    side = Side(store(), iter([KNOWN]), Standard(ProofKind.READBACK, stable_inodes=False))
    side.enter(LAYOUT, iter([copy("a")]))
    assert side.change(source("a")._replace(inode=8, ctime_ns=9)) is UNCHANGED


def test_a_version_that_was_kept_beside_another_is_looked_for_under_its_own_name() -> None:
    beside = KNOWN._replace(key="lab/a~v2")
    place = store()
    assert one(source("a"), beside, copy("a"), place) == Missing(beside)
    place.put("lab/a~v2", b"12345", mtime_ns=1003)
    assert one(source("a"), beside, copy("a"), place) is UNCHANGED
    assert one(source("a"), beside, None, place) is UNCHANGED


def test_something_else_under_the_name_of_a_kept_version_is_no_proof() -> None:
    beside = KNOWN._replace(key="lab/a~v2")
    place = store()
    place.put_oddity(Oddity("lab/a~v2", "symlink", "a link"))
    change = one(source("a"), beside, copy("a"), place)
    assert isinstance(change, Unproved)
    assert isinstance(change.found, Oddity)


# --- what a killed run published and nobody recorded ---

PUBLISHED = record("a")._replace(size_bytes=8, source_mtime_ns=1500, source_ctime_ns=2500)
STANDS = Entry("lab/a", 8, 9999)
LATER = Entry("raw/a", 9, 1800, 2800, 7)


@pytest.mark.parametrize("known", [None, record("a")])
def test_an_older_version_of_a_killed_run_is_its_own_and_may_be_replaced(known: Record | None) -> None:
    assert isinstance(one(LATER, known, STANDS), Unproved), "without the note it could be anybody's"
    assert one(LATER, known, STANDS, begun=PUBLISHED) == Changed(PUBLISHED)


@pytest.mark.parametrize("known", [None, record("a")])
@pytest.mark.parametrize(
    "found",
    [Entry("lab/a", 7, 9999), Oddity("lab/a", "symlink", "a symbolic link")],
)
def test_a_note_says_nothing_of_what_cannot_be_that_version(known: Record | None, found: Entry | Oddity) -> None:
    assert isinstance(one(LATER, known, found, begun=PUBLISHED), Unproved)


@pytest.mark.parametrize("known", [None, record("a")])
def test_a_note_says_nothing_of_another_name(known: Record | None) -> None:
    assert isinstance(one(LATER, known, STANDS, begun=PUBLISHED._replace(key="lab/other")), Unproved)


@pytest.mark.parametrize("known", [None, record("a")])
def test_what_is_still_at_the_source_is_adopted_by_comparing_it(known: Record | None) -> None:
    assert isinstance(one(Entry("raw/a", 8, 1500, 2500, 7), known, STANDS, begun=PUBLISHED), Unproved)


@pytest.mark.parametrize("entry", [Entry("raw/a", 8, 1501, 2500, 7), Entry("raw/a", 8, 1500, 2501, 7)])
def test_a_source_that_was_touched_since_it_was_published_is_a_later_version(entry: Entry) -> None:
    assert one(entry, None, STANDS, begun=PUBLISHED) == Changed(PUBLISHED)


def test_where_inodes_mean_nothing_only_size_and_time_tell_versions_apart() -> None:
    side = Side(store(), iter([]), Standard(ProofKind.READBACK, stable_inodes=False), {"raw/a": PUBLISHED})
    side.enter(LAYOUT, iter([STANDS]))
    assert isinstance(side.change(Entry("raw/a", 8, 1500, 7, 8)), Unproved), "adoption compares the bytes"


def test_a_copy_that_the_ledger_knows_needs_no_note() -> None:
    stands = Entry("lab/a", 5, 1003)
    note = PUBLISHED._replace(size_bytes=5)
    assert one(source("a"), record("a"), stands, begun=note) == UNCHANGED
    assert one(LATER, record("a"), stands, begun=note) == Changed(record("a"))


def test_a_note_brings_nothing_back_that_is_not_there() -> None:
    assert one(LATER, record("a"), None, begun=PUBLISHED) == Missing(record("a"))
    assert one(LATER, None, None, begun=PUBLISHED) == ADDED
