"""What happens when stored copies are proved again, and mended?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from coldchain.config.values import Job
from coldchain.content.batches import in_batches
from coldchain.content.pool import as_completed, threads
from coldchain.errors import NotFound, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.model import (
    DISPROVED,
    OWN_FOLDER,
    Entry,
    Manner,
    Place,
    ProofKind,
    Record,
    Send,
    Tally,
    Target,
    Trouble,
    Verified,
)
from coldchain.monitor import Surroundings
from coldchain.operate.opening import Opened, Wish, opened
from coldchain.steps.check import CheckBatch, Finding, check_batch, due, sampled
from coldchain.steps.deliver import copied, deliver
from coldchain.steps.plan import Aim
from coldchain.steps.publish import publish_manifests
from coldchain.steps.transfer import Batch, Expected, process_batch

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Extent:
    """Which copies shall be proved."""

    share: float = 1.0
    within: timedelta | None = None
    dataset: str = ""
    repair: bool = False


@dataclass(slots=True)
class CheckReport:
    """What came of a check."""

    job: str
    run: int = 0
    good: Tally = Tally()
    bad: int = 0
    mended: int = 0
    unreadable: int = 0
    shown: list[tuple[str, Finding, str]] = field(default_factory=list)
    """(destination, finding, what was done about it); the first hundred."""
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """4 when a copy is wrong or lost and was not mended, 3 when one could not be read, 6 when there is none."""
        if self.interrupted:
            return 130
        if self.bad > self.mended:
            return 4
        if self.unreadable:
            return 3
        return 0 if self.good.files or self.mended else 6

    def as_json(self) -> dict[str, object]:
        """The documented, versioned form (docs/json.md)."""
        return {
            "format": "coldchain-check",
            "version": 1,
            "run": self.run,
            "job": self.job,
            "exit_code": self.exit_code,
            "good": {"files": self.good.files, "size_bytes": self.good.size_bytes},
            "bad": self.bad,
            "mended": self.mended,
            "unreadable": self.unreadable,
            "findings": [
                {
                    "destination": destination,
                    "dataset": finding.dataset,
                    "path": finding.record.path,
                    "key": finding.record.key,
                    "state": finding.state,
                    "reason": finding.reason,
                    "done": done,
                }
                for destination, finding, done in self.shown
            ],
        }


def check_job(job: Job, ledger: Ledger, extent: Extent, wish: Wish, around: Surroundings) -> CheckReport:
    """Prove stored copies again, destination by destination; with ``repair`` mend what is wrong."""
    with opened(job, ledger, wish, around) as opened_job:
        last = next((row.ended for row in ledger.runs(job.name, 1000) if row.command == "check" and row.ended), None)
        report = CheckReport(job.name, ledger.begin_run(job.name, "check", around.clock()))
        with threads(around.workers) as executor:
            for aim in opened_job.aims:
                copies = _chosen(ledger, job, aim.name, extent, around.clock(), (last, report.run))
                batches = (
                    CheckBatch(_place(opened_job, aim.name), tuple(batch), aim.volume)
                    for batch in in_batches(copies, lambda copy: copy[1].size_bytes)
                )
                work = partial(check_batch, monitor=around.monitor)
                for _, findings in as_completed(executor, work, batches, ahead=2 * around.workers):
                    _take(_Check(opened_job, ledger, report, extent, around), aim, findings)
        report.interrupted = around.monitor.stopping
        ledger.end_run(report.run, around.clock(), report.exit_code, report.as_json())
    return report


def _chosen(
    ledger: Ledger, job: Job, destination: str, extent: Extent, now: datetime, state: tuple[datetime | None, int]
) -> Iterator[tuple[str, Record]]:
    last, run = state
    copies = ledger.by_age(job.name, destination)
    if extent.dataset:
        copies = ((dataset, record) for dataset, record in copies if dataset == extent.dataset)
    if extent.within is not None:
        total = sum(row.tally.files for row in ledger.tallies(job.name) if row.destination == destination)
        return due(copies, total, extent.within, now, last)
    if extent.share < 1:
        return sampled(copies, extent.share, run)
    return copies


@dataclass(frozen=True, slots=True)
class _Check:
    opened: Opened
    ledger: Ledger
    report: CheckReport
    extent: Extent
    around: Surroundings


def _take(check: _Check, aim: Aim, findings: Sequence[Finding]) -> None:
    opened_job, ledger, report, around = check.opened, check.ledger, check.report, check.around
    job, now = opened_job.job.name, around.clock()
    good = [finding for finding in findings if finding.state == "good"]
    for dataset in sorted({finding.dataset for finding in good}):
        records = [_proved(finding, now) for finding in good if finding.dataset == dataset]
        ledger.refresh(report.run, job, dataset, aim.name, records, now)
    report.good += Tally(len(good), sum(finding.record.size_bytes for finding in good))
    around.monitor.finished(len(findings))
    for finding in findings:
        if finding.state == "good":
            continue
        done = ""
        if finding.state == "unreadable":
            report.unreadable += 1
        else:
            report.bad += 1
        if check.extent.repair:
            done = _repair(opened_job, ledger, aim, finding, report.run, around)
            if done and finding.state == "unreadable":
                report.unreadable -= 1
                report.bad += 1
            report.mended += bool(done)
        if finding.state != "unreadable" and not done:
            wrong = finding.record._replace(proof_kind=ProofKind.SIZE, proof_how=DISPROVED)
            ledger.refresh(report.run, job, finding.dataset, aim.name, [wrong], now)
            ledger.note(report.run, f"found-{finding.state}", job, _detail(aim.name, finding), now)
        if len(report.shown) < _SHOWN:
            report.shown.append((aim.name, finding, done))


def _proved(finding: Finding, now: datetime) -> Record:
    return finding.record._replace(
        proof_kind=ProofKind.READBACK, proof_how=finding.how, proved_at_us=round(now.timestamp() * 1_000_000)
    )


def _detail(destination: str, finding: Finding) -> dict[str, object]:
    return {
        "destination": destination,
        "dataset": finding.dataset,
        "key": ascii(finding.record.key)[1:-1],
        "why": finding.reason,
    }


def _place(opened_job: Opened, name: str) -> Place:
    return next(destination.place for destination in opened_job.job.destinations if destination.name == name)


# --- mending ----------------------------------------------------------------------------------------------------------


def _repair(opened_job: Opened, ledger: Ledger, aim: Aim, finding: Finding, run: int, around: Surroundings) -> str:
    """Write the recorded bytes anew, from the source or another destination; returns from where, "" when nobody has it.

    What stood there is set aside first, for it may be somebody's work and no damage.
    """
    record = finding.record
    for name, place, entry in _origins(opened_job, ledger, aim, finding):
        if finding.state == "unreadable" and not _is_whole(place, entry.path, finding):
            around.monitor.note(f"{aim.name}: {record.key} is not to be had whole from {name}")
            continue
        try:
            target = _target(aim, finding, run, opened_job.writer.owner)
        except StoreError as error:
            around.monitor.note(f"{aim.name}: {record.key} could not be set aside: {error.reason}")
            return ""
        expected = Expected(record.digest, record.source_mtime_ns, record.mode)
        batch = Batch(
            place,
            (_place(opened_job, aim.name),),
            (aim.volume,),
            (Send(entry, (target,)),),
            record.digest.algorithm,
            ProofKind.READBACK,
            opened_job.writer.owner,
            (expected,),
        )
        (outcome,) = process_batch(batch).outcomes
        if isinstance(outcome, Verified):
            mended = outcome._replace(entry=_source_entry(record))
            ledger.record(run, opened_job.job.name, finding.dataset, [mended], around.clock())
            _publish(opened_job, ledger, aim, finding.dataset, around)
            return f"mended from {name}"
        if isinstance(outcome, Trouble):
            around.monitor.note(f"{aim.name}: {record.key} could not be mended from {name}: {outcome.reason}")
    return ""


def _is_whole(place: Place, key: str, finding: Finding) -> bool:
    """Whether the recorded bytes can be read there: a copy that cannot be set aside is taken away only for these."""
    (there,) = check_batch(CheckBatch(place, ((finding.dataset, finding.record._replace(key=key)),)))
    return there.state == "good"


def _source_entry(record: Record) -> Entry:
    return Entry(
        record.path,
        record.size_bytes,
        record.source_mtime_ns,
        record.source_ctime_ns,
        record.source_inode,
        record.mode,
    )


def _origins(opened_job: Opened, ledger: Ledger, aim: Aim, finding: Finding) -> Iterator[tuple[str, Place, Entry]]:
    """Where the recorded bytes may still be: the source first, then the other destinations."""
    record = finding.record
    if not record.superseded:
        with suppress(StoreError):
            yield "the source", opened_job.job.source, opened_job.source.stat(record.path)
    copies = ledger.copies(opened_job.job.name, finding.dataset, record.path)
    for other in opened_job.aims:
        for name, copy in copies:
            if name == other.name != aim.name and copy.digest == record.digest:
                try:
                    yield other.name, _place(opened_job, other.name), other.store.stat(copy.key)
                except StoreError:
                    continue


def _target(aim: Aim, finding: Finding, run: int, owner: str) -> Target:
    """How to write over what stands there now."""
    record = finding.record
    reason = f"repaired: {finding.state}"
    if finding.state == "lost":
        return Target(aim.name, record.key, Manner.NEW, reason)
    try:
        aside = f"{OWN_FOLDER}/set-aside/{run}/{record.key}"
        deliver(aim.store, aside, copied(aim.store, record.key), owner)
    except NotFound:
        return Target(aim.name, record.key, Manner.NEW, reason)
    except StoreError:
        if finding.state != "unreadable":
            raise
    if finding.found is None:
        aim.store.delete(record.key)
        return Target(aim.name, record.key, Manner.NEW, reason)
    return Target(aim.name, record.key, Manner.REPLACE, reason, finding.found)


def _publish(opened_job: Opened, ledger: Ledger, aim: Aim, dataset: str, around: Surroundings) -> None:
    destination = next(d for d in opened_job.job.destinations if d.name == aim.name)
    if not destination.marker:
        return
    for name, error in publish_manifests(ledger, opened_job.job, aim, [dataset], opened_job.writer, around.clock()):
        around.monitor.note(f"{aim.name}: the manifest of {name} could not be written: {error.reason}")
