"""What does each side hold, when other code counts it once more?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from coldchain.config.values import Destination, Job
from coldchain.errors import ColdchainError, StoreError
from coldchain.instruments.base import open_instrument
from coldchain.ledger.ledger import Ledger
from coldchain.model import OWN_FOLDER, Dataset, Part, Tally
from coldchain.notify.letter import Listing, Table, tally
from coldchain.steps.layout import layout_of
from coldchain.steps.recount import Comparison, Range, compare, listed, trouble
from coldchain.steps.report import Report
from coldchain.steps.scan import selection
from coldchain.steps.second_opinion import Opinion, rclone_size, would_carry
from coldchain.steps.select import select_datasets
from coldchain.stores.base import open_store

_log = logging.getLogger(__name__)

_LIMIT = 500_000
"""Larger datasets are left out: their names do not fit into memory twice."""
_NAMED = 100


@dataclass(slots=True)
class _Count:
    """One side."""

    title: str
    ours: Tally = Tally()
    fresh: Tally = Tally()
    others: Tally = Tally()
    asked: Opinion | None = None
    differences: list[str] = field(default_factory=list)
    more: int = 0

    def add(self, expected: dict[str, int], found: Comparison) -> None:
        self.ours += Tally(len(expected), sum(expected.values()))
        self.fresh += found.found
        self.others += found.others
        self.differences += found.differences
        self.more += found.more

    def row(self) -> tuple[str, ...]:
        others = f" and {tally(self.others)} that are not ours" if self.others.files else ""
        asked = "" if self.asked is None else f"would carry {self.asked.files:,}"
        return (self.title, tally(self.ours), f"{tally(self.fresh)}{others}", asked)


def counted(job: Job, report: Report, ledger: Ledger) -> tuple[Table | Listing, ...]:
    """Count both sides of each dataset of a run, and name the differences; what cannot be counted is said."""
    try:
        counts, left_out = _count(job, report, ledger)
    except StoreError as error:
        return (Listing("Not counted again", (trouble(error),)),)
    except ColdchainError as error:
        return (Listing("Not counted again", (str(error),)),)
    except Exception as error:  # as in ``held``: a count that fails must not cost the message
        return (Listing("Not counted again", (f"this is a bug in coldchain ({type(error).__name__})",)),)
    program = next((one.asked.program for one in counts if one.asked), "another program")
    columns = ("", "by our records", "by a fresh listing", program)
    lines = [f"{one.title}: {said}" for one in counts for said in one.differences]
    more = sum(one.more for one in counts) + max(0, len(lines) - _NAMED)
    found: list[Table | Listing] = [Table("Counted again, by other code", columns, tuple(one.row() for one in counts))]
    if lines:
        found.append(Listing("Differences, file by file", tuple(lines[:_NAMED]), more))
    if left_out:
        found.append(Listing("Not counted again: too many files to name", tuple(left_out[:_NAMED])))
    return tuple(found)


def held(job: Job) -> dict[str, Tally]:
    """What lies at the source and at each destination, all of it, by a fresh listing; "" is the source.

    A side that cannot be listed is left out: a run says by itself what is wrong with it.
    """
    found: dict[str, Tally] = {}
    for name, place in [("", job.source), *((one.name, one.place) for one in job.destinations)]:
        try:
            found[name] = sum((Tally(1, size) for _, size in listed(place, Range(without={OWN_FOLDER}))), Tally())
        except Exception as error:  # libraries of stores have errors of their own; counting never stops a run (P13)
            _log.info("%s could not be counted: %s", name or "the source", type(error).__name__)
    return found


def wholes(job: Job, before: Mapping[str, Tally] | None) -> tuple[Table, ...]:
    """Both sides as a whole, before the run and now; nothing when nobody counted before."""
    if before is None:
        return ()
    after, places = held(job), [("", job.source), *((one.name, one.place) for one in job.destinations)]
    rows = []
    for name, place in places:
        listings = (tally(one[name]) if name in one else "not listed" for one in (before, after))
        size = rclone_size(place)
        rows.append((name or "source", *listings, "" if size is None else tally(size)))
    columns = ("", "before the run", "after the run", "rclone size")
    return (Table("All that lies there, by a fresh listing", columns, tuple(rows)),)


def _count(job: Job, report: Report, ledger: Ledger) -> tuple[list[_Count], list[str]]:
    source = _Count("source")
    counts = {one.name: _Count(one.name) for one in job.destinations if one.name in report.destinations}
    wanted = {one.name for one in report.datasets if one.selected.files <= _LIMIT}
    left_out = [one.name for one in report.datasets if one.name not in wanted]
    store = open_store(job.source)
    try:
        instrument = open_instrument(job.instrument)
        datasets = [one for one in select_datasets(instrument, store, job).datasets if one.name in wanted]
    finally:
        store.close()
    selected = selection(job)
    for dataset in datasets:
        _add_source(source, job, dataset, selected, ledger)
        for destination in job.destinations:
            if destination.name in counts:
                _add_destination(counts[destination.name], job, destination, dataset, ledger)
    for destination in job.destinations:
        if destination.name in counts and destination.layout == "{path}":
            counts[destination.name].asked = would_carry(job.source, destination.place, selected)
    return [source, *counts.values()], left_out


def _add_source(count: _Count, job: Job, dataset: Dataset, selected: Callable[[str], bool], ledger: Ledger) -> None:
    """Every file that is selected must be recorded at some destination; what is gone from the source may be."""
    here = {path: size for part in dataset.parts for path, size in _of_part(job, part) if selected(path)}
    recorded: dict[str, int] = {}
    for destination in job.destinations:
        records = ledger.stored(job.name, destination.name, dataset.name)
        recorded |= {one.path: one.size_bytes for one in records if one.path in here}
    unknown = sorted(path for path in here if path not in recorded)
    found = compare(recorded, iter([(path, here[path]) for path in recorded]))
    said = [f"{path}: {here[path]:,} bytes, not recorded anywhere" for path in unknown[:_NAMED]]
    more = found.more + len(unknown) - len(said)
    unrecorded = Tally(len(unknown), sum(here[path] for path in unknown))
    count.add(recorded, Comparison(found.found + unrecorded, (*found.differences, *said), more, Tally()))


def _of_part(job: Job, part: Part) -> Iterator[tuple[str, int]]:
    folders = {beginning[:-1] for beginning in part.without if beginning.endswith("/")}
    if not part.root:
        folders.add(OWN_FOLDER)
    names = tuple(beginning for beginning in part.without if not beginning.endswith("/"))
    for path, size_bytes in listed(job.source, Range(part.root, part.begins, folders)):
        if not (names and path.startswith(names)):
            yield path, size_bytes


def _add_destination(count: _Count, job: Job, destination: Destination, dataset: Dataset, ledger: Ledger) -> None:
    expected = {one.key: one.size_bytes for one in ledger.stored(job.name, destination.name, dataset.name)}
    regions = (layout_of(destination.layout, job.name, dataset, part).region(part) for part in dataset.parts)
    ranges = [Range(folder, begins, {*without, OWN_FOLDER}) for folder, begins, without in regions]
    found = {key: size_bytes for where in ranges for key, size_bytes in listed(destination.place, where)}
    count.add(expected, compare(expected, iter(found.items())))
