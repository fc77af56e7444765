"""What happens when stored copies are proved again, and mended?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from coldchain.config.values import Job
from coldchain.content.batches import in_batches
from coldchain.content.pool import as_completed, threads
from coldchain.ledger.ledger import Ledger
from coldchain.model import DISPROVED, ProofKind, Record, Tally
from coldchain.monitor import Surroundings
from coldchain.operate.mend import has_manifests, mend, place_of, write_anew
from coldchain.operate.opening import Opened, Wish, opened
from coldchain.steps.check import CheckBatch, Finding, check_batch, due, sampled
from coldchain.steps.plan import Aim
from coldchain.steps.reread import Reread, reread

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
    manifests: Counter[str] = field(default_factory=Counter)
    """Files of manifests by state; ``mended`` for those that were written anew."""
    shown_manifests: list[tuple[str, Reread, str]] = field(default_factory=list)
    """(destination, what is wrong, what was done about it); the first hundred."""
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """4 when a copy or manifest is wrong, or a copy lost, and was not mended; 6 when there is no copy.

        3 when one could not be read, or a manifest is not there or not up to date.
        """
        if self.interrupted:
            return 130
        if self.bad > self.mended or self.manifests["corrupt"]:
            return 4
        if self.unreadable or self.manifests.keys() & {"lost", "outdated", "unreadable"}:
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
            "manifests": dict(self.manifests),
            "manifest_findings": [
                {"destination": destination, **found._asdict(), "done": done}
                for destination, found, done in self.shown_manifests
            ],
        }


def check_job(job: Job, ledger: Ledger, extent: Extent, wish: Wish, around: Surroundings) -> CheckReport:
    """Prove stored copies again, destination by destination; with ``repair`` mend what is wrong."""
    with opened(job, ledger, wish, around) as opened_job:
        last = next((row.ended for row in ledger.runs(job.name, 1000) if row.command == "check" and row.ended), None)
        report = CheckReport(job.name, ledger.begin_run(job.name, "check", around.clock()))
        check = _Check(opened_job, ledger, report, extent, around)
        with threads(around.workers) as executor:
            for aim in opened_job.aims:
                copies = _chosen(ledger, job, aim.name, extent, around.clock(), (last, report.run))
                batches = (
                    CheckBatch(place_of(opened_job, aim.name), tuple(batch), aim.volume)
                    for batch in in_batches(copies, lambda copy: copy[1].size_bytes)
                )
                work = partial(check_batch, monitor=around.monitor)
                datasets: set[str] = set()
                for _, findings in as_completed(executor, work, batches, ahead=2 * around.workers):
                    datasets.update(finding.dataset for finding in findings)
                    _take(check, aim, findings)
                _reread_all(check, aim, datasets)
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
            done = mend(opened_job, ledger, aim, finding, report.run, around)
            if done and finding.state == "unreadable":
                report.unreadable -= 1
                report.bad += 1
            report.mended += bool(done)
        if finding.state != "unreadable" and not done:
            wrong = finding.record._replace(proof_kind=ProofKind.SIZE, proof_how=DISPROVED)
            ledger.refresh(report.run, job, finding.dataset, aim.name, [wrong], now)
            detail = _detail(aim.name, finding.dataset, finding.record.key, finding.reason)
            ledger.note(report.run, f"found-{finding.state}", job, detail, now)
        if len(report.shown) < _SHOWN:
            report.shown.append((aim.name, finding, done))


def _proved(finding: Finding, now: datetime) -> Record:
    return finding.record._replace(
        proof_kind=ProofKind.READBACK, proof_how=finding.how, proved_at_us=round(now.timestamp() * 1_000_000)
    )


def _detail(destination: str, dataset: str, key: str, why: str) -> dict[str, object]:
    return {"destination": destination, "dataset": dataset, "key": ascii(key)[1:-1], "why": why}


def _reread_all(check: _Check, aim: Aim, datasets: Collection[str]) -> None:
    """Read the manifests of every dataset of which a copy was read; with ``repair`` write anew what is wrong."""
    if not has_manifests(check.opened, aim):
        return
    report, around = check.report, check.around
    for dataset in sorted(datasets):
        if around.monitor.stopping:
            return
        for found in reread(check.ledger, report.job, aim, dataset, check.opened.job.digest):
            done = ""
            if check.extent.repair and found.state not in {"good", "unreadable"}:
                done = "written anew" if write_anew(check.opened, check.ledger, aim, dataset, around) else ""
            report.manifests["mended" if done else found.state] += 1
            if found.state == "good":
                continue
            if len(report.shown_manifests) < _SHOWN:
                report.shown_manifests.append((aim.name, found, done))
            if not done and found.state != "unreadable":
                detail = _detail(aim.name, dataset, found.key, found.reason)
                check.ledger.note(report.run, f"manifest-{found.state}", report.job, detail, around.clock())
