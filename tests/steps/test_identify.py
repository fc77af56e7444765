"""P10: is a place that is absent, empty, another one or somebody else's always told from the right one?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from coldchain.config.values import Destination, Job
from coldchain.errors import DestinationAbsent, ManifestDamaged, SourceAbsent, Unreliable
from coldchain.model import Identity, Place, SourceSeen, Tally
from coldchain.steps.identify import (
    Consent,
    Writer,
    admit_destination,
    check_not_emptied,
    identify_destination,
    identify_source,
    is_admitted,
    read_writers,
)
from coldchain.steps.marker import MARKER
from coldchain.stores.names import NameRules
from coldchain.testing import FaultyStore, MemoryStore

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ME, OTHER = Writer("lab", "bench-1"), Writer("lab", "bench-2")
_numbers = count(1)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(f"memory://identify-{next(_numbers)}")


def destination(store: MemoryStore, *, marker: bool = True) -> Destination:
    return replace(Destination(Place("nas", store.url)), marker=marker)


def job(store: MemoryStore) -> Job:
    return Job("lab", Place("lab", store.url), (destination(store),))


def admit(store: MemoryStore, writer: Writer = ME, known: Identity | None = None) -> Identity:
    return admit_destination(writer, destination(store), store, known, NOW)


def identify(store: MemoryStore, known: Identity | None, writer: Writer = ME, *, marker: bool = True) -> Identity:
    return identify_destination(writer, destination(store, marker=marker), store, known)


# --- the source -------------------------------------------------------------------------------------------------------


def test_a_source_that_was_never_seen_or_is_the_same_is_taken(store: MemoryStore) -> None:
    volume = identify_source(job(store), store, None, Consent())
    assert volume == store.volume()
    assert identify_source(job(store), store, SourceSeen(volume, Tally(1, 1), NOW), Consent()) == volume


def test_another_volume_under_the_source_must_be_accepted(store: MemoryStore) -> None:
    seen = SourceSeen("another", Tally(1, 1), NOW)
    with pytest.raises(SourceAbsent, match="--accept-source"):
        identify_source(job(store), store, seen, Consent(init=True, accept_changes=True))
    assert identify_source(job(store), store, seen, Consent(accept_source=True)) == store.volume()


def test_a_source_that_is_not_there_is_no_empty_one(store: MemoryStore) -> None:
    store.unplug()
    with pytest.raises(SourceAbsent, match="cannot be opened"):
        identify_source(job(store), store, None, Consent(accept_source=True))


@pytest.mark.parametrize(
    ("before", "now", "accepted", "stops"),
    [(5, 0, False, True), (5, 0, True, False), (5, 1, False, False), (0, 0, False, False), (None, 0, False, False)],
)
def test_a_source_that_held_files_and_is_empty_stops_the_run(
    store: MemoryStore, before: int | None, now: int, accepted: bool, stops: bool
) -> None:
    seen = None if before is None else SourceSeen("v", Tally(before, before), NOW)
    try:
        check_not_emptied(job(store), Tally(now, now), seen, Consent(accept_source=accepted))
    except SourceAbsent:
        assert stops
    else:
        assert not stops


# --- a destination ----------------------------------------------------------------------------------------------------


def test_a_place_that_was_marked_is_known_again(store: MemoryStore) -> None:
    made = admit(store)
    assert made.writers == (("lab", "bench-1"),)
    assert made.created == NOW
    assert NameRules.from_json(made.names) == store.probe_names()
    assert identify(store, None) == made
    assert identify(store, made) == made
    assert read_writers(store) == made.writers


def test_a_place_without_a_mark_gets_nothing(store: MemoryStore) -> None:
    with pytest.raises(DestinationAbsent, match=r"never used.*coldchain init lab"):
        identify(store, None)
    assert read_writers(store) == ()
    made = admit(store)
    store.delete(MARKER)
    with pytest.raises(DestinationAbsent, match=r"lost its mark.*--accept-destination nas"):
        identify(store, made)


def test_another_mark_than_last_time_is_another_place(store: MemoryStore) -> None:
    made = admit(store)
    with pytest.raises(DestinationAbsent, match=r"another destination lies under.*--accept-destination nas"):
        identify(store, replace(made, id="another"))


def test_a_place_of_somebody_else_gets_nothing(store: MemoryStore) -> None:
    made = admit(store)
    for writer in (OTHER, Writer("another", "bench-1")):
        with pytest.raises(DestinationAbsent, match=r"belongs to job lab on bench-1.*coldchain init"):
            identify(store, None, writer)
        with pytest.raises(DestinationAbsent, match="--accept-destination"):
            identify(store, made, writer)


def test_a_place_that_is_not_there_or_in_trouble_is_not_taken_for_a_new_one(store: MemoryStore) -> None:
    made = admit(store)
    faulty = FaultyStore(store)
    faulty.fail("store.read", Unreliable, forever=True)
    with pytest.raises(DestinationAbsent, match="cannot be opened"):
        identify_destination(ME, destination(store), faulty, made)
    store.unplug()
    for known in (made, None):
        with pytest.raises(DestinationAbsent, match="cannot be opened"):
            identify(store, known)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values | {"format": "x"},
        lambda values: values | {"version": 2},
        lambda values: values | {"id": ""},
        lambda values: values | {"id": "a\nb"},
        lambda values: values | {"id": "a" * 1001},
        lambda values: values | {"id": 5},
        lambda values: values | {"names": []},
        lambda values: values | {"created": "2026-01-02T00:00:00"},
        lambda values: values | {"writers": [{"job": 5, "host": "x"}]},
        lambda values: [values],
    ],
)
def test_a_mark_that_is_wrong_anywhere_is_damage(store: MemoryStore, spoil: Callable[[object], object]) -> None:
    made = admit(store)
    store.put(MARKER, json.dumps(spoil(json.loads(store.get(MARKER)))).encode())
    for known in (made, None):
        with pytest.raises(ManifestDamaged):
            identify(store, known)


def test_the_longest_id_is_read_back(store: MemoryStore) -> None:
    admit(store)
    store.put(MARKER, json.dumps(json.loads(store.get(MARKER)) | {"id": "a" * 1000}).encode())
    assert identify(store, None).id == "a" * 1000


# --- marking ----------------------------------------------------------------------------------------------------------


def test_a_second_writer_joins_and_the_place_stays_what_it_is(store: MemoryStore) -> None:
    made = admit(store)
    joined = admit(store, OTHER)
    assert joined.id == made.id
    assert joined.writers == (("lab", "bench-1"), ("lab", "bench-2"))
    assert identify(store, made) == joined
    before = store.stat(MARKER)
    assert admit(store, ME) == joined
    assert store.stat(MARKER) == before, "who is in already writes nothing"


def test_a_lost_mark_is_written_anew_under_the_identity_that_is_known(store: MemoryStore) -> None:
    made = admit(store)
    store.delete(MARKER)
    again = admit_destination(ME, destination(store), store, made, NOW + timedelta(days=1))
    assert (again.id, again.created, again.writers) == (made.id, NOW, made.writers)


def test_two_new_places_are_two(store: MemoryStore) -> None:
    assert admit(store).id != admit(MemoryStore(f"memory://identify-{next(_numbers)}")).id


def test_init_has_something_to_do_only_where_nobody_was_or_a_writer_is_missing(store: MemoryStore) -> None:
    made = admit(store)
    place = destination(store)
    assert not is_admitted(ME, place, store, None)
    assert is_admitted(ME, place, store, made)
    assert not is_admitted(OTHER, place, store, made)
    assert is_admitted(OTHER, place, store, replace(made, id="another")), "another place is not for init to accept"
    store.delete(MARKER)
    assert is_admitted(ME, place, store, made), "nor is one that lost its mark"


def test_a_place_that_cannot_be_marked_says_so(store: MemoryStore) -> None:
    faulty = FaultyStore(store)
    faulty.fail("store.stage", Unreliable, forever=True)
    with pytest.raises(DestinationAbsent, match="cannot be marked"):
        admit_destination(ME, destination(store), faulty, None, NOW)


def test_a_place_that_bears_no_file_of_ours_is_known_by_its_volume(store: MemoryStore) -> None:
    bare = destination(store, marker=False)
    with pytest.raises(DestinationAbsent, match="never used"):
        identify(store, None, marker=False)
    made = admit_destination(ME, bare, store, None, NOW)
    assert made.id == f"volume:{store.volume()}"
    assert list(store.list()) == []
    assert identify(store, made, OTHER, marker=False).id == made.id
    assert is_admitted(ME, bare, store, made)
    with pytest.raises(DestinationAbsent, match="another destination"):
        identify(store, replace(made, id="volume:another"), marker=False)


def test_temporary_names_tell_jobs_and_hosts_apart() -> None:
    owners = {writer.owner for writer in (ME, OTHER, Writer("lab2", "bench-1"), Writer("lab\nbench", "1"))}
    assert len(owners) == 4
    assert all(len(owner) == 8 for owner in owners)
