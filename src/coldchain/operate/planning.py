"""What shall a run do, dataset by dataset, and what stops it before its first byte?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby
from typing import NamedTuple, cast

from coldchain.config.values import Job
from coldchain.errors import Interrupted, NotFound, NothingSelected, StoreError, SuspiciousChange, UsageError
from coldchain.instruments.base import Look
from coldchain.ledger.ledger import Ledger
from coldchain.model import Action, Dataset, Entry, Oddity, Refuse, Tally
from coldchain.monitor import Monitor, Surroundings
from coldchain.operate.opening import Opened, Wish
from coldchain.steps.begun import Known, notes_in, recall
from coldchain.steps.compare import Side, Standard, compare
from coldchain.steps.draft import Draft
from coldchain.steps.identify import check_not_emptied
from coldchain.steps.judge import Judging
from coldchain.steps.layout import Region, check_apart, layout_of
from coldchain.steps.plan import Aim, plan, refuse_oddity
from coldchain.steps.scan import Walks, growing, scan
from coldchain.steps.select import select_datasets
from coldchain.steps.settle import Settling

ACQUIRING = "acquiring"
"""The word in ``pause_while`` for: nothing is carried while a dataset is being acquired."""


def make_draft(
    opened_job: Opened, ledger: Ledger, wish: Wish, around: Surroundings, expect: Callable[[Tally], None] | None = None
) -> Draft:
    """Plan the whole job; raises what stops a run before anything is written.

    ``expect`` is told, dataset by dataset, how much is to be read so far.
    """
    job = opened_job.job
    draft = Draft(tuple(destination.name for destination in job.destinations), job.incomplete)
    selected = select_datasets(opened_job.instrument, opened_job.source, job)
    draft.absent = selected.absent
    for destination in job.destinations:
        check_apart(destination, job.name, selected.datasets)
    now = around.clock()
    walks = Walks(opened_job.source)
    begun = recall(notes_in(around.begun)) if around.begun else {}
    for dataset in _chosen(selected.datasets, wish, job):
        _plan_dataset(_Planning(opened_job, draft, ledger, walks, now, around.monitor, begun), dataset)
        if expect is not None:
            expect(draft.to_read)
    if not wish.vanishing:  # else it is the few datasets of a hint that are empty, not the source
        check_not_emptied(job, draft.selected, opened_job.seen, wish.consent)
    if not draft.selected.files:
        raise NothingSelected(f"{job.name}: {job.source.url} has no file that the job selects")
    _brake(opened_job, wish)
    draft.seal(undisturbed=opened_job.instrument.habits.undisturbed or ACQUIRING in job.pause_while)
    around.monitor.planned(draft.to_read.files, draft.to_read.size_bytes)
    return draft


def _chosen(found: list[Dataset], wish: Wish, job: Job) -> list[Dataset]:
    if not wish.datasets:
        return found
    known = {dataset.name for dataset in found}
    if not wish.vanishing and (absent := sorted(wish.datasets - known)):
        names = ", ".join(sorted(known)[:10])
        raise UsageError(f"{job.name}: {job.source.url} holds no dataset {absent[0]!r}; there are: {names}")
    return [dataset for dataset in found if dataset.name in wish.datasets]


class _Planning(NamedTuple):
    opened: Opened
    draft: Draft
    ledger: Ledger
    walks: Walks
    now: datetime
    monitor: Monitor
    begun: Known


def _plan_dataset(planning: _Planning, dataset: Dataset) -> None:
    opened_job, draft, ledger, walks, now, monitor, _ = planning
    job, source, instrument = opened_job.job, opened_job.source, opened_job.instrument
    planned = draft.begin(dataset)
    earlier = ledger.looks(job.name, dataset.name)
    settling = Settling(opened_job.settle, now, earlier, source.busy, growing(job), draft.remember)
    judging = Judging(instrument, dataset, ledger.acquisition(job.name, dataset.name), Look(source, job, now))
    standard = Standard(job.verify, source.traits.stable_inodes)
    sides = [
        Side(aim.store, ledger.stored(job.name, aim.name, dataset.name), standard, planning.begun.get(aim.name))
        for aim in opened_job.aims
    ]
    last = None
    for part in dataset.parts:
        for side, destination, aim in zip(sides, job.destinations, opened_job.aims, strict=True):
            layout = layout_of(destination.layout, job.name, dataset, part)
            region = layout.region(part)
            aim.enter(layout, region.folder, region.without)
            side.enter(layout, _standing(aim, region, monitor))
        found = scan(walks, part, job, judging.see)
        for action in _planned(found, sides, opened_job.aims, settling, monitor):
            path = action.path if isinstance(action, Refuse) else action.entry.path
            scope = instrument.marker(dataset, path)
            wave = 0 if scope is None else 1 if scope else 2
            draft.add(action, first_of_entry=path != last, wave=wave)
            last = path
    planned.recent = settling.recent
    planned.gone = max(side.gone() for side in sides)
    planned.judged = judging.judged(planned.unsettled)


def _standing(aim: Aim, region: Region, monitor: Monitor) -> Iterator[Entry | Oddity]:
    """What stands there now; where that cannot be listed, each file finds out by itself that it cannot be written."""
    try:
        yield from aim.walks.walk(*region)
    except StoreError as error:
        if error.ends_store or isinstance(error, NotFound):
            raise
        monitor.note(f"{aim.name}: {region.folder or 'its folder'} cannot be listed: {error.reason}")


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
