"""Where do the days, or the series, of a source lie?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from coldchain.config.values import Job
from coldchain.errors import StoreError
from coldchain.instruments.ifcb.names import (
    ASIDE,
    beginning_of,
    bin_of,
    date_of,
    day_of,
    instrument_of,
    is_day,
    is_new,
    is_year,
)
from coldchain.model import OWN_FOLDER, REST, Dataset, Part
from coldchain.stores.base import Store


@dataclass(slots=True)
class _Day:
    parts: list[Part] = field(default_factory=list)
    there: bool = False
    """It has a folder, or a bin: not only products that lie beside the bins of other days."""
    instruments: set[str] = field(default_factory=set)
    unlisted: bool = False
    """It has a folder that nobody looked into."""


class _Flat:
    """One folder that is no day's own: which days have files directly in it?"""

    def __init__(self) -> None:
        self.days: set[str] = set()
        self.bins: dict[str, set[str]] = {}
        """Day to the instruments of its bins."""

    def see(self, path: str) -> None:
        name = path[path.rfind("/") + 1 :]
        day = day_of(name)
        if not day:
            return
        self.days.add(day)
        if bin_of(path):
            self.bins.setdefault(day, set()).add(instrument_of(name[:-4]))


def find_days(source: Store, job: Job) -> Iterator[Dataset]:
    """Find the days in every layout, and the folders that are put aside.

    A day is its own folder wherever there is one, and its bins in other folders, with all that begins like them there.
    The folder of a day is not listed, unless a layout wants to know the instrument: the scan does that anyway, and on
    a share it is what costs.
    """
    days: dict[str, _Day] = {}
    asides: list[str] = []
    folders = [""]
    while folders:
        folder = folders.pop()
        below = _folders(source, folder)
        flat = _look_into(source, folder, below)
        beginnings = tuple(beginning_of(day) for day in flat.days) if flat.bins else ()
        outside = [name for name in below if not (beginnings and name.startswith(beginnings))]
        without = tuple(f"{_join(folder, name)}/" for name in outside)
        for day in flat.days if flat.bins else ():
            known = days.setdefault(day, _Day())
            known.parts.append(Part(folder, beginning_of(day), without=without))
            known.there |= day in flat.bins
            known.instruments |= flat.bins.get(day, set())
        for name in outside:
            path = _join(folder, name)
            if name in ASIDE:
                asides.append(path)
            elif is_day(name):
                _add_folder(days.setdefault(name, _Day()), path)
            else:
                folders.append(path)
    yield from (Dataset(path, (Part(path),)) for path in asides)
    wanted = _wants_instrument(job)
    for name in sorted(days):
        if days[name].there:
            yield _dataset(source, name, days[name], look=wanted)


def _add_folder(day: _Day, path: str) -> None:
    day.parts.append(Part(path))
    day.there = day.unlisted = True


def _dataset(source: Store, name: str, day: _Day, *, look: bool) -> Dataset:
    parts = tuple(sorted(day.parts, key=lambda part: part.start))
    fields = []
    if date := date_of(name):
        fields = [("date", date.isoformat()), ("year", f"{date:%Y}"), ("month", f"{date:%m}")]
    instruments = day.instruments
    if not is_new(name):
        instruments = {instrument_of(name)}
    elif day.unlisted and look:
        instruments = instruments.union(*(_instruments(source, part.root) for part in parts if not part.begins))
    elif day.unlisted:
        instruments = set()
    if len(instruments) == 1:
        fields.append(("instrument", min(instruments)))
    return Dataset(name, parts, tuple(fields))


def find_series(source: Store, job: Job) -> Iterator[Dataset]:
    """Find the folders at the top that hold bins; where the top itself holds bins, days or years, it is one series."""
    below = _folders(source, "")
    is_series = _look_into(source, "", below).bins or any(
        _holds_bins(source, name) for name in below if is_day(name) or is_year(name)
    )
    if is_series:
        yield Dataset(REST)
        return
    for name in below:
        if name in ASIDE or _holds_bins(source, name):
            instruments = _instruments(source, name) if _wants_instrument(job) else set()
            fields = (("instrument", min(instruments)),) if len(instruments) == 1 else ()
            yield Dataset(name, (Part(name),), fields)


def _wants_instrument(job: Job) -> bool:
    return any("{instrument}" in destination.layout for destination in job.destinations)


def _folders(source: Store, folder: str) -> list[str]:
    """The folders in one; none in a folder that cannot be read, which the scan reports."""
    try:
        names = list(source.folders(folder))
    except StoreError as error:
        if not folder or error.ends_store:
            raise
        return []
    return names if folder else [name for name in names if name != OWN_FOLDER]


def _look_into(source: Store, folder: str, below: Iterable[str]) -> _Flat:
    """Look at the files directly in a folder."""
    flat = _Flat()
    without = {_join(folder, name) for name in below} | {OWN_FOLDER}
    for path in _paths(source, folder, without):
        flat.see(path)
    return flat


def _holds_bins(source: Store, folder: str) -> bool:
    return any(bin_of(path) for path in _paths(source, folder, ()))


def _instruments(source: Store, folder: str) -> set[str]:
    stems = filter(None, map(bin_of, _paths(source, folder, ())))
    return {instrument_of(stem[stem.rfind("/") + 1 :]) for stem in stems}


def _paths(source: Store, folder: str, without: Iterable[str]) -> Iterator[str]:
    try:
        for found in source.list(folder, without=frozenset(without)):
            yield found.path
    except StoreError as error:
        if not folder or error.ends_store:
            raise


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
