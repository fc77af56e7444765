"""What happens in one run of a job, in order?"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import cast

from coldchain.config.values import Destination, Job
from coldchain.content.pool import threads
from coldchain.errors import (
    ColdchainError,
    DestinationAbsent,
    Interrupted,
    LedgerStale,
    NothingSelected,
    StoreError,
    SuspiciousChange,
    UsageError,
)
from coldchain.instruments.base import open_instrument
from coldchain.ledger.ledger import Ledger
from coldchain.model import (
    Action,
    Dataset,
    Entry,
    Hold,
    Identity,
    Oddity,
    Outcome,
    Refuse,
    Send,
    SourceSeen,
    State,
    Trouble,
    Verified,
)
from coldchain.monitor import Monitor, Surroundings
from coldchain.operate.carry import Carrier
from coldchain.steps.compare import Side, Standard, compare
from coldchain.steps.draft import DatasetDraft, Draft
from coldchain.steps.identify import (
    Consent,
    Writer,
    admit_destination,
    check_not_emptied,
    identify_destination,
    identify_source,
)
from coldchain.steps.layout import layout_of
from coldchain.steps.plan import Aim, plan, refuse_oddity
from coldchain.steps.publish import leave_word, publish_manifest, read_agent
from coldchain.steps.recollect import Recollection
from coldchain.steps.report import DatasetReport, Report
from coldchain.steps.scan import scan
from coldchain.steps.settle import Settling
from coldchain.stores.base import Store, open_store
from coldchain.stores.names import NameRules

_KEPT_TROUBLES = 100
_RUNS_ASKED = 20
"""How many runs back it is looked whether each destination was swept since a run was killed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked of this one run."""

    consent: Consent = Consent()
    dataset: str = ""
    """Only this dataset; "" for all."""
    command: str = "run"


@dataclass(frozen=True, slots=True)
class Opened:
    """A job whose places were opened and recognised."""

    job: Job
    source: Store
    volume: str
    seen: SourceSeen | None
    aims: tuple[Aim, ...]
    writer: Writer
    absent: tuple[str, ...] = ()
    """Why optional destinations are left out; ``job`` does not name them."""


# --- opening ----------------------------------------------------------------------------------------------------------


@contextmanager
def opened(job: Job, ledger: Ledger, wish: Wish, around: Surroundings) -> Iterator[Opened]:
    """Open source and destinations, and make sure that they are what they were; writes nothing.

    An optional destination that is not is left out: it never holds the others up.
    """
    writer = Writer(job.name, around.host)
    with ExitStack() as stack:
        source = open_store(job.source)
        stack.callback(source.close)
        seen = ledger.source(job.name)
        volume = identify_source(job, source, seen, wish.consent)
        present, aims, absent = [], [], []
        for destination in job.destinations:
            store = open_store(destination.place)
            stack.callback(store.close)
            known = ledger.destination(job.name, destination.name)
            try:
                identity = identify_destination(writer, destination, store, known)
            except DestinationAbsent as error:
                if destination.required:
                    raise
                absent.append(f"left out, as it is optional: {error}")
                continue
            _check_memory(ledger, store, writer, destination.name)
            present.append(destination)
            aims.append(
                Aim(
                    destination.name,
                    store,
                    NameRules.from_json(identity.names),
                    job.on_change,
                    store.volume(),
                    writer.owner,
                )
            )
        if not aims:
            raise DestinationAbsent("\n".join(absent))
        served = replace(job, destinations=tuple(present))
        yield Opened(served, source, volume, seen, tuple(aims), writer, tuple(absent))


def admit(job: Job, ledger: Ledger, wish: Wish, around: Surroundings) -> Iterator[tuple[str, Identity]]:
    """Mark or accept the destinations that the person said so of; yields those that are new to the ledger."""
    for destination in job.destinations:
        known = ledger.destination(job.name, destination.name)
        accepted = destination.name in wish.consent.accept_destinations
        if accepted or (wish.consent.init and known is None):
            store = open_store(destination.place)
            try:
                identity = admit_destination(Writer(job.name, around.host), destination, store, known, around.clock())
            finally:
                store.close()
            yield destination.name, identity


def remember(job: Job, ledger: Ledger, around: Surroundings, opened_job: Opened) -> None:
    """Let the ledger know the identity of every destination that it meets for the first time, or accepted anew."""
    for destination, aim in zip(job.destinations, opened_job.aims, strict=True):
        known = ledger.destination(job.name, destination.name)
        if known is None:
            identity = identify_destination(opened_job.writer, destination, aim.store, None)
            ledger.see_destination(job.name, destination.name, destination.place.url, identity, around.clock())


def _check_memory(ledger: Ledger, store: Store, writer: Writer, name: str) -> None:
    """A destination remembers which event of which ledger came last; an older ledger was restored from somewhere."""
    word = read_agent(store, writer)
    number, _ = ledger.head()
    if word.get("ledger") == ledger.id and isinstance(last := word.get("event"), int) and last > number:
        raise LedgerStale(
            f"{name} knows of events up to {last:,} of this ledger, which itself ends at {number:,}: it is an older "
            f"copy. Bring it up to date by reading: coldchain rebuild {writer.job}"
        )


def recollect_all(opened_job: Opened, ledger: Ledger, run: int, around: Surroundings) -> Iterator[str]:
    """Learn from the manifests what a new ledger does not know yet (P8); yields sentences for the person.

    Copies are recorded as proved by their size only, so the run then reads and compares them.
    """
    stored = {row.destination for row in ledger.tallies(opened_job.job.name)}
    for destination, aim in zip(opened_job.job.destinations, opened_job.aims, strict=True):
        identity = ledger.destination(opened_job.job.name, aim.name)
        if aim.name in stored or identity is None:
            continue
        mine, author = _lost_ledger(opened_job, destination, aim, identity)
        if not mine:
            yield (
                f"{aim.name}: nothing was learnt from the manifests there, which may be of another ledger; equal files "
                f"are adopted. If they are of this job: coldchain rebuild {opened_job.job.name}"
            )
            continue
        recollection = Recollection(ledger, run, aim.store, destination.place, around)
        recollection.recollect(opened_job.job.name, identity.id, quick=True, ledger=author)
        learnt = recollection.report
        if learnt.manifests:
            yield (
                f"{aim.name}: this ledger is new; {learnt.rebuilt.files:,} files were learnt from "
                f"{learnt.manifests:,} manifests, and are proved again by reading them"
            )
        yield from learnt.troubles


def _lost_ledger(opened_job: Opened, destination: Destination, aim: Aim, identity: Identity) -> tuple[bool, str]:
    """Whether manifests there may be learnt from unasked, and of which ledger; "" for all.

    What another ledger stored under the same job name, from another host or another source, is not this job's to
    replace (P5): only the ledger that this job on this host had at its last run is known to be the one that was lost.
    """
    writer = opened_job.writer
    if word := read_agent(aim.store, writer):
        same_source = word.get("source", opened_job.job.source.url) == opened_job.job.source.url
        return same_source, str(word.get("ledger"))
    writers = identify_destination(writer, destination, aim.store, identity).writers
    return all(host == writer.host for job, host in writers if job == writer.job), ""


# --- planning ---------------------------------------------------------------------------------------------------------


def make_draft(opened_job: Opened, ledger: Ledger, wish: Wish, around: Surroundings) -> Draft:
    """Plan the whole job; raises what stops a run before anything is written."""
    job = opened_job.job
    draft = Draft(tuple(destination.name for destination in job.destinations))
    datasets = _chosen(open_instrument(job.instrument).find(opened_job.source, job.datasets), wish, job)
    now = around.clock()
    for dataset in datasets:
        _plan_dataset(opened_job, dataset, draft, ledger, now, around.monitor)
    check_not_emptied(job, draft.selected, opened_job.seen, wish.consent)
    if not draft.selected.files:
        raise NothingSelected(f"{job.name}: {job.source.url} has no file that the job selects")
    _brake(opened_job, wish)
    around.monitor.planned(draft.to_read.files, draft.to_read.size_bytes)
    return draft


def _chosen(datasets: Iterator[Dataset], wish: Wish, job: Job) -> list[Dataset]:
    found = list(datasets)
    if not wish.dataset:
        return found
    chosen = [dataset for dataset in found if dataset.name == wish.dataset]
    if not chosen:
        names = ", ".join(sorted(dataset.name for dataset in found)[:10])
        raise UsageError(f"{job.name}: {job.source.url} holds no dataset {wish.dataset!r}; there are: {names}")
    return chosen


def _plan_dataset(
    opened_job: Opened, dataset: Dataset, draft: Draft, ledger: Ledger, now: datetime, monitor: Monitor
) -> None:
    job, source = opened_job.job, opened_job.source
    planned = draft.begin(dataset)
    settling = Settling(job.settle, now, ledger.looks(job.name, dataset.name), source.busy)
    standard = Standard(job.verify, source.traits.stable_inodes)
    sides = []
    for destination, aim in zip(job.destinations, opened_job.aims, strict=True):
        layout = layout_of(destination.layout, job.name, dataset)
        region, without = layout.region(dataset)
        aim.enter(layout, region, without)
        records = ledger.stored(job.name, aim.name, dataset.name)
        sides.append(Side(aim.store, layout, records, aim.store.list(region, without=without), standard))

    last = None
    for action in _planned(scan(source, dataset, job), sides, opened_job.aims, settling, monitor):
        path = action.path if isinstance(action, Refuse) else action.entry.path
        draft.add(action, first_of_entry=path != last)
        last = path
    planned.looks = settling.looks
    planned.gone = max(side.gone() for side in sides)


def _planned(
    found: Iterator[Entry | Oddity], sides: list[Side], aims: tuple[Aim, ...], settling: Settling, monitor: Monitor
) -> Iterator[Action]:
    """The actions for a stream of findings, in its order."""
    for odd, group in groupby(found, key=lambda one: isinstance(one, Oddity)):
        if odd:
            yield from (refuse_oddity(one) for one in group if isinstance(one, Oddity))
        else:
            entries = _counted(cast("Iterator[Entry]", group), monitor)
            yield from plan(compare(entries, sides), aims, settling)


def _counted(entries: Iterator[Entry], monitor: Monitor) -> Iterator[Entry]:
    number = 0
    for number, entry in enumerate(entries, 1):
        yield entry
        if not number % 1000:
            monitor.looked(1000)
            if monitor.stopping:
                raise Interrupted("stopped while planning; nothing was sent")
    monitor.looked(number % 1000)


def _brake(opened_job: Opened, wish: Wish) -> None:
    brake = opened_job.job.brake
    for aim in opened_job.aims:
        if aim.stored >= brake.least and aim.changed > brake.share * aim.stored and not wish.consent.accept_changes:
            raise SuspiciousChange(
                f"{opened_job.job.name}: {aim.changed:,} of {aim.stored:,} files stored at {aim.name} changed since "
                f"the last run. Nothing was sent. If that is right: "
                f"coldchain run {opened_job.job.name} --accept-changes"
            )


# --- the run ----------------------------------------------------------------------------------------------------------


def run_job(job: Job, ledger: Ledger, wish: Wish, around: Surroundings) -> Report:
    """Plan, carry, prove, record, report; raises what makes the run senseless, before anything is written."""
    begun = time.monotonic()
    for name, identity in admit(job, ledger, wish, around):
        destination = next(d for d in job.destinations if d.name == name)
        ledger.see_destination(job.name, name, destination.place.url, identity, around.clock())
    with opened(job, ledger, wish, around) as opened_job:
        job = opened_job.job
        remember(job, ledger, around, opened_job)
        unclean, unswept = ledger.unfinished(job.name), _unswept(ledger, job)
        due = set() if unclean else _manifests_due(ledger, job)
        run = ledger.begin_run(job.name, wish.command, around.clock())
        report = _new_report(job, run, around)
        report.notes.extend(opened_job.absent)
        try:
            _sweep(opened_job, unswept)
            if unclean or not ledger.datasets(job.name):  # a run that failed at once has learnt nothing yet
                report.notes.extend(recollect_all(opened_job, ledger, run, around))
            draft = make_draft(opened_job, ledger, wish, around)
            _carry_all(_Run(opened_job, ledger, around, report, run), draft, due, everything=unclean)
            if not wish.dataset and not report.interrupted:
                ledger.see_source(job.name, SourceSeen(opened_job.volume, draft.selected, around.clock()))
        except ColdchainError as error:
            report.notes.append(str(error))
            _end(ledger, report, around, begun, exit_code=error.exit_code)
            raise
        _end(ledger, report, around, begun, exit_code=report.exit_code)
        _leave_word(opened_job, ledger, report)
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


def _manifests_due(ledger: Ledger, job: Job) -> set[str]:
    runs = ledger.runs(job.name, 1)
    due = runs[0].summary.get("manifests_due") if runs and runs[0].summary else None
    return {str(name) for name in due} if isinstance(due, list) else set()


def _unswept(ledger: Ledger, job: Job) -> set[str]:
    """The destinations with which no run came to its end since one was killed, or ever (a run may serve only some)."""
    waiting = {destination.name for destination in job.destinations}
    for row in ledger.runs(job.name, _RUNS_ASKED):
        if row.ended is None or not waiting:
            break
        datasets = row.summary.get("datasets")
        for dataset in datasets if isinstance(datasets, list) else ():
            waiting -= set(dataset["destinations"])
    return waiting


def _sweep(opened_job: Opened, names: Collection[str]) -> None:
    """Remove the temporary files of a run of this job on this host that was killed (P11)."""
    for aim in (aim for aim in opened_job.aims if aim.name in names):
        for found in list(_leftovers(aim, opened_job.writer.owner)):
            try:
                aim.store.delete(found)
            except StoreError:
                continue  # the run goes on, and the next one tries again


def _leftovers(aim: Aim, owner: str) -> Iterator[str]:
    return (found.path for found in aim.store.list() if aim.store.is_leftover(found.path, owner))


@dataclass(frozen=True, slots=True)
class _Run:
    opened: Opened
    ledger: Ledger
    around: Surroundings
    report: Report
    number: int


def _carry_all(run: _Run, draft: Draft, due: set[str], *, everything: bool) -> None:
    job, around = run.opened.job, run.around
    with threads(around.workers) as executor:
        carrier = Carrier(job, run.opened.source, run.opened.aims, run.opened.writer.owner, executor, around)
        for planned, actions in draft.by_dataset():
            dataset = run.report.begin(planned.dataset.name, planned.selected, planned.kept)
            dataset.gone = planned.gone
            changed = _carry_dataset(run, carrier, dataset, planned, actions)
            if everything or planned.dataset.name in due:
                changed |= set(draft.destinations)
            _publish(run, planned.dataset.name, changed)
    run.report.interrupted = around.monitor.stopping
    draft.close()


def _carry_dataset(
    run: _Run, carrier: Carrier, dataset: DatasetReport, planned: DatasetDraft, actions: Iterator[Action]
) -> set[str]:
    """Carry one dataset and record it; returns the destinations that hold something new."""
    job, ledger, clock = run.opened.job, run.ledger, run.around.clock
    settling = Settling(job.settle, clock(), {}, run.opened.source.busy)
    changed: set[str] = set()

    def take(outcomes: Sequence[Outcome]) -> None:
        verified = [outcome for outcome in outcomes if isinstance(outcome, Verified)]
        if verified:
            ledger.record(run.number, job.name, dataset.name, verified, clock())
            changed.update(outcome.destination for outcome in verified)
        _note(run, dataset, outcomes)

    carrier.carry(_sends(actions, run.report.destinations, take), settling.reason_to_wait, take)
    ledger.set_looks(job.name, dataset.name, planned.looks)
    return changed


def _sends(
    actions: Iterator[Action], destinations: tuple[str, ...], take: Callable[[Sequence[Outcome]], None]
) -> Iterator[Send]:
    """Yield what is to be sent; what was decided while planning is handed over a thousand at a time."""
    decided: list[Outcome] = []
    for action in actions:
        match action:
            case Send():
                yield action
            case Hold(entry, reason, names):
                decided.extend(Trouble(n, entry.path, entry.size_bytes, State.HELD, reason) for n in names)
            case Refuse(path, size_bytes, reason, name, state):
                names = (name,) if name else destinations
                decided.extend(Trouble(n, path, size_bytes, state, reason) for n in names)
        if len(decided) >= 1000:
            take(tuple(decided))
            decided.clear()
    if decided:
        take(decided)


def _note(run: _Run, dataset: DatasetReport, outcomes: Sequence[Outcome]) -> None:
    dataset.add(outcomes)
    troubles = [outcome for outcome in outcomes if isinstance(outcome, Trouble)]
    if troubles:
        run.report.integrity += sum(trouble.integrity for trouble in troubles)
        run.ledger.add_troubles(run.number, run.opened.job.name, dataset.name, troubles)
    run.around.monitor.finished(len(outcomes))


def _publish(run: _Run, dataset: str, changed: set[str]) -> None:
    job = run.opened.job
    for destination, aim in zip(job.destinations, run.opened.aims, strict=True):
        if aim.name not in changed or not destination.marker:
            continue
        if next(run.ledger.all_records(job.name, aim.name, dataset), None) is None:
            continue
        try:
            publish_manifest(run.ledger, job, aim, dataset, run.opened.writer, run.around.clock())
        except StoreError as error:
            run.report.notes.append(f"{aim.name}: the manifest of {dataset} could not be written: {error.reason}")
            if dataset not in run.report.manifests_due:
                run.report.manifests_due.append(dataset)


def _leave_word(opened_job: Opened, ledger: Ledger, report: Report) -> None:
    number, digest = ledger.head()
    word = {
        "ledger": ledger.id,
        "event": number,
        "event_hash": digest,
        "run": report.run,
        "ended": report.ended.isoformat() if report.ended else None,
        "source": report.source,
        "exit_code": report.exit_code,
        "files": report.selected.files,
    }
    for destination, aim in zip(opened_job.job.destinations, opened_job.aims, strict=True):
        if destination.marker:
            try:
                leave_word(aim.store, opened_job.writer, word)
            except StoreError as error:
                report.notes.append(f"{aim.name}: could not leave word of this run: {error.reason}")
