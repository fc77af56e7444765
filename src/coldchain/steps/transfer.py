"""How is a batch carried: every source read once, for all its destinations?

``process_batch`` is a plain function of picklable values.  It is the only way in which bytes are carried: a run, a
repair and a restore all call it, in a thread here or on another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from coldchain.content.batches import LARGE_BYTES
from coldchain.content.digests import digest_of, hasher_of
from coldchain.errors import BusyWriting, ChangedUnderway, StoreError
from coldchain.model import Digest, Entry, Manner, Outcome, Place, ProofKind, Send, State, Target, Trouble, Verified
from coldchain.monitor import SILENT, Monitor
from coldchain.steps.abreast import PATIENCE_S, LaneThread
from coldchain.steps.lane import Lane
from coldchain.stores.base import Reader, Store, open_store


class Expected(NamedTuple):
    """What must be read, and how the copy shall look: for restore and repair, where the original is not the source."""

    digest: Digest
    mtime_ns: int
    mode: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Some hundred small files, or one large one."""

    source: Place
    destinations: tuple[Place, ...]
    volumes: tuple[str, ...]
    """For each destination the volume that it lay on when it was recognised: a share may drop in mid-run."""
    sends: tuple[Send, ...]
    algorithm: str
    proof: ProofKind
    owner: str
    """Marks temporary names, see ``Store.stage``."""
    expected: tuple[Expected, ...] = ()
    """One for each send; empty when nothing is expected."""
    patience_s: float = PATIENCE_S
    begun: str = ""
    """The file in which each lane writes down what it is about to publish, with its number behind the name; or ""."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What came of a batch: one outcome for each file and destination, but for those of ``lagging`` destinations."""

    outcomes: list[Outcome]
    lagging: frozenset[str] = frozenset()
    """Destinations that were too slow for the others; their files wait for a read of their own."""
    broken: tuple[tuple[str, str], ...] = ()
    """Destinations to which nothing more can be written, and why."""


def process_batch(batch: Batch, monitor: Monitor = SILENT) -> BatchResult:
    """Carry one batch; raises only what makes the run senseless (the source is gone)."""
    with ExitStack() as stack:
        source = open_store(batch.source)
        stack.callback(source.close)
        lanes: dict[str, Lane | LaneThread] = {}
        threaded = len(batch.destinations) > 1 or is_large(batch.sends)
        for number, (place, volume) in enumerate(zip(batch.destinations, batch.volumes, strict=True)):
            store = open_store(place)
            begun = f"{batch.begun}.{number}" if batch.begun else ""
            inner = Lane(place.name, store, batch.owner, batch.proof, volume, begun)
            patience_s = batch.patience_s if len(batch.destinations) > 1 else None
            lane: Lane | LaneThread
            if threaded:
                lane = LaneThread(inner, patience_s, store.close)
            else:
                stack.callback(store.close)
                lane = inner
            stack.callback(lane.close)
            lanes[place.name] = lane
        outcomes = _Reading(batch, source, lanes, monitor).read_all()
        return _settle(lanes.values(), outcomes)


def is_large(sends: tuple[Send, ...]) -> bool:
    """Whether a batch is one large file."""
    return len(sends) == 1 and sends[0].entry.size_bytes >= LARGE_BYTES


def _settle(lanes: Iterable[Lane | LaneThread], outcomes: list[Outcome]) -> BatchResult:
    lagging: set[str] = set()
    broken: list[tuple[str, str]] = []
    for lane in lanes:
        if isinstance(lane, LaneThread):
            lane.begin_to_settle()
    for lane in lanes:
        settled = lane.settle()
        if settled is None:
            lagging.add(lane.name)
            outcomes = [outcome for outcome in outcomes if outcome.destination != lane.name]
        else:
            told = {_path(outcome) for outcome in settled}  # the reader may have met trouble with the same file
            outcomes = [o for o in outcomes if not (o.destination == lane.name and _path(o) in told)]
            outcomes.extend(settled)
        inner = lane.lane if isinstance(lane, LaneThread) else lane
        if inner.broken is not None:
            broken.append((lane.name, inner.broken.reason))
    return BatchResult(outcomes, frozenset(lagging), tuple(broken))


def _path(outcome: Outcome) -> str:
    return outcome.entry.path if isinstance(outcome, Verified) else outcome.path


