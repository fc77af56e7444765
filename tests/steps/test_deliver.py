"""Do coldchain's own small files arrive whole, durably, or with an error that is told?"""

from __future__ import annotations

import gc
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from coldchain.content.patience import Patience
from coldchain.errors import Denied, FlushFailed, NotFound, Occupied, StoreError, StoreGone, Unreliable
from coldchain.model import Entry, ProofKind
from coldchain.steps.deliver import copied, deliver, deliver_all, fetch
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.local.store import LocalStore
from coldchain.testing.faulty import FaultyStore
from coldchain.testing.lying import Lie, LyingStore
from coldchain.testing.memory import MemoryStore
from coldchain.testing.wrapping import Verb

TRIES = 3


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, instead of waiting."""
    waited: list[float] = []
    patience = Patience(TRIES - 1, sleep=waited.append, share=lambda: 1.0)
    monkeypatch.setattr("coldchain.steps.deliver._PATIENCE", patience)
    return waited


@pytest.fixture
def memory() -> Iterator[MemoryStore]:
    store = MemoryStore(f"memory://{uuid.uuid4()}")
    yield store
    store.forget()


def test_a_file_is_delivered_over_the_one_that_stands_there(memory: MemoryStore) -> None:
    assert fetch(memory, "a") is None
    for lines in ([b"first\n"], [b"x" * 1000 + b"\n"] * (CHUNK_BYTES // 500), []):
        deliver(memory, "a", partial(list, lines), "me")
        assert fetch(memory, "a") == memory.get("a") == b"".join(lines)
    assert [entry.path for entry in memory.list()] == ["a"]


def test_p04_what_is_delivered_is_flushed_before_it_gets_its_name(memory: MemoryStore) -> None:
    store = FaultyStore(memory)
    deliver(store, "a", lambda: [b"text"], "me")
    verbs = [call.verb for call in store.calls]
    assert verbs.index("sink.close") < verbs.index("staging.flush") < verbs.index("staging.publish")
    assert verbs.count("store.stage") == 1


@pytest.mark.parametrize(
    "verb", ["store.stage", "staging.flush", "staging.read_back", "staging.publish", "sink.write", "publish.key"]
)
@pytest.mark.parametrize("error", [StoreGone, FlushFailed, Denied])
def test_what_could_not_be_delivered_is_told_and_the_old_one_stays(
    memory: MemoryStore, verb: Verb, error: type[StoreError]
) -> None:
    memory.put("a", b"old")
    store = FaultyStore(memory)
    store.fail(verb, error, forever=True)
    with pytest.raises(error):
        deliver(store, "a", lambda: [b"new"], "me")
    assert memory.get("a") == b"old"
    assert [entry.path for entry in memory.list()] == ["a"], "nothing is left behind"


def test_one_file_that_fails_keeps_no_other_from_arriving(memory: MemoryStore) -> None:
    store = FaultyStore(memory)
    store.fail("sink.write", FlushFailed, keys=["b"], forever=True)
    store.fail("publish.key", Denied, keys=["c"])
    failed = deliver_all(store, {key: partial(list, [key.encode()]) for key in "abcd"}, "me")
    assert {key: type(error) for key, error in failed.items()} == {"b": FlushFailed, "c": Denied}
    assert [entry.path for entry in memory.list()] == ["a", "d"]


@pytest.mark.parametrize("verb", ["store.stage", "sink.write", "staging.flush", "store.stat", "publish.key"])
@pytest.mark.parametrize("times", range(1, TRIES + 1))
def test_trouble_that_passes_is_outlasted(memory: MemoryStore, waits: list[float], verb: Verb, times: int) -> None:
    memory.put("b", b"old")
    store = FaultyStore(memory)
    for nth in range(1, times + 1):
        store.fail(verb, Unreliable, nth=nth, keys=None if verb in {"store.stage", "staging.flush"} else ["b"])
    failed = deliver_all(store, {key: partial(list, [key.encode()]) for key in "abc"}, "me")
    contents = {entry.path: memory.get(entry.path) for entry in memory.list()}
    assert waits == [0.25, 0.5][:times]
    if times < TRIES:
        assert (failed, contents) == ({}, {"a": b"a", "b": b"b", "c": b"c"})
    else:
        assert {type(error) for error in failed.values()} == {Unreliable}
        assert contents.keys() | failed.keys() == set("abc")
        assert contents["b"] == (b"old" if "b" in failed else b"b"), "nothing is half written"


@pytest.mark.parametrize("lie", [Lie.FLIP, Lie.CUT, Lie.DROP])
@pytest.mark.parametrize("proof", [ProofKind.READBACK, ProofKind.CHECKSUM])
def test_p08_what_the_place_did_not_keep_never_gets_the_name(memory: MemoryStore, lie: Lie, proof: ProofKind) -> None:
    memory.put("b", b"old")
    store = LyingStore(memory)
    store.lie(lie, keys=["b"], times=1 if lie is Lie.DROP else TRIES)
    failed = deliver_all(store, {key: partial(list, [key.encode()]) for key in "abc"}, "me", proof)
    assert [(key, type(error)) for key, error in failed.items()] == [
        ("b", NotFound if lie is Lie.DROP else FlushFailed)
    ]
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (b"a", b"old", b"c")
    assert [entry.path for entry in memory.list()] == ["a", "b", "c"], "nothing is left behind"
    assert deliver_all(store, {"b": lambda: [b"new"]}, "me", proof) == {}
    assert memory.get("b") == b"new"


def test_what_stands_there_with_another_size_is_not_what_was_written(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = memory.stage("me")
    kind, honest = type(staging), type(staging).publish
    staging.close()

    def longer(self: object, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        found = honest(self, keys)  # type: ignore[arg-type]
        return {k: one._replace(size_bytes=one.size_bytes + 1) for k, one in found.items() if isinstance(one, Entry)}

    monkeypatch.setattr(kind, "publish", longer)
    failed = deliver_all(memory, {"a": lambda: [b"a"]}, "me")
    assert [(key, type(error)) for key, error in failed.items()] == [("a", FlushFailed)]


def test_who_wants_sizes_only_has_nothing_read_back(memory: MemoryStore) -> None:
    store = FaultyStore(memory)
    assert deliver_all(store, {"a": lambda: [b"a"]}, "me", ProofKind.SIZE) == {}
    assert "staging.read_back" not in [call.verb for call in store.calls]
    deliver(store, "a", lambda: [b"a"], "me")
    assert [call.verb for call in store.calls].count("staging.read_back") == 1


def test_a_name_that_another_writer_takes_is_tried_again_and_given_up_with_an_error(memory: MemoryStore) -> None:
    store = FaultyStore(memory)
    store.fail("publish.key", Occupied)
    deliver(store, "a", lambda: [b"text"], "me")
    assert memory.get("a") == b"text"
    store.fail("publish.key", Occupied, forever=True)
    with pytest.raises(Occupied):
        deliver(store, "a", lambda: [b"later"], "me")
    assert memory.get("a") == b"text"


def test_what_is_too_large_to_be_one_of_ours_is_not_read(memory: MemoryStore) -> None:
    memory.put("a", b"x" * (16 << 20))
    assert len(fetch(memory, "a") or b"") == 16 << 20
    memory.put("a", b"x" * ((16 << 20) + 1))
    with pytest.raises(StoreError, match="too many"):
        fetch(memory, "a")


def test_one_name_that_a_folder_has_costs_only_itself(memory: MemoryStore) -> None:
    memory.put("m/two.json/in the way", b"")
    failed = deliver_all(memory, {"m/one.json": lambda: [b"1"], "m/two.json": lambda: [b"2"]}, "me")
    assert set(failed) == {"m/two.json"}
    assert memory.get("m/one.json") == b"1"


@pytest.mark.parametrize("error", [Unreliable, StoreGone])
def test_a_place_that_does_not_answer_is_not_asked_for_every_name(memory: MemoryStore, error: type[StoreError]) -> None:
    """Each of a hundred manifests would wait as long as the first."""
    store = FaultyStore(memory)
    store.fail("store.stat", error, forever=True)
    failed = deliver_all(store, {f"m/{number}.json": lambda: [b"1"] for number in range(100)}, "me")
    assert len(failed) == 100
    assert {type(one) for one in failed.values()} == {error}
    assert sum(call.verb == "store.stat" for call in store.calls) == (1 if error is StoreGone else TRIES)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc shows what is open")
def test_errors_that_are_kept_hold_no_folder_of_a_disk_open(tmp_path: Path) -> None:
    """Else nobody can take the disk away before Python happens to look for cycles."""
    place = tmp_path / "disk"
    place.mkdir()
    store = LocalStore(str(place))
    assert list(store.list()) == []
    place.rmdir()
    gc.disable()
    try:
        failed = deliver_all(store, {"a/b": lambda: [b"text"]}, "me")
        store.close()
        opened = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_there(fd)]
    finally:
        gc.enable()
    assert set(failed) == {"a/b"}
    assert not [name for name in opened if name.startswith(str(place))]


def _is_there(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


def test_p08_a_copy_that_is_written_again_is_read_from_its_start(memory: MemoryStore) -> None:
    """Of a file that is set aside nothing may be missing: it is taken away then."""
    memory.put("old", b"whole" * CHUNK_BYTES)
    store = FaultyStore(memory)
    store.fail("reader.chunk", Unreliable, nth=2, keys=["old"])
    store.fail("sink.write", Unreliable, nth=3, keys=["aside"])
    deliver(store, "aside", copied(store, "old"), "me")
    assert memory.get("aside") == b"whole" * CHUNK_BYTES
    assert [call.verb for call in store.calls if call.key == "old"].count("store.read") == TRIES
