"""How do the files of a dataset get to all destinations, however uneven those are?

Batches go to a pool of workers.  What is worth another try waits and is carried again: files of a destination that was
too slow for the others get a read of their own, files that changed or failed for the moment are looked at once more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Protocol

from coldchain.content.batches import in_batches
from coldchain.content.pool import as_completed
from coldchain.content.spool import Spool
from coldchain.errors import NotFound, StoreError
from coldchain.model import Entry, Outcome, Send, State, Target, Trouble
from coldchain.monitor import Surroundings
from coldchain.operate.opening import Opened
from coldchain.steps.begun import forget
from coldchain.steps.encoding import decode_send, encode_send
from coldchain.steps.transfer import Batch, BatchResult
from coldchain.steps.workers import Carry

ATTEMPTS = 3

Take = Callable[[Sequence[Outcome]], None]


class Owner(Protocol):
    """Whose files are carried."""

    def take(self, outcomes: Sequence[Outcome], /) -> None:
        """These are final."""

    def reason_to_wait(self, entry: Entry, /) -> str:
        """Say why a file that changed must be left alone for now, or ""."""

    def moved(self, path: str, /) -> None:
        """A file is sent as it was after planning."""


class Gathering:
    """Outcomes that come one by one, handed over some thousand at a time: each handing over is a transaction."""

    def __init__(self, take: Take, limit: int = 5000) -> None:
        self.take, self._limit = take, limit
        self._outcomes: list[Outcome] = []

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Keep some."""
        self._outcomes.extend(outcomes)
        if len(self._outcomes) >= self._limit:
            self.hand_over()

    def hand_over(self) -> None:
        """Let go of what is kept."""
        if self._outcomes:
            self.take(tuple(self._outcomes))
            self._outcomes.clear()


