"""What happens when a dataset, or some of its files, are brought back?"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, repeat
from pathlib import Path
from typing import NamedTuple

from coldchain.config.values import Job
from coldchain.content.batches import in_batches
from coldchain.content.digests import digest_of
from coldchain.content.pool import as_completed, threads
from coldchain.errors import NotFound, StoreError, UsageError, from_os_error
from coldchain.ledger.ledger import Ledger
from coldchain.model import Manner, Outcome, Place, ProofKind, Record, Send, State, Tally, Target, Trouble, Verified
from coldchain.monitor import Monitor, Surroundings
from coldchain.operate.carry import ATTEMPTS
from coldchain.steps.transfer import Batch, BatchResult, Expected, process_batch
from coldchain.stores.base import open_store

_HERE = "restore"
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be brought back, and where to."""

    dataset: str
    folder: Path
    patterns: tuple[str, ...] = ()
    """gitignore patterns on paths below the source; empty for all."""
    overwrite: bool = False
    origin: str = ""
    """Only from this destination; "" for whichever has it."""


@dataclass(slots=True)
class RestoreReport:
    """What came of it."""

    job: str
    dataset: str
    folder: str
    wanted: Tally = Tally()
    restored: Tally = Tally()
    origins: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    """By path: what could not be brought back from any destination."""
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 only if every wanted file is back and proved."""
        if self.interrupted:
            return 130
        if self.restored.files == self.wanted.files:
            return 0
        return 4 if any(trouble.integrity for trouble in self.troubles.values()) else 3

    def as_json(self) -> dict[str, object]:
        """The documented, versioned form (docs/json.md)."""
        return {
            "format": "coldchain-restore",
            "version": 1,
            "job": self.job,
            "dataset": self.dataset,
            "folder": self.folder,
            "exit_code": self.exit_code,
            "wanted": {"files": self.wanted.files, "size_bytes": self.wanted.size_bytes},
            "restored": {"files": self.restored.files, "size_bytes": self.restored.size_bytes},
            "from": self.origins,
            "troubles": [{"path": t.path, "reason": t.reason} for t in list(self.troubles.values())[:_SHOWN]],
        }


class _Copy(NamedTuple):
    """One file that is wanted, and where its bytes are said to be; the best place first."""

    path: str
    places: tuple[tuple[str, Record], ...]
    tries: int = ATTEMPTS
    """How often trouble that may pass is borne, before the place where it was met counts no more."""


def restore_dataset(job: Job, ledger: Ledger, wanted: Wanted, around: Surroundings) -> RestoreReport:
    """Bring files back under the paths that they had below the source; each is checked against its record (P15).

    A file that is already there and equal counts as restored; another one is left alone, unless ``overwrite`` is said.
    A copy that is gone or wrong is taken from the next destination; where trouble may pass, the same one is asked again
    after the others.
    """
    report = RestoreReport(job.name, wanted.dataset, str(wanted.folder))
    places = _origins(job, ledger, wanted)
    copies = _copies(ledger, job, places, wanted)
    with ExitStack() as stack:
        bringing = _Bringing(places, wanted, around, report, stack)
        again = bringing.bring(_counted(copies, report))
        while again and not around.monitor.stopping:
            again = bringing.bring(again)
    report.interrupted = around.monitor.stopping
    if not report.wanted.files:
        what = ", ".join(wanted.patterns) or "this dataset"
        raise UsageError(f"{job.name}: no stored file of {wanted.dataset} fits {what}")
    return report


def _selection(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    if not patterns:
        return lambda path: True
    from pathspec import GitIgnoreSpec  # only needed with patterns

    return GitIgnoreSpec.from_lines(patterns).match_file


def _origins(job: Job, ledger: Ledger, wanted: Wanted) -> dict[str, Place]:
    """The destinations to ask, in the order of the job; raises UsageError for names that do not exist."""
    places = {d.name: d.place for d in job.destinations if wanted.origin in ("", d.name)}
    if not places:
        names = ", ".join(destination.name for destination in job.destinations)
        raise UsageError(f"{job.name} has no destination {wanted.origin!r}; there are: {names}")
    known = ledger.datasets(job.name)
    if wanted.dataset not in known:
        raise UsageError(
            f"{job.name}: the ledger knows no dataset {wanted.dataset!r}. It knows: {', '.join(known[:10]) or 'none'}. "
            f"If the ledger was lost: coldchain rebuild {job.name}"
        )
    return places


def _copies(ledger: Ledger, job: Job, places: Iterable[str], wanted: Wanted) -> Iterator[_Copy]:
    """Every wanted file once, ascending by path; where destinations differ, the version that was stored last."""
    selected = _selection(wanted.patterns)
    streams = [zip(repeat(name), ledger.stored(job.name, name, wanted.dataset)) for name in places]
    merged = heapq.merge(*streams, key=lambda item: item[1].path)
    for path, group in groupby(merged, key=lambda item: item[1].path):
        if selected(path):
            found = list(group)
            newest = max(record.stored_at_us for _, record in found)
            digest = next(record.digest for _, record in found if record.stored_at_us == newest)
            yield _Copy(path, tuple((name, record) for name, record in found if record.digest == digest))


def _counted(copies: Iterable[_Copy], report: RestoreReport) -> Iterator[_Copy]:
    for copy in copies:
        report.wanted += Tally(1, copy.places[0][1].size_bytes)
        yield copy


class _Bringing:
    """One restore."""

    def __init__(
        self, places: dict[str, Place], wanted: Wanted, around: Surroundings, report: RestoreReport, stack: ExitStack
    ) -> None:
        self._places, self._wanted, self._around, self._report = places, wanted, around, report
        self._stores = {name: open_store(place) for name, place in places.items()}
        self._here = Place(_HERE, str(wanted.folder))
        self._target = open_store(self._here)
        try:
            wanted.folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise from_os_error(error, url=str(wanted.folder), key="") from error
        self._target.make()
        self._volume = self._target.volume()
        for store in (*self._stores.values(), self._target):
            stack.callback(store.close)
        for found in list(self._target.list()):
            if self._target.is_leftover(found.path, _HERE):  # of a restore that was killed
                self._target.delete(found.path)
        self._executor = stack.enter_context(threads(around.workers))

    def bring(self, copies: Iterable[_Copy]) -> list[_Copy]:
        """Bring each file from its best place; returns those that must be asked for elsewhere."""
        again: list[_Copy] = []
        work = partial(self._process, monitor=self._around.monitor)
        batches = self._batches(copies, again)
        for group, result in as_completed(self._executor, work, batches, ahead=2 * self._around.workers):
            waiting = {record.key: copy for copy in group for _, record in copy.places[:1]}
            for outcome in result.outcomes:
                copy = waiting[outcome.entry.path if isinstance(outcome, Verified) else outcome.path]
                self._take(copy, outcome, again)
            self._around.monitor.finished(len(group))
        return again

    def _batches(self, copies: Iterable[_Copy], again: list[_Copy]) -> Iterator[list[_Copy]]:
        def alike(copy: _Copy) -> tuple[str, str]:
            name, record = copy.places[0]
            return name, record.digest.algorithm

        for _, group in groupby(copies, key=alike):
            yield from in_batches(group, lambda copy: copy.places[0][1].size_bytes)

    def _process(self, group: list[_Copy], monitor: Monitor) -> BatchResult:
        """Look at the copies, and carry them."""
        name = group[0].places[0][0]
        troubles: list[Outcome] = []
        sends: list[Send] = []
        expected: list[Expected] = []
        for copy in group:
            record = copy.places[0][1]
            try:
                entry = self._stores[name].stat(record.key)
                target = self._where(copy.path, record)
            except StoreError as error:
                troubles.append(
                    Trouble(_HERE, record.key, record.size_bytes, State.FAILED, error.reason, error.temporary)
                )
                continue
            sends.append(Send(entry, (target,)))
            expected.append(Expected(record.digest, record.source_mtime_ns, record.mode))
        if not sends:  # the place may be gone as a whole
            return BatchResult(troubles)
        algorithm = group[0].places[0][1].digest.algorithm
        batch = Batch(
            self._places[name],
            (self._here,),
            (self._volume,),
            tuple(sends),
            algorithm,
            ProofKind.READBACK,
            _HERE,
            tuple(expected),
        )
        result = process_batch(batch, monitor)
        return replace(result, outcomes=troubles + result.outcomes)

    def _where(self, path: str, record: Record) -> Target:
        if self._wanted.overwrite:
            try:
                with self._target.read(path) as reader:
                    there, _ = digest_of(record.digest.algorithm, reader.chunks())
                return Target(_HERE, path, Manner.REPLACE, "restore", there)
            except NotFound:
                pass
        return Target(_HERE, path, Manner.NEW, "restore")

    def _take(self, copy: _Copy, outcome: Outcome, again: list[_Copy]) -> None:
        name = copy.places[0][0]
        if isinstance(outcome, Verified):
            self._report.restored += Tally(1, outcome.entry.size_bytes)
            self._report.origins[name] = self._report.origins.get(name, 0) + 1
            self._report.troubles.pop(copy.path, None)
            return
        self._report.troubles[copy.path] = outcome._replace(path=copy.path, reason=f"{name}: {outcome.reason}")
        others, tries = copy.places[1:], copy.tries - outcome.again
        if outcome.again and tries > 0:
            others += copy.places[:1]
        if others and outcome.state is not State.REFUSED:
            again.append(copy._replace(places=others, tries=tries))
