"""Does every file come to its one end at every destination, whatever becomes of the batches?

The batches are carried by a script here, which says what came of them; ``test_carry.py`` lets real ones go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from coldchain.config.values import Destination, Job, OnChange
from coldchain.content.batches import LARGE_BYTES
from coldchain.content.pool import threads
from coldchain.errors import Denied
from coldchain.instruments.base import open_instrument
from coldchain.model import Digest, Entry, Manner, Outcome, Place, ProofKind, Send, State, Target, Trouble, Verified
from coldchain.monitor import SilentMonitor, Surroundings
from coldchain.operate.carry import ATTEMPTS, Carrier, Gathering
from coldchain.operate.opening import Opened
from coldchain.steps.identify import Writer
from coldchain.steps.plan import Aim
from coldchain.steps.scan import Walks
from coldchain.steps.transfer import Batch, BatchResult
from coldchain.stores.base import Store
from coldchain.stores.names import NameRules
from coldchain.testing import FaultyStore, MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Script = Callable[[int, Send, Target], Outcome | None]
"""What comes of a file at a destination, in the n-th batch; None: it is not told of."""


def good(send: Send, target: Target) -> Verified:
    entry, digest = send.entry, Digest("sha256", "ab")
    manner, reason = target.manner, target.reason
    return Verified(target.destination, entry, target.key, digest, 1, ProofKind.READBACK, "direct", manner, reason)


def bad(send: Send, target: Target, *, again: bool = False) -> Trouble:
    return Trouble(target.destination, send.entry.path, send.entry.size_bytes, State.FAILED, "bad", again)


def all_good(number: int, send: Send, target: Target) -> Outcome:
    return good(send, target)


class Notes(SilentMonitor):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


@dataclass
class Owner:
    """Whose files are carried."""

    final: list[Outcome] = field(default_factory=list)
    takings: int = 0
    moved_paths: list[str] = field(default_factory=list)
    wait: str = ""
    asked: list[Entry] = field(default_factory=list)

    def take(self, outcomes: Sequence[Outcome], /) -> None:
        self.takings += 1
        self.final += outcomes

    def reason_to_wait(self, entry: Entry, /) -> str:
        self.asked.append(entry)
        return self.wait

    def moved(self, path: str, /) -> None:
        self.moved_paths.append(path)

    @property
    def ends(self) -> dict[tuple[str, str], str]:
        """By path and destination, how it ended: each once."""
        found = [(*_address(one), "" if isinstance(one, Verified) else one.reason) for one in self.final]
        assert max(Counter((path, name) for path, name, _ in found).values(), default=1) == 1, "an end came twice"
        return {(path, name): reason for path, name, reason in found}


def _address(outcome: Outcome) -> tuple[str, str]:
    return outcome.entry.path if isinstance(outcome, Verified) else outcome.path, outcome.destination


class Bench:
    """A source and destinations in memory, which nothing is written to."""

    def __init__(self, script: Script = all_good, *names: str, begun: Path | None = None) -> None:
        self.script, self.names = script, names or ("nas", "usb")
        self.memory = MemoryStore(f"memory://{uuid4().hex}")
        self.source: Store = self.memory
        self.batches: list[Batch] = []
        self.owner, self.monitor = Owner(), Notes()
        self.lagging: dict[int, frozenset[str]] = {}
        self.broken: dict[int, tuple[tuple[str, str], ...]] = {}
        self.begun = begun
        self.before: Callable[[Batch], object] = lambda batch: None

    @property
    def job(self) -> Job:
        destinations = tuple(Destination(Place(name, f"memory://{name}")) for name in self.names)
        return Job("j", Place("source", self.memory.url), destinations, digest="md5", verify=ProofKind.CHECKSUM)

    def file(self, path: str, *names: str, size_bytes: int = 3, growing: bool = False) -> Send:
        """A file that stands there; with a large size each is a batch of its own, in order."""
        self.memory.put(path, b"abc")
        entry = self.memory.stat(path)
        assert isinstance(entry, Entry)
        targets = tuple(Target(name, path, Manner.NEW, "new") for name in names or self.names)
        return Send(entry._replace(size_bytes=size_bytes), targets, growing=growing)

    def carry(self, *sends: Send) -> dict[tuple[str, str], str]:
        aims = tuple(
            Aim(name, self.memory, Walks(self.memory), NameRules(), OnChange.REPLACE, f"volume of {name}")
            for name in self.names
        )
        opened = Opened(self.job, self.source, "", None, aims, Writer("j", "here"), open_instrument("files"))
        with threads(1) as executor:
            around = Surroundings("here", lambda: NOW, self.monitor, 1, self.begun)
            Carrier(opened, executor, self._carry, around).carry(sends, self.owner)
        return self.owner.ends

    def _carry(self, batch: Batch) -> BatchResult:
        number = len(self.batches)
        self.batches.append(batch)
        self.before(batch)
        lagging, broken = self.lagging.get(number, frozenset()), self.broken.get(number, ())
        told = [self.script(number, send, target) for send in batch.sends for target in send.targets]
        outcomes = [one for one in told if one is not None and one.destination not in lagging]
        return BatchResult(outcomes, lagging, broken)

    @property
    def went(self) -> list[str]:
        """Batch by batch, which files went where: "a b: nas usb"."""
        return [
            " ".join(f"{send.entry.path}:{'+'.join(t.destination for t in send.targets)}" for send in batch.sends)
            for batch in self.batches
        ]


ALL = {("a", "nas"): "", ("a", "usb"): "", ("b", "nas"): "", ("b", "usb"): ""}

# --- a batch ----------------------------------------------------------------------------------------------------------


def test_files_are_carried_once_and_their_ends_are_handed_over() -> None:
    bench = Bench()
    assert bench.carry(bench.file("a"), bench.file("b")) == ALL
    assert bench.went == ["a:nas+usb b:nas+usb"]
    assert bench.monitor.notes == []


def test_a_batch_holds_what_carrying_it_takes(tmp_path: Path) -> None:
    bench = Bench(all_good, "nas", "usb", "tape", begun=tmp_path)
    kept: list[Path] = []

    def write(batch: Batch) -> None:
        for number in range(len(batch.destinations)):
            kept.append(Path(f"{batch.begun}.{number}"))
            kept[-1].write_bytes(b"")

    bench.before = write
    sends = [bench.file("a", "nas", "tape"), bench.file("b", "tape", size_bytes=LARGE_BYTES)]
    bench.carry(*sends)
    large, small = bench.batches
    assert [place.name for place in small.destinations] == ["nas", "tape"]
    assert small.volumes == ("volume of nas", "volume of tape")
    assert (large.destinations, large.volumes) == (small.destinations[1:], small.volumes[1:])
    assert (small.sends, large.sends) == (tuple(sends[:1]), tuple(sends[1:]))
    assert (small.source, small.algorithm, small.proof) == (bench.job.source, "md5", ProofKind.CHECKSUM)
    assert small.owner == Writer("j", "here").owner
    assert small.begun != large.begun
    assert {file.parent for file in kept} == {tmp_path}
    assert len(set(kept)) == 3
    assert not any(file.exists() for file in kept), "the ledger knows"


def test_p11_what_was_begun_is_forgotten_only_once_the_owner_has_it(tmp_path: Path) -> None:
    bench = Bench(begun=tmp_path)
    bench.before = lambda batch: Path(f"{batch.begun}.0").write_bytes(b"")

    def take(outcomes: Sequence[Outcome]) -> None:
        raise ZeroDivisionError

    bench.owner.take = take  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        bench.carry(bench.file("a"))
    assert list(tmp_path.iterdir())


def test_where_nothing_is_written_down_nothing_is_named() -> None:
    bench = Bench()
    bench.carry(bench.file("a"))
    assert bench.batches[0].begun == ""


# --- another try ------------------------------------------------------------------------------------------------------


def test_what_is_worth_another_try_goes_again_and_only_that() -> None:
    def script(number: int, send: Send, target: Target) -> Outcome:
        unlucky = (send.entry.path, target.destination) in {("a", "usb"), ("b", "nas")}
        return bad(send, target, again=True) if unlucky and not number else good(send, target)

    bench = Bench(script)
    assert bench.carry(bench.file("a"), bench.file("b"), bench.file("c")) == ALL | {("c", "nas"): "", ("c", "usb"): ""}
    assert bench.went == ["a:nas+usb b:nas+usb c:nas+usb", "a:usb b:nas"]
    assert bench.owner.asked == [], "it did not change"


def test_p01_what_fails_each_time_ends_as_it_did_the_last_time() -> None:
    bench = Bench(lambda number, send, target: bad(send, target, again=True)._replace(reason=f"the {number}th"))
    assert bench.carry(bench.file("a", "nas")) == {("a", "nas"): f"the {ATTEMPTS - 1}th"}
    assert len(bench.batches) == ATTEMPTS


def test_what_is_not_worth_another_try_ends_at_once() -> None:
    bench = Bench(lambda number, send, target: bad(send, target))
    assert bench.carry(bench.file("a", "nas")) == {("a", "nas"): "bad"}
    assert len(bench.batches) == 1


def again_at_first(number: int, send: Send, target: Target) -> Outcome:
    return bad(send, target, again=True) if not number else good(send, target)


def test_p02_a_file_that_changed_is_read_as_it_is_now_and_the_owner_hears_of_it() -> None:
    bench = Bench(again_at_first)
    bench.before = lambda batch: bench.memory.put("a", b"longer") if len(bench.batches) == 1 else None
    assert bench.carry(bench.file("a"), bench.file("b")) == ALL
    first, second = bench.batches
    now = bench.memory.stat("a")
    assert first.sends[0].entry != now
    assert [send.entry for send in second.sends] == [now, first.sends[1].entry]
    assert (bench.owner.asked, bench.owner.moved_paths) == ([now], ["a"])


def test_p18_a_file_that_changed_and_must_be_left_alone_is_held() -> None:
    bench = Bench(again_at_first)
    bench.owner.wait = "it is being written"
    bench.before = lambda batch: bench.memory.put("a", b"longer")
    said = "changed while it was read; it is being written"
    assert bench.carry(bench.file("a"), bench.file("b")) == ALL | {("a", "nas"): said, ("a", "usb"): said}
    assert {one.state for one in bench.owner.final if isinstance(one, Trouble)} == {State.HELD}
    assert bench.owner.moved_paths == []
    assert bench.went[1] == "b:nas+usb"


def test_a_growing_file_is_read_on_without_asking() -> None:
    bench = Bench(again_at_first)
    bench.owner.wait = "never asked"
    bench.before = lambda batch: bench.memory.put("a", b"longer")
    assert set(bench.carry(bench.file("a", growing=True)).values()) == {""}
    assert (bench.owner.asked, bench.owner.moved_paths) == ([], [])
    assert bench.batches[1].sends[0].entry.size_bytes == len(b"longer")


def test_p01_a_file_that_went_away_or_cannot_be_looked_at_has_an_end_too() -> None:
    bench = Bench(again_at_first)
    faulty = FaultyStore(bench.memory)
    faulty.fail("store.stat", Denied, keys=["a"])
    bench.source = faulty
    bench.before = lambda batch: bench.memory.delete("b") if len(bench.batches) == 1 else None
    ends = bench.carry(bench.file("a"), bench.file("b"), bench.file("c"))
    assert all("Denied" in ends["a", name] for name in bench.names)
    assert all(ends["b", name] == "it went away before it could be read" for name in bench.names)
    assert all(not ends["c", name] for name in bench.names)
    states = {one.path: one.state for one in bench.owner.final if isinstance(one, Trouble)}
    assert states == {"a": State.FAILED, "b": State.HELD}
    assert bench.went[1:] == ["c:nas+usb"]


# --- a destination in trouble -----------------------------------------------------------------------------------------


def large(bench: Bench, *paths: str) -> Iterator[Send]:
    """Batches of one file each."""
    for path in paths:
        yield bench.file(path, size_bytes=LARGE_BYTES)


def test_p01_what_was_to_go_to_a_destination_that_broke_down_has_failed_and_the_others_go_on() -> None:
    def script(number: int, send: Send, target: Target) -> Outcome:
        return bad(send, target) if target.destination == "usb" else good(send, target)

    bench = Bench(script)
    paths = "abcdefgh"
    bench.broken = dict.fromkeys(range(len(paths)), (("usb", "no space left"),))
    ends = bench.carry(*large(bench, *paths))
    assert [ends[path, "nas"] for path in paths] == [""] * len(paths)
    told = [ends[path, "usb"] for path in paths]
    assert told == sorted(told), "those that were under way, and then those that never set out"
    assert set(told) == {"bad", "no space left"}
    assert {one.state for one in bench.owner.final if isinstance(one, Trouble)} == {State.FAILED}
    assert bench.went[-1] == "h:nas"
    assert bench.monitor.notes == ["usb: no space left; nothing more is sent there in this run"]


def test_p01_where_every_destination_broke_down_nothing_is_read_any_more() -> None:
    bench = Bench(lambda number, send, target: bad(send, target))
    bench.broken = {0: (("usb", "no space left"), ("nas", "unplugged"))}
    ends = bench.carry(*large(bench, *"abcdefgh"))
    assert len(ends) == 16
    assert (ends["h", "nas"], ends["h", "usb"]) == ("unplugged", "no space left")
    assert len(bench.batches) < 8


def test_p01_a_destination_that_lags_gets_a_read_of_its_own_and_nothing_is_left_out() -> None:
    bench = Bench()
    bench.lagging = {0: frozenset({"usb"})}
    paths = "abcdefgh"
    ends = bench.carry(*large(bench, *paths), bench.file("only", "usb", size_bytes=LARGE_BYTES))
    assert ends == {(path, name): "" for path in paths for name in bench.names} | {("only", "usb"): ""}
    assert bench.went[0] == "a:nas+usb"
    assert "a:usb" in bench.went
    assert "h:nas" in bench.went
    assert "h:usb" in bench.went
    assert bench.went.count("only:usb") == 1
    assert bench.monitor.notes == ["usb is slower than the others; its files get a read of their own"]


def test_p01_two_destinations_that_lag_get_one_read_each() -> None:
    bench = Bench(all_good, "nas", "tape", "usb")
    bench.lagging = {0: frozenset({"usb", "tape"})}
    ends = bench.carry(bench.file("a"), bench.file("b"))
    assert ends == {(path, name): "" for path in "ab" for name in bench.names}
    assert bench.went == ["a:nas+tape+usb b:nas+tape+usb", "a:tape b:tape", "a:usb b:usb"]


def test_p01_what_fails_in_a_read_of_its_own_is_tried_again() -> None:
    def script(number: int, send: Send, target: Target) -> Outcome:
        return bad(send, target, again=True) if number == 1 else good(send, target)

    bench = Bench(script)
    bench.lagging = {0: frozenset({"usb"})}
    assert bench.carry(bench.file("a"), bench.file("b")) == ALL
    assert bench.went == ["a:nas+usb b:nas+usb", "a:usb b:usb", "a:usb b:usb"]


# --- an end before the end --------------------------------------------------------------------------------------------


def test_p11_once_the_run_shall_stop_nothing_sets_out_and_all_that_is_left_is_held() -> None:
    bench = Bench(lambda number, send, target: bad(send, target, again=True))

    def stop(batch: Batch) -> None:
        bench.monitor.stopping = True

    bench.before = stop
    ends = bench.carry(*large(bench, *"abcdefgh"))
    assert len(ends) == 16
    assert ends["a", "nas"] == "bad", "nothing is tried again"
    assert ends["h", "usb"] == "the run was interrupted before its turn"
    assert {one.state for one in bench.owner.final if isinstance(one, Trouble) and one.path == "h"} == {State.HELD}
    assert len(bench.batches) < 8


# --- handing over -----------------------------------------------------------------------------------------------------


def test_outcomes_are_handed_over_some_at_a_time_each_once() -> None:
    taken: list[list[Outcome]] = []
    gathering = Gathering(lambda some: taken.append(list(some)), limit=3)
    bench = Bench(all_good, "nas")
    ends: list[Outcome] = [bad(bench.file(path), bench.file(path).targets[0]) for path in "abcdefg"]
    gathering.hand_over()
    assert taken == []
    gathering.add(ends[:2])
    assert taken == []
    gathering.add(ends[2:3])
    assert taken == [ends[:3]]
    gathering.add(ends[3:])
    gathering.hand_over()
    assert taken == [ends[:3], ends[3:]]
