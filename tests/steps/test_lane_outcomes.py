"""Does a file that one destination has trouble with always end in one outcome, and harm no other?"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator

import pytest

from coldchain.errors import FlushFailed, NameRefused, NotFound, Occupied, StoreError, StoreFull, StoreGone, Unreliable
from coldchain.model import Digest, Entry, Manner, Outcome, ProofKind, State, Target, Trouble, Verified
from coldchain.steps.lane import Lane
from coldchain.stores.base import Store, Traits
from coldchain.testing.faulty import FaultyStore
from coldchain.testing.lying import Lie, LyingStore
from coldchain.testing.memory import MemoryStore
from coldchain.testing.memory_staging import MemoryReader, MemoryStaging
from coldchain.testing.wrapping import Verb

CONTENT = b"what the instrument measured"


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    store = MemoryStore(f"memory://{uuid.uuid4()}")
    yield store
    store.forget()


def lane_to(store: Store, proof: ProofKind = ProofKind.READBACK) -> Lane:
    return Lane("nas", store, "owner", proof, store.volume())


def digest_of(content: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(content).hexdigest())


def carry(lane: Lane, *keys: str, content: bytes = CONTENT, manner: Manner = Manner.NEW, **of_target: object) -> None:
    """Send one file after the other, without settling."""
    for key in keys:
        target = Target("nas", key, manner, "")._replace(**of_target)  # type: ignore[arg-type]
        lane.begin(Entry(key, len(content), 10**18, mode=0o644), target)
        lane.take(content)
        lane.finish(digest_of(content))


def told(outcomes: list[Outcome]) -> dict[str, str]:
    """By path: "verified", or the state of the trouble; each path has one outcome."""
    paths = [one.entry.path if isinstance(one, Verified) else one.path for one in outcomes]
    assert len(set(paths)) == len(paths), "a file with two outcomes"
    states = ["verified" if isinstance(one, Verified) else one.state.value for one in outcomes]
    return dict(zip(paths, states, strict=True))


def troubles(outcomes: list[Outcome]) -> list[Trouble]:
    return [one for one in outcomes if isinstance(one, Trouble)]


@pytest.mark.parametrize("verb", ["staging.open", "sink.write", "sink.close", "staging.read_back", "publish.key"])
def test_p01_a_file_that_one_call_fails_for_is_told_of_and_the_others_arrive(memory: MemoryStore, verb: Verb) -> None:
    store = FaultyStore(memory)
    store.fail(verb, Unreliable, keys=["b"])
    lane = lane_to(store)
    carry(lane, "a", "b", "c")
    outcomes = lane.settle()
    assert told(outcomes) == {"a": "verified", "b": "failed", "c": "verified"}
    assert [trouble.again for trouble in troubles(outcomes)] == [True]
    assert lane.broken is None
    assert [entry.path for entry in memory.list()] == ["a", "c"]


def test_p01_an_error_that_is_not_worth_another_try_is_told_as_such(memory: MemoryStore) -> None:
    store = FaultyStore(memory)
    store.fail("staging.open", NameRefused, keys=["b"])
    lane = lane_to(store)
    carry(lane, "a", "b")
    assert [(trouble.path, trouble.again) for trouble in troubles(lane.settle())] == [("b", False)]


@pytest.mark.parametrize("error", [StoreFull, StoreGone])
def test_p01_what_comes_after_the_store_ended_is_told_of_with_the_first_reason(
    memory: MemoryStore, error: type[StoreError]
) -> None:
    store = FaultyStore(memory)
    store.fail("sink.write", error, keys=["b"])
    lane = lane_to(store)
    carry(lane, "a", "b", "c", "d")
    assert isinstance(lane.broken, error)
    first = lane.broken
    outcomes = lane.settle()
    assert told(outcomes)["b"] == told(outcomes)["c"] == told(outcomes)["d"] == "failed"
    assert {trouble.reason for trouble in troubles(outcomes) if trouble.path != "a"} == {first.reason}
    assert lane.broken is first
    opened = [call.key for call in store.calls if call.verb == "staging.open"]
    assert opened == ["a", "b"], "a store that ended is asked no more"


def test_the_first_reason_for_which_a_store_ended_is_kept(memory: MemoryStore) -> None:
    store = FaultyStore(memory)
    store.fail("publish.key", StoreFull, keys=["a"])
    store.fail("publish.key", StoreGone, keys=["b"])
    lane = lane_to(store)
    carry(lane, "a", "b")
    assert told(lane.settle()) == {"a": "failed", "b": "failed"}
    assert isinstance(lane.broken, StoreFull)


@pytest.mark.parametrize("verb", ["staging.flush", "staging.publish"])
def test_p04_when_the_flush_fails_no_file_of_the_batch_is_verified(memory: MemoryStore, verb: Verb) -> None:
    store = FaultyStore(memory)
    store.fail(verb, FlushFailed)
    lane = lane_to(store)
    carry(lane, "a", "b")
    outcomes = lane.settle()
    assert told(outcomes) == {"a": "failed", "b": "failed"}
    assert all(trouble.again for trouble in troubles(outcomes))


def test_p01_a_reader_that_fails_leaves_no_trace_of_the_file(memory: MemoryStore) -> None:
    store = FaultyStore(memory)
    lane = lane_to(store)
    carry(lane, "a")
    lane.begin(Entry("b", len(CONTENT), 10**18), Target("nas", "b", Manner.NEW, ""))
    lane.take(CONTENT[:5])
    lane.cancel()
    lane.take(CONTENT[5:])
    lane.finish(digest_of(CONTENT))
    carry(lane, "c")
    assert told(lane.settle()) == {"a": "verified", "c": "verified"}
    assert [entry.path for entry in memory.list()] == ["a", "c"]
    assert "sink.abort" in [call.verb for call in store.calls]


def test_two_files_of_a_batch_never_share_a_name(memory: MemoryStore) -> None:
    lane = lane_to(memory)
    carry(lane, "plate~v2.tif")
    target = Target("nas", "plate~v2.tif", Manner.NEW, "kept beside the version before")
    lane.begin(Entry("plate.tif", 5, 10**18), target)
    lane.take(b"other")
    lane.finish(digest_of(b"other"))
    outcomes = lane.settle()
    assert told(outcomes) == {"plate~v2.tif": "verified", "plate.tif": "refused"}
    assert "plate~v2.tif" in troubles(outcomes)[0].reason
    assert memory.get("plate~v2.tif") == CONTENT


def test_p10_a_destination_that_went_or_became_another_is_not_written(memory: MemoryStore) -> None:
    other = Lane("nas", memory, "owner", ProofKind.READBACK, "the volume that lay there when the run began")
    carry(other, "a", "b")
    assert told(other.settle()) == {"a": "failed", "b": "failed"}
    assert isinstance(other.broken, StoreGone)
    gone = lane_to(memory)
    memory.unplug()
    carry(gone, "a")
    assert told(gone.settle()) == {"a": "failed"}
    assert isinstance(gone.broken, StoreGone)
    memory.plug_in()
    assert list(memory.list()) == []


@pytest.mark.parametrize("lie", [Lie.FLIP, Lie.CUT])
def test_p02_what_reads_back_wrong_gets_no_name_and_is_an_integrity_trouble(memory: MemoryStore, lie: Lie) -> None:
    store = LyingStore(memory)
    store.lie(lie, keys=["b"])
    lane = lane_to(store)
    carry(lane, "a", "b")
    outcomes = lane.settle()
    assert told(outcomes) == {"a": "verified", "b": "failed"}
    assert [(trouble.again, trouble.integrity) for trouble in troubles(outcomes)] == [(True, True)]
    assert [entry.path for entry in memory.list()] == ["a"]


def test_p02_without_reading_back_a_copy_of_another_size_is_not_verified(memory: MemoryStore) -> None:
    lane = lane_to(memory, ProofKind.SIZE)
    carry(lane, "a")
    lane.begin(Entry("b", len(CONTENT) + 1, 10**18), Target("nas", "b", Manner.NEW, ""))
    lane.take(CONTENT)
    lane.finish(digest_of(CONTENT))
    outcomes = lane.settle()
    assert told(outcomes) == {"a": "verified", "b": "failed"}
    verified = next(one for one in outcomes if isinstance(one, Verified))
    assert (verified.proof_kind, verified.proof_how) == (ProofKind.SIZE, "stat")


def test_p05_equal_bytes_that_appeared_meanwhile_are_adopted_and_others_are_left_alone(memory: MemoryStore) -> None:
    lane = lane_to(memory)
    carry(lane, "same", "other", "new")
    memory.put("same", CONTENT)
    memory.put("other", b"of somebody else")
    outcomes = lane.settle()
    assert told(outcomes) == {"same": "verified", "other": "refused", "new": "verified"}
    manners = {one.key: one.manner for one in outcomes if isinstance(one, Verified)}
    assert manners == {"same": Manner.ADOPT, "new": Manner.NEW}
    assert memory.get("other") == b"of somebody else"


def test_p04_what_is_adopted_late_is_flushed_first(memory: MemoryStore) -> None:
    store = FaultyStore(memory)
    lane = lane_to(store)
    carry(lane, "same", "too")
    memory.put("same", CONTENT)
    memory.put("too", CONTENT)
    store.fail("staging.flush", FlushFailed, nth=2)
    assert told(lane.settle()) == {"same": "failed", "too": "failed"}


def test_p04_what_cannot_be_settled_is_not_adopted(memory: MemoryStore) -> None:
    for key in ("a", "b"):
        memory.put(key, CONTENT)
    store = FaultyStore(memory)
    store.fail("staging.settle", Unreliable, keys=["a"])
    lane = lane_to(store)
    carry(lane, "a", "b", manner=Manner.ADOPT)
    assert told(lane.settle()) == {"a": "failed", "b": "verified"}


def test_p05_what_coldchain_did_not_store_is_never_replaced(memory: MemoryStore) -> None:
    for key in ("mine", "theirs", "done"):
        memory.put(key, b"first")
    memory.put("theirs", b"other")
    memory.put("done", CONTENT)
    lane = lane_to(memory)
    carry(lane, "mine", "theirs", "done", "gone", manner=Manner.REPLACE, old_digest=digest_of(b"first"))
    outcomes = lane.settle()
    assert told(outcomes) == {"mine": "verified", "theirs": "refused", "done": "verified", "gone": "failed"}
    assert (memory.get("mine"), memory.get("theirs"), memory.get("done")) == (CONTENT, b"other", CONTENT)


def test_p05_an_old_copy_recorded_with_another_digest_is_recognised_by_that_one(memory: MemoryStore) -> None:
    memory.put("mine", b"first")
    memory.put("theirs", b"other")
    lane = lane_to(memory)
    old = Digest("md5", hashlib.md5(b"first", usedforsecurity=False).hexdigest())
    carry(lane, "mine", "theirs", manner=Manner.REPLACE, old_digest=old)
    assert told(lane.settle()) == {"mine": "verified", "theirs": "refused"}
    assert (memory.get("mine"), memory.get("theirs")) == (CONTENT, b"other")


@pytest.mark.parametrize(
    ("stored", "old", "state", "integrity"),
    [
        (b"other", None, State.REFUSED, False),
        (b"first", b"first", State.REFUSED, False),
        (b"rot", b"first", State.FAILED, True),
    ],
)
def test_p05_what_is_not_adopted_says_whose_bytes_stand_there(
    memory: MemoryStore, stored: bytes, old: bytes | None, state: State, integrity: bool
) -> None:
    memory.put("a", stored)
    lane = lane_to(memory)
    carry(lane, "a", manner=Manner.ADOPT, old_digest=old and digest_of(old))
    found = troubles(lane.settle())
    assert [(trouble.state, trouble.integrity, trouble.again) for trouble in found] == [(state, integrity, False)]
    assert ("did not store" in found[0].reason) == (old is None)
    assert memory.get("a") == stored


def test_an_occupied_name_is_refused_and_names_it(memory: MemoryStore) -> None:
    store = FaultyStore(memory)
    store.fail("staging.open", Occupied, keys=["a"])
    lane = lane_to(store)
    carry(lane, "a")
    found = troubles(lane.settle())
    assert [(trouble.state, trouble.reason.startswith("a: ")) for trouble in found] == [(State.REFUSED, True)]


def test_p11_a_lane_that_is_closed_unsettled_leaves_nothing(memory: MemoryStore) -> None:
    lane = lane_to(memory)
    carry(lane, "a")
    lane.close()
    lane.close()
    assert list(memory.list()) == []


@pytest.mark.parametrize(("error", "again"), [(NotFound, False), (Unreliable, True)])
def test_p01_what_cannot_be_read_for_adoption_is_told_of(
    memory: MemoryStore, error: type[StoreError], again: bool
) -> None:
    for key in ("a", "b"):
        memory.put(key, CONTENT)
    store = FaultyStore(memory)
    store.fail("store.read", error, keys=["a"])
    lane = lane_to(store)
    carry(lane, "a", "b", manner=Manner.ADOPT)
    outcomes = lane.settle()
    assert told(outcomes) == {"a": "failed", "b": "verified"}
    assert [trouble.again for trouble in troubles(outcomes)] == [again]


@pytest.mark.parametrize("manner", [Manner.ADOPT, Manner.REPLACE])
def test_p02_what_stands_there_is_judged_past_the_cache(memory: MemoryStore, manner: Manner) -> None:
    memory.put("a", CONTENT)
    store = LyingStore(memory)
    store.rot("a", only_past_cache=True)
    lane = lane_to(store)
    carry(lane, "a", manner=manner, old_digest=digest_of(CONTENT))
    assert told(lane.settle())["a"] != "verified"


class VouchingStaging(MemoryStaging):
    def vouched(self, key: str) -> str:
        return "md5"


class VouchingStore(MemoryStore):
    """Says of each file that it compared its MD5."""

    def stage(self, owner: str = "") -> MemoryStaging:
        return VouchingStaging(self._volume, owner)


@pytest.mark.parametrize(
    ("proof", "how"), [(ProofKind.SIZE, "stat"), (ProofKind.CHECKSUM, "md5"), (ProofKind.READBACK, "memory")]
)
def test_p02_the_proof_that_is_told_is_the_one_that_was_asked_for_and_made(proof: ProofKind, how: str) -> None:
    store = VouchingStore(f"memory://{uuid.uuid4()}", traits=Traits(vouches=("md5",)))
    lane = lane_to(store, proof)
    carry(lane, "a")
    (outcome,) = lane.settle()
    assert isinstance(outcome, Verified)
    assert (outcome.proof_kind, outcome.proof_how) == (proof, how)
    store.forget()


class PublishingStaging(MemoryStaging):
    """Shows what it keeps only under its name, and lets go of that name again."""

    def read_back(self, key: str) -> MemoryReader:
        return MemoryReader(self.volume, key, self.volume.find(key))

    def discard(self, key: str) -> None:
        self.volume.remove(key)


class PublishingStore(MemoryStore):
    def stage(self, owner: str = "") -> MemoryStaging:
        return PublishingStaging(self._volume, owner)


@pytest.mark.parametrize("lie", [None, Lie.FLIP])
def test_p02_where_names_come_first_a_copy_is_proved_under_its_name_and_taken_back_if_it_is_wrong(
    lie: Lie | None,
) -> None:
    memory = PublishingStore(f"memory://{uuid.uuid4()}", traits=Traits(proves_published=True))
    store = LyingStore(memory)
    if lie:
        store.lie(lie, keys=["b"])
    lane = lane_to(store)
    carry(lane, "a", "b")
    outcomes = lane.settle()
    assert told(outcomes) == {"a": "verified", "b": "failed" if lie else "verified"}
    assert [entry.path for entry in memory.list()] == (["a"] if lie else ["a", "b"])
    memory.forget()