class _Reading:
    """The reader's side of one batch."""

    def __init__(self, batch: Batch, source: Store, lanes: dict[str, Lane | LaneThread], monitor: Monitor) -> None:
        self._batch, self._source, self._lanes, self._monitor = batch, source, lanes, monitor
        self._new_hasher = hasher_of(batch.algorithm)
        self._stable = source.traits.stable_inodes
        self._outcomes: list[Outcome] = []

    def read_all(self) -> list[Outcome]:
        """Read every file once; returns the outcomes of those that could not be read."""
        expected = self._batch.expected or (None,) * len(self._batch.sends)
        for send, wanted in zip(self._batch.sends, expected, strict=True):
            if self._monitor.stopping:
                self._trouble(send, State.HELD, "the run was interrupted before its turn")
                continue
            try:
                self._read(send, wanted)
            except StoreError as error:
                for target in send.targets:
                    self._lanes[target.destination].cancel()
                state = State.HELD if isinstance(error, BusyWriting | ChangedUnderway) else State.FAILED
                self._trouble(send, state, error.reason, again=error.temporary)
        return self._outcomes

    def _trouble(self, send: Send, state: State, reason: str, *, again: bool = False, integrity: bool = False) -> None:
        for target in send.targets:
            self._outcomes.append(
                Trouble(target.destination, send.entry.path, send.entry.size_bytes, state, reason, again, integrity)
            )

    def _read(self, send: Send, expected: Expected | None) -> None:
        entry = send.entry
        shown = entry._replace(mtime_ns=expected.mtime_ns, mode=expected.mode) if expected else entry
        with self._source.read(entry.path) as reader:
            self._check_same(entry, reader.entry, "changed since it was looked at", growing=send.growing)
            if not send.growing and reader.being_written():
                raise BusyWriting("still being written (open in another program)")
            targets = self._decided(send.targets, reader)
            for target in targets:
                self._lanes[target.destination].begin(shown, target)
            hasher = self._new_hasher()
            size_bytes = 0
            for chunk in _up_to(entry.size_bytes, reader.chunks()) if send.growing else reader.chunks():
                hasher.update(chunk)
                size_bytes += len(chunk)
                for target in targets:
                    self._lanes[target.destination].take(chunk)
                self._monitor.moved(len(chunk))
                if size_bytes > entry.size_bytes:  # never run after a file that grows as fast as it is read
                    raise ChangedUnderway("changed while it was read")
                if self._monitor.stopping and size_bytes < entry.size_bytes:
                    raise BusyWriting("the run was interrupted while it was read")
            self._check_same(reader.entry, reader.look_again(), "changed while it was read", growing=send.growing)
        if size_bytes != entry.size_bytes:
            raise ChangedUnderway(f"gave {size_bytes:,} bytes instead of {entry.size_bytes:,}")
        digest = Digest(self._batch.algorithm, hasher.hexdigest())
        self._hand_over(send, targets, digest, expected)

    def _hand_over(self, send: Send, targets: list[Target], digest: Digest, expected: Expected | None) -> None:
        right = expected is None or expected.digest == digest
        for target in targets:
            lane = self._lanes[target.destination]
            if right:
                lane.finish(digest)
            else:
                lane.cancel()
        if not right:
            self._trouble(send, State.FAILED, "the bytes read are not the bytes that were recorded", integrity=True)

    def _decided(self, targets: tuple[Target, ...], reader: Reader) -> list[Target]:
        """Where only ctime or inode moved, hash first: the same bytes need no writing."""
        if not any(target.unsure for target in targets):
            return list(targets)
        digests = {
            algorithm: digest_of(algorithm, reader.chunks())[0]
            for algorithm in {t.old_digest.algorithm for t in targets if t.unsure and t.old_digest}
        }
        return [
            target._replace(key=target.old_key or target.key, manner=Manner.ADOPT)
            if target.unsure and target.old_digest and digests[target.old_digest.algorithm] == target.old_digest
            else target
            for target in targets
        ]

    def _check_same(self, before: Entry, now: Entry, what: str, *, growing: bool) -> None:
        if growing:
            if now.size_bytes < before.size_bytes or (self._stable and before.inode and now.inode != before.inode):
                raise ChangedUnderway(f"{what}, and not by growing")
            return
        same = (before.size_bytes, before.mtime_ns) == (now.size_bytes, now.mtime_ns)
        if same and self._stable and before.inode:
            same = (before.ctime_ns, before.inode) == (now.ctime_ns, now.inode)
        if not same:
            raise ChangedUnderway(what)


def _up_to(size_bytes: int, chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The first so many bytes: a file that grows is carried as long as it was when it was looked at."""
    for chunk in chunks:
        piece = chunk[:size_bytes]
        size_bytes -= len(piece)
        if piece:
            yield piece
        if not size_bytes:
            return