class Carrier:
    """Carries the files of one run; remembers which destinations broke down or lag behind."""

    def __init__(self, of: Opened, executor: Executor, carry: Carry, around: Surroundings) -> None:
        self._job, self._source, self._owner = of.job, of.source, of.writer.owner
        self._executor, self._carry_batch = executor, carry
        self._workers, self._monitor = around.workers, around.monitor
        self._aims = {aim.name: aim for aim in of.aims}
        self._places = {destination.name: destination.place for destination in of.job.destinations}
        self._begun = around.begun
        self._broken: dict[str, str] = {}
        self._apart: set[str] = set()

    def carry(self, sends: Iterable[Send], owner: Owner) -> None:
        """Carry them all, and hand over final outcomes as they come, in this thread."""
        few = Gathering(owner.take)
        again: Spool[Send] = Spool(encode_send, decode_send)
        self._pass(sends, again, few, last=False)
        for attempt in range(2, ATTEMPTS + 1):
            if not len(again):
                break
            retry, again = again, Spool(encode_send, decode_send)
            self._pass(self._look_again(retry, owner, few), again, few, last=attempt == ATTEMPTS)
            retry.close()
        few.hand_over()

    # --- one pass --------------------------------------------------------------------------------------------------

    def _pass(self, sends: Iterable[Send], again: Spool[Send], few: Gathering, *, last: bool) -> None:
        later: Spool[Send] = Spool(encode_send, decode_send)
        self._batches(self._shared(sends, later), again, later, few, last=last)
        for destination in sorted({target.destination for send in later for target in send.targets}):
            alone = (send for send in map(partial(_only, destination), later) if send.targets)
            self._batches(alone, again, again, few, last=last)
        later.close()

    def _shared(self, sends: Iterable[Send], later: Spool[Send]) -> Iterator[Send]:
        """Leave out the destinations that lag behind; theirs come later."""
        for send in sends:
            behind = tuple(target for target in send.targets if target.destination in self._apart)
            if behind and len(behind) < len(send.targets):
                later.append(send._replace(targets=behind))
                yield send._replace(targets=tuple(t for t in send.targets if t not in behind))
            else:
                yield send

    def _batches(
        self, sends: Iterable[Send], again: Spool[Send], later: Spool[Send], few: Gathering, *, last: bool
    ) -> None:
        batches = map(self._batch, in_batches(self._possible(sends, few), lambda send: send.entry.size_bytes))
        for batch, result in as_completed(self._executor, self._carry_batch, batches, ahead=2 * self._workers):
            few.take(list(self._sort_out(batch, result, again, later, last=last)))
            if batch.begun:  # the ledger knows now
                forget(Path(f"{batch.begun}.{number}") for number in range(len(batch.destinations)))

    def _possible(self, sends: Iterable[Send], few: Gathering) -> Iterator[Send]:
        """Leave out the destinations that broke down, and everything once the run shall stop."""
        for send in sends:
            if self._monitor.stopping:
                few.add(_troubles(send, send.targets, "the run was interrupted before its turn", State.HELD))
                continue
            if not self._broken:
                yield send
                continue
            lost = tuple(target for target in send.targets if target.destination in self._broken)
            for target in lost:
                few.add(_troubles(send, (target,), self._broken[target.destination], State.FAILED))
            if len(lost) < len(send.targets):
                yield send._replace(targets=tuple(t for t in send.targets if t not in lost))

    def _batch(self, sends: list[Send]) -> Batch:
        names = {target.destination for send in sends for target in send.targets}
        places = tuple(place for name, place in self._places.items() if name in names)
        volumes = tuple(self._aims[place.name].volume for place in places)
        begun = "" if self._begun is None else str(self._begun / secrets.token_hex(8))
        how = (self._job.digest, self._job.verify, self._owner)
        return Batch(self._job.source, places, volumes, tuple(sends), *how, begun=begun)

    def _sort_out(
        self, batch: Batch, result: BatchResult, again: Spool[Send], later: Spool[Send], *, last: bool
    ) -> Iterator[Outcome]:
        """Yield what is final; put the rest where it waits for its next turn."""
        for name, reason in result.broken:
            if name not in self._broken:
                self._broken[name] = reason
                self._monitor.note(f"{name}: {reason}; nothing more is sent there in this run")
        for name in result.lagging - self._apart:
            self._apart.add(name)
            self._monitor.note(f"{name} is slower than the others; its files get a read of their own")
        _set_aside(batch.sends, later, lambda _, target: target.destination in result.lagging)
        retried: set[tuple[str, str]] = set()
        for outcome in result.outcomes:
            if isinstance(outcome, Trouble) and outcome.again and not last and not self._monitor.stopping:
                retried.add((outcome.path, outcome.destination))
                if outcome.state is State.FAILED:
                    self._aims[outcome.destination].leave_unswept()
            else:
                yield outcome
        _set_aside(batch.sends, again, lambda send, target: (send.entry.path, target.destination) in retried)

    # --- another try -----------------------------------------------------------------------------------------------

    def _look_again(self, sends: Iterable[Send], owner: Owner, few: Gathering) -> Iterator[Send]:
        """Look at each source file anew: it may have changed, be busy, or be gone."""
        for send in sends:
            try:
                entry = self._source.stat(send.entry.path)
            except StoreError as error:
                if not isinstance(error, NotFound):
                    few.add(_troubles(send, send.targets, error.reason, State.FAILED))
                    continue
                reason = "it went away before it could be read"
                few.add(_troubles(send, send.targets, reason, State.HELD))
                continue
            reason = owner.reason_to_wait(entry) if entry != send.entry and not send.growing else ""
            if reason:
                few.add(_troubles(send, send.targets, f"changed while it was read; {reason}", State.HELD))
            else:
                if entry != send.entry and not send.growing:
                    owner.moved(entry.path)
                yield send._replace(entry=entry)


def _set_aside(sends: Iterable[Send], where: Spool[Send], wanted: Callable[[Send, Target], bool]) -> None:
    for send in sends:
        if targets := tuple(target for target in send.targets if wanted(send, target)):
            where.append(send._replace(targets=targets))


def _only(destination: str, send: Send) -> Send:
    return send._replace(targets=tuple(target for target in send.targets if target.destination == destination))


def _troubles(send: Send, targets: tuple[Target, ...], reason: str, state: State) -> Iterator[Outcome]:
    for target in targets:
        yield Trouble(target.destination, send.entry.path, send.entry.size_bytes, state, reason)
