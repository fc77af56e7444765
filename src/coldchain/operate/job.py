"""What happens in one run of a job, in order?"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from coldchain.config.values import Incomplete, Job
from coldchain.content.batches import BATCH_BYTES, BATCH_FILES
from coldchain.content.pool import threads
from coldchain.errors import ColdchainError, StoreError, WorkerLost
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.runs import RunRow
from coldchain.model import SourceSeen
from coldchain.monitor import Surroundings
from coldchain.operate.carry import Carrier
from coldchain.operate.convoy import Run, Traveller, carry_convoy, convoys
from coldchain.operate.fleet.heartbeat import leave_word_of_run, leave_word_of_trouble
from coldchain.operate.opening import Opened, Wish, admit_all, opened, recollect_all, remember
from coldchain.operate.planning import make_draft
from coldchain.operate.sampling import Sampling
from coldchain.steps.begun import forget, notes_in
from coldchain.steps.draft import DatasetDraft, Draft
from coldchain.steps.plan import Aim
from coldchain.steps.publish import publish_manifests
from coldchain.steps.report import DatasetReport, Report
from coldchain.steps.workers import Workers
from coldchain.verdict import Condition, Remark

_KEPT_TROUBLES = 100
_MANIFESTS_TOGETHER = 50
_RUNS_ASKED = 20
"""How many runs back it is looked what each destination is owed, and whether it was swept since a run was killed."""


def run_job(job: Job, ledger: Ledger, wish: Wish, around: Surroundings) -> Report:
    """Plan, carry, prove, record, report; raises what makes the run senseless, before anything is written.

    Of that, word is left at those destinations that can be reached.
    """
    started, sampling = around.clock(), Sampling(around.monitor)
    try:
        report = _run_job(job, ledger, wish, replace(around, monitor=sampling), sampling)
    except ColdchainError as error:
        leave_word_of_trouble(job, ledger, wish, error, started, around)
        sampling.run_stopped(error)
        raise
    sampling.run_ended(report)
    return report


def _run_job(job: Job, ledger: Ledger, wish: Wish, around: Surroundings, sampling: Sampling) -> Report:
    begun = time.monotonic()
    list(admit_all(job, ledger, wish, around))
    with opened(job, ledger, wish, around) as opened_job:
        job = opened_job.job
        remember(job, ledger, around, opened_job)
        left = notes_in(around.begun) if around.begun else []
        rows, unclean = ledger.runs(job.name, _RUNS_ASKED), ledger.unfinished(job.name)
        unswept, owed = _unswept(rows, job), _manifests_due(ledger, rows, job)
        run = ledger.begin_run(job.name, wish.command, around.clock())
        report = _new_report(job, run, around)
        report.notes.extend(opened_job.absent)
        sampling.run_begun(report)
        try:
            _sweep(opened_job, unswept)
            if unclean or not ledger.datasets(job.name):  # a run that failed at once has learnt nothing yet
                report.notes.extend(recollect_all(opened_job, ledger, run, around))
            with closing(_workers(opened_job, around)) as workers:
                draft = make_draft(opened_job, ledger, wish, around, workers.expect)
                this = Run(opened_job, ledger, around, report, run, sampling)
                _carry_all(this, draft, owed, workers, everything=unclean)
            if not wish.datasets and not report.interrupted:
                ledger.see_source(job.name, SourceSeen(opened_job.volume, draft.selected, around.clock()))
        except WorkerLost:
            raise
        except ColdchainError as error:
            report.notes.append(str(error))
            report.manifests_due, report.sweep_due = sorted(owed), _sweep_due(opened_job)
            report.throughput = sampling.throughput()
            _end(ledger, report, around, begun, exit_code=error.exit_code)
            raise
        report.ended, report.throughput = around.clock(), sampling.throughput()
        report.sweep_due = _sweep_due(opened_job)
        # before the run has ended: whoever is killed here is swept up after
        leave_word_of_run(opened_job, ledger, report, wish)
        _end(ledger, report, around, begun, exit_code=report.exit_code)
        if report.exit_code == 0 and not (wish.datasets or wish.left_out or opened_job.absent):
            forget(left)  # every file has a record now
    return report


def _new_report(job: Job, run: int, around: Surroundings) -> Report:
    names = tuple(destination.name for destination in job.destinations)
    required = frozenset(destination.name for destination in job.destinations if destination.required)
    return Report(job.name, job.source.url, names, required, around.clock(), run)


def _end(ledger: Ledger, report: Report, around: Surroundings, begun: float, *, exit_code: int) -> None:
    report.ended = around.clock()
    report.duration_s = time.monotonic() - begun
    ledger.end_run(report.run, report.ended, exit_code, report.as_json() | {"exit_code": exit_code})
    ledger.forget_old_troubles(report.job, _KEPT_TROUBLES)


def _manifests_due(ledger: Ledger, rows: Sequence[RunRow], job: Job) -> set[str]:
    """The datasets whose manifests are owed to a destination since a run served it last; all after a kill or a rebuild.

    What a lost ledger knew of debts is lost with it: of the two files of a manifest, one may be an older one.  A run
    pays only the destinations that it serves, and a check or a rebuild pays none.
    """
    owed, unserved = set[str](), {destination.name for destination in job.destinations}
    for row in rows:
        if row.ended is None or row.command == "rebuild":
            return set(ledger.datasets(job.name))
        due = row.summary.get("manifests_due")
        owed |= {str(name) for name in due} if isinstance(due, list) else set()
        unserved -= {name for name, _ in _lots(row)}
        if not unserved:
            return owed
    return owed if len(rows) < _RUNS_ASKED else set(ledger.datasets(job.name))


def _unswept(rows: Sequence[RunRow], job: Job) -> set[str]:
    """The destinations where the last run that served them may have left something, or that none ever served.

    A run may serve only some of them, and may lose one on its way.  A ledger that was rebuilt may have been put back to
    before a run that was killed, and know nothing of it.
    """
    unknown, unswept = {destination.name for destination in job.destinations}, set[str]()
    for row in rows:
        if row.ended is None or not unknown or row.command == "rebuild":
            break
        lots = _lots(row)
        due = row.summary.get("sweep_due")
        left = {str(name) for name in due} if isinstance(due, list) else set()
        left |= {name for name, lot in lots if lot["failed"]["files"]}  # it may have gone away
        unswept |= left & unknown
        unknown -= {name for name, _ in lots}
    return unswept | unknown


def _lots(row: RunRow) -> list[tuple[str, Any]]:
    """What a run wrote down of each dataset at each destination that it served."""
    datasets = row.summary.get("datasets")
    return [lot for one in datasets for lot in one["destinations"].items()] if isinstance(datasets, list) else []


def _sweep_due(opened_job: Opened) -> list[str]:
    return [aim.name for aim in opened_job.aims if aim.unswept]


def _sweep(opened_job: Opened, names: Collection[str]) -> None:
    """Remove the temporary files of a run of this job on this host that could not do it itself (P11)."""
    for aim in (aim for aim in opened_job.aims if aim.name in names):
        for found in list(_leftovers(aim, opened_job.writer.owner)):
            try:
                aim.store.delete(found)
            except StoreError:
                continue  # the run goes on, and the next one tries again


def _leftovers(aim: Aim, owner: str) -> Iterator[str]:
    return (found.path for found in aim.store.list() if aim.store.is_leftover(found.path, owner))


def _is_large(planned: DatasetDraft) -> bool:
    """Whether a dataset took so long that its manifest should not wait for others."""
    return planned.selected.files >= 10 * BATCH_FILES or planned.selected.size_bytes >= 10 * BATCH_BYTES


def _workers(opened_job: Opened, around: Surroundings) -> Workers:
    stores = (opened_job.source, *(aim.store for aim in opened_job.aims))
    anywhere = all(store.traits.opens_anywhere for store in stores)
    return Workers(around.workers, around.monitor, anywhere=anywhere)


def _carry_all(run: Run, draft: Draft, owed: set[str], workers: Workers, *, everything: bool) -> None:
    """``owed`` names the datasets whose manifests an earlier run did not write; whatever happens, it is kept true."""
    job, around = run.opened.job, run.around
    run.report.absent.extend(draft.absent)
    with workers.carrying(draft.to_read) as carry, threads(around.workers) as executor:
        carrier = Carrier(run.opened, executor, carry, around)
        waiting = _Waiting(owed, {one.dataset.name for one in draft.datasets})
        for together in convoys(draft):
            travellers = [Traveller.of(run, planned, waves) for planned, waves in together]
            try:
                carry_convoy(carrier, travellers, run.ledger)
            finally:
                owed.update(one.dataset.name for one in travellers if one.changed)
            for one in travellers:
                _arrived(run, one, waiting, every=draft.destinations if everything else ())
            if waiting.longest >= _MANIFESTS_TOGETHER or any(_is_large(one.planned) for one in travellers):
                _publish(run, waiting)
        waiting.add_unreached(job)
        _publish(run, waiting)
    run.report.interrupted = around.monitor.stopping
    draft.close()


def _arrived(run: Run, one: Traveller, waiting: _Waiting, *, every: Collection[str]) -> None:
    """Judge a dataset that was carried, and remember where its manifests are due."""
    dataset, planned, job = one.dataset, one.planned, run.opened.job
    run.ledger.set_looks(job.name, dataset.name, planned.looks)
    changed = one.changed | set(every)
    if _judge(run, dataset, planned, sure=not one.moved) or dataset.name in waiting.owed:
        changed |= {destination.name for destination in job.destinations}
    run.sampling.dataset_ended(dataset)
    for destination in job.destinations:
        if destination.name in changed and destination.marker:
            waiting.add(destination.name, dataset)


def _judge(run: Run, dataset: DatasetReport, planned: DatasetDraft, *, sure: bool) -> bool:
    """Write down what the instrument says of the dataset; returns whether its manifests must be written for that."""
    judged, job, now = planned.judged, run.opened.job, run.around.clock()
    verdict = judged.verdict
    if not judged.stamp:
        return False
    if not sure and verdict.condition is Condition.COMPLETE:  # a file was carried as it was after it had been judged
        verdict = replace(verdict, condition=Condition.ACQUIRING, summary="changed while it was carried")
    if job.incomplete is Incomplete.FLAG:
        flagged = (Remark(path, f"carried although not whole: {why}") for path, why in verdict.unwhole.items())
        verdict = replace(verdict, remarks=(*verdict.remarks, *flagged))
    dataset.verdict = verdict
    known = run.ledger.acquisition(job.name, dataset.name)
    if judged.overdue(known, job.max_open, now) and known is not None:
        run.report.notes.append(
            f"{dataset.name}: open since {known.first_seen:%Y-%m-%d %H:%M}: {verdict.summary or 'not complete'}"
        )
    instrument = run.opened.instrument.name
    stamp = judged.stamp if sure else ""
    run.ledger.judge(run.number, job.name, dataset.name, instrument, stamp, verdict, judged.remembered or {}, now)
    return known is None or replace(known.verdict, summary="") != replace(verdict, summary="")


class _Waiting:
    """Datasets whose manifests are due, by destination; and those that lie there complete and wholly verified."""

    def __init__(self, owed: set[str], planned: Collection[str]) -> None:
        self.due: dict[str, list[str]] = {}
        self.sealed: dict[str, set[str]] = {}
        self.owed = owed
        """Every dataset of which a manifest is not what it should be, here or from an earlier run."""
        self._unreached = owed - set(planned)

    def add(self, destination: str, dataset: DatasetReport) -> None:
        self.due.setdefault(destination, []).append(dataset.name)
        self.owed.add(dataset.name)
        if dataset.is_sealed(destination):
            self.sealed.setdefault(destination, set()).add(dataset.name)

    def add_unreached(self, job: Job) -> None:
        """What an earlier run owes of datasets that this one does not look at, or that are gone from the source."""
        for destination in job.destinations:
            if destination.marker:
                self.due.setdefault(destination.name, []).extend(sorted(self._unreached))

    @property
    def longest(self) -> int:
        return max(map(len, self.due.values()), default=0)


def _publish(run: Run, waiting: _Waiting) -> None:
    """Write the manifests that wait, and forget that they do; each destination is flushed once for all of them."""
    job, report, ledger, writer = run.opened.job, run.report, run.ledger, run.opened.writer
    written = set[str]().union(*waiting.due.values())
    for aim in run.opened.aims:
        due, sealed = waiting.due.pop(aim.name, []), waiting.sealed.pop(aim.name, set())
        for dataset, error in publish_manifests(ledger, job, aim, due, writer, run.around.clock(), sealed):
            report.notes.append(f"{aim.name}: the manifest of {dataset} could not be written: {error.reason}")
            if dataset not in report.manifests_due:
                report.manifests_due.append(dataset)
    waiting.owed -= written.difference(report.manifests_due)
