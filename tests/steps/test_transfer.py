"""Is nothing carried that changed, is still written, or is not what was expected; and is each file told of once?"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coldchain.model import Digest, Entry, Manner, Place, ProofKind, Send, State, Target, Trouble, Verified
from coldchain.monitor import SILENT, Monitor, SilentMonitor
from coldchain.steps.begun import notes_in, recall
from coldchain.steps.transfer import Batch, BatchResult, Expected, process_batch
from coldchain.stores.base import CHUNK_BYTES, Traits
from coldchain.testing.memory import MemoryStore

CONTENT = b"what the instrument measured"


class Lab:
    """A source and two destinations in memory."""

    def __init__(self) -> None:
        name = uuid.uuid4()
        self.source = MemoryStore(f"memory://{name}-source", traits=Traits(stable_inodes=True))
        self.there = {there: MemoryStore(f"memory://{name}-{there}") for there in ("nas", "usb")}

    def send(self, path: str, *, manner: Manner = Manner.NEW, growing: bool = False, **target: Any) -> Send:
        targets = tuple(Target(name, path, manner, "")._replace(**target) for name in self.there)
        return Send(self.source.stat(path), targets, (), growing)

    def carry(self, *sends: Send, monitor: Monitor = SILENT, **more: Any) -> BatchResult:
        places = tuple(Place(name, store.url) for name, store in self.there.items())
        volumes = more.pop("volumes", tuple(store.volume() for store in self.there.values()))
        source = Place("source", self.source.url)
        return process_batch(Batch(source, places, volumes, sends, "sha256", ProofKind.READBACK, "me", **more), monitor)

    def held(self) -> dict[str, list[str]]:
        return {name: [entry.path for entry in store.list()] for name, store in self.there.items()}


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    for store in (lab.source, *lab.there.values()):
        store.forget()


class Meddler(SilentMonitor):
    """Does something when the first bytes were read."""

    def __init__(self, deed: Callable[[], object]) -> None:
        self._deeds = [deed]

    def moved(self, size_bytes: int) -> None:
        while self._deeds:
            self._deeds.pop()()


def digest_of(content: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(content).hexdigest())


def told(result: BatchResult) -> dict[tuple[str, str], str]:
    """By destination and path: "verified", or the state of the trouble; each pair has one outcome."""
    found = {}
    for one in result.outcomes:
        path = one.entry.path if isinstance(one, Verified) else one.path
        assert (one.destination, path) not in found, "two outcomes"
        found[one.destination, path] = "verified" if isinstance(one, Verified) else one.state.value
    return found


def everywhere(path: str, state: str) -> dict[tuple[str, str], str]:
    return {("nas", path): state, ("usb", path): state}


def test_p11_each_destination_notes_what_it_is_about_to_show(lab: Lab, tmp_path: Path) -> None:
    lab.source.put("a", CONTENT)
    lab.carry(lab.send("a"), begun=str(tmp_path / "begun" / "x"))
    notes = notes_in(tmp_path / "begun")
    assert sorted(file.name for file in notes) == ["x.0", "x.1"]
    assert {name: list(files) for name, files in recall(notes).items()} == {"nas": ["a"], "usb": ["a"]}


def test_a_file_left_alone_arrives_everywhere(lab: Lab) -> None:
    for path, content in {"a": CONTENT, "empty": b"", "large": b"x" * (2 * CHUNK_BYTES + 1)}.items():
        lab.source.put(path, content)
    result = lab.carry(*map(lab.send, ("a", "empty", "large")))
    assert set(told(result).values()) == {"verified"}
    assert len(told(result)) == 6
    digests = {one.entry.path: one.digest for one in result.outcomes if isinstance(one, Verified)}
    assert digests == {path: digest_of(lab.source.get(path)) for path in ("a", "empty", "large")}
    assert all(store.get(path) == lab.source.get(path) for store in lab.there.values() for path in digests)


@pytest.mark.parametrize("name", ["size_bytes", "mtime_ns", "ctime_ns", "inode"])
@pytest.mark.parametrize("more", [-1, 1])
def test_p02_a_file_that_is_not_the_one_that_was_seen_is_held_and_read_by_nobody(
    lab: Lab, name: str, more: int
) -> None:
    lab.source.put("a", CONTENT)
    lab.source.put("b", CONTENT)
    send = lab.send("a")
    seen = send.entry._replace(**{name: getattr(send.entry, name) + more})
    result = lab.carry(send._replace(entry=seen), lab.send("b"))
    assert told(result) == everywhere("a", "held") | everywhere("b", "verified")
    assert all(one.again for one in result.outcomes if isinstance(one, Trouble))
    assert lab.held() == {"nas": ["b"], "usb": ["b"]}


@pytest.mark.parametrize(
    "content", [CONTENT, CONTENT[::-1], CONTENT[1:], CONTENT + b"+", b""], ids=["same", "other", "less", "more", "none"]
)
@pytest.mark.parametrize("size_bytes", [0, 3 * CHUNK_BYTES])
def test_p02_a_file_that_is_written_while_it_is_read_is_held(lab: Lab, content: bytes, size_bytes: int) -> None:
    lab.source.put("a", CONTENT + b"x" * size_bytes)
    send = lab.send("a")
    result = lab.carry(send, monitor=Meddler(lambda: lab.source.put("a", content + b"x" * size_bytes)))
    assert told(result) == everywhere("a", "held")
    assert all(one.again for one in result.outcomes if isinstance(one, Trouble))
    assert lab.held() == {"nas": [], "usb": []}


def test_p18_a_file_that_is_open_for_writing_is_held_unless_it_is_known_to_grow(lab: Lab) -> None:
    lab.source.put("a", CONTENT)
    lab.source.put("log", CONTENT)
    lab.source.hold_open("a")
    lab.source.hold_open("log")
    result = lab.carry(lab.send("a"), lab.send("log", growing=True))
    assert told(result) == everywhere("a", "held") | everywhere("log", "verified")


def test_a_file_that_grows_is_carried_as_long_as_it_was_when_it_was_seen(lab: Lab) -> None:
    lab.source.put("log", CONTENT + b"x" * CHUNK_BYTES)
    send = lab.send("log", growing=True)
    lab.source.put("log", lab.source.get("log") + b"before")
    more = Meddler(lambda: lab.source.put("log", lab.source.get("log") + b"meanwhile" * CHUNK_BYTES))
    assert told(lab.carry(send, monitor=more)) == everywhere("log", "verified")
    assert all(store.get("log") == CONTENT + b"x" * CHUNK_BYTES for store in lab.there.values())


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_p02_a_growing_file_that_became_shorter_or_another_is_held(lab: Lab, when: str) -> None:
    whole = CONTENT + b"x" * (2 * CHUNK_BYTES)
    lab.source.put("log", whole)
    lab.source.put("other", whole)
    sends = [lab.send("log", growing=True), lab.send("other", growing=True)]
    sends[1] = sends[1]._replace(entry=sends[1].entry._replace(inode=sends[1].entry.inode + 1))
    if when == "before":
        lab.source.put("log", whole[:-1])
        assert told(lab.carry(*sends)) == everywhere("log", "held") | everywhere("other", "held")
    else:
        shorter = Meddler(lambda: lab.source.put("log", whole[:-1]))
        assert told(lab.carry(sends[0], monitor=shorter)) == everywhere("log", "held")
    assert lab.held() == {"nas": [], "usb": []}


def test_p02_bytes_that_are_not_those_that_were_recorded_go_nowhere(lab: Lab) -> None:
    lab.source.put("right", CONTENT)
    lab.source.put("wrong", CONTENT[::-1])
    expected = (Expected(digest_of(CONTENT), 10**18, 0o640),) * 2
    result = lab.carry(lab.send("right"), lab.send("wrong"), expected=expected)
    assert told(result) == everywhere("right", "verified") | everywhere("wrong", "failed")
    assert all(one.integrity for one in result.outcomes if isinstance(one, Trouble))
    assert lab.held() == {"nas": ["right"], "usb": ["right"]}
    looks = {(store.stat("right").mtime_ns, store.stat("right").mode & 0o777) for store in lab.there.values()}
    assert looks == {(10**18, 0o640)}, "it looks as the original did"


def test_a_touched_file_with_the_old_bytes_is_only_recorded_and_one_with_others_is_sent(lab: Lab) -> None:
    for path in ("same", "other"):
        lab.source.put(path, CONTENT)
        for store in lab.there.values():
            store.put(path, CONTENT)
            store.put(f"{path}~old", CONTENT)
    old: dict[str, Any] = {"old_digest": digest_of(CONTENT), "old_key": "same~old", "unsure": True}
    changed: dict[str, Any] = {"old_digest": digest_of(CONTENT[::-1]), "old_key": "other", "unsure": True}
    result = lab.carry(
        lab.send("same", manner=Manner.REPLACE, **old), lab.send("other", manner=Manner.NEW, key="other~v2", **changed)
    )
    assert {(one.key, one.manner) for one in result.outcomes if isinstance(one, Verified)} == {
        ("same~old", Manner.ADOPT),
        ("other~v2", Manner.NEW),
    }


def test_p01_a_destination_that_went_is_told_of_and_the_other_gets_its_files(lab: Lab) -> None:
    lab.source.put("a", CONTENT)
    lab.source.put("b", CONTENT)
    volumes = ("another one", lab.there["usb"].volume())
    result = lab.carry(lab.send("a"), lab.send("b"), volumes=volumes)
    assert told(result) == {
        **{("nas", path): "failed" for path in "ab"},
        **{("usb", path): "verified" for path in "ab"},
    }
    assert [name for name, _ in result.broken] == ["nas"]


def test_p01_a_file_that_went_has_failed_everywhere_and_the_next_one_arrives(lab: Lab) -> None:
    lab.source.put("a", CONTENT)
    lab.source.put("b", CONTENT)
    sends = (lab.send("a"), lab.send("b"))
    lab.source.delete("a")
    result = lab.carry(*sends)
    assert told(result) == everywhere("a", "failed") | everywhere("b", "verified")
    assert {one.again for one in result.outcomes if isinstance(one, Trouble)} == {False}


def test_p11_a_run_that_is_stopped_holds_what_it_did_not_come_to(lab: Lab) -> None:
    lab.source.put("a", CONTENT)
    lab.source.put("b", b"x" * (3 * CHUNK_BYTES))
    lab.source.put("c", CONTENT)
    stop = Meddler(lambda: setattr(stop, "stopping", True))
    result = lab.carry(*map(lab.send, "ac"), monitor=stop)
    assert told(result) == everywhere("a", "verified") | everywhere("c", "held")
    stop = Meddler(lambda: setattr(stop, "stopping", True))
    assert told(lab.carry(lab.send("b"), monitor=stop)) == everywhere("b", "held")
    states = {one.state for one in result.outcomes if isinstance(one, Trouble)}
    assert states == {State.HELD}


def test_an_entry_that_knows_no_inode_is_compared_without(lab: Lab) -> None:
    lab.source.put("a", CONTENT)
    lab.source.put("log", CONTENT)
    sends = (lab.send("a"), lab.send("log", growing=True))
    result = lab.carry(*(send._replace(entry=send.entry._replace(ctime_ns=0, inode=0)) for send in sends))
    assert told(result) == everywhere("a", "verified") | everywhere("log", "verified")


def test_a_place_without_inodes_compares_size_and_time_alone() -> None:
    lab = Lab()
    lab.source = MemoryStore(lab.source.url, traits=Traits())
    entry: Entry = lab.source.put("a", CONTENT)
    send = lab.send("a")
    send = send._replace(entry=entry._replace(ctime_ns=5, inode=6))
    assert told(lab.carry(send)) == everywhere("a", "verified")
