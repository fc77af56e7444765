"""What does a check say of copies, when one of them or the place itself is in trouble?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from coldchain.errors import Denied, NotFound, StoreGone, Unreliable
from coldchain.model import Digest, Place, ProofKind, Record
from coldchain.steps.check import CheckBatch, check_copies
from coldchain.testing import FaultyStore, MemoryStore
from coldchain.testing.contract.acts import carry
from coldchain.testing.wrapping import Verb

Harm = Callable[[FaultyStore, str], None]
CONTENTS = {"run/a": b"a" * 10, "run/b": b"b" * 20, "run/c": b"c" * 30}


@pytest.fixture
def place(request: pytest.FixtureRequest) -> FaultyStore:
    store = MemoryStore(f"memory://check-{request.node.name}")
    carry(store, CONTENTS)
    return FaultyStore(store)


def record(path: str) -> Record:
    return Record(
        path,
        path,
        size_bytes=len(CONTENTS[path]),
        source_mtime_ns=1,
        source_ctime_ns=1,
        source_inode=1,
        mode=0,
        stored_mtime_ns=1,
        digest=Digest("sha256", hashlib.sha256(CONTENTS[path]).hexdigest()),
        proof_kind=ProofKind.READBACK,
        proof_how="direct",
        proved_at_us=1,
        stored_at_us=1,
    )


def states(store: FaultyStore, volume: str = "") -> list[str]:
    copies = tuple(("run", record(path)) for path in CONTENTS)
    return [one.state for one in check_copies(store, CheckBatch(Place("nas", store.url), copies, volume))]


def lose(store: FaultyStore, path: str) -> None:
    store.delete(path)


def corrupt(store: FaultyStore, path: str) -> None:
    store.delete(path)
    carry(store, {path: b"x" * len(CONTENTS[path])})


def test_each_copy_is_judged_by_itself(place: FaultyStore) -> None:
    lose(place, "run/a")
    corrupt(place, "run/b")
    assert states(place, place.volume()) == ["lost", "corrupt", "good"]


@pytest.mark.parametrize("error", [Unreliable, Denied, StoreGone])
def test_what_cannot_be_read_is_neither_good_nor_wrong(place: FaultyStore, error: type[Unreliable]) -> None:
    place.fail("store.read", error, keys=["run/b"], forever=True)
    assert states(place, place.volume()) == ["good", "unreadable", "good"]


@pytest.mark.parametrize("verb", ["store.read", "reader.chunk"])
def test_a_copy_is_read_once_more_where_trouble_may_pass(place: FaultyStore, verb: Verb) -> None:
    place.fail(verb, Unreliable, keys=["run/b"])
    assert states(place, place.volume()) == ["good", "good", "good"]
    assert [call.key for call in place.calls if call.verb == "store.read"] == ["run/a", "run/b", "run/b", "run/c"]
    place.fail("store.read", Denied, keys=["run/b"])
    assert states(place, place.volume()) == ["good", "unreadable", "good"], "that does not pass"


@pytest.mark.parametrize("harm", [lose, corrupt])
def test_p10_nothing_is_lost_or_wrong_while_the_place_does_not_answer(place: FaultyStore, harm: Harm) -> None:
    volume = place.volume()
    harm(place, "run/b")
    place.fail("store.volume", Unreliable)
    assert states(place, volume) == ["good", "unreadable", "good"]


def test_p10_what_was_read_and_found_good_stays_good_when_the_place_falls_silent(place: FaultyStore) -> None:
    volume = place.volume()
    place.fail("store.volume", StoreGone, forever=True)
    assert states(place, volume) == ["good", "good", "good"]


def test_a_place_is_asked_once_more_only_for_what_seems_wrong(place: FaultyStore) -> None:
    volume = place.volume()
    lose(place, "run/b")
    place.calls.clear()
    states(place, volume)
    assert [call.verb for call in place.calls].count("store.volume") == 2, "for the lost one, and at the end"


@pytest.mark.parametrize("at_the_end", [True, False])
def test_p10_of_a_place_that_is_gone_or_another_one_nothing_is_known(place: FaultyStore, at_the_end: bool) -> None:
    assert states(place, "the volume that it was") == ["unreadable"] * 3
    place.fail("store.volume", NotFound, forever=True)
    if not at_the_end:
        lose(place, "run/a")
    assert states(place, "the volume that it was") == ["unreadable"] * 3
