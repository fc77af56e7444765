"""What would coldchain make of a folder, without a ledger and without a destination?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from coldchain.config.values import Job
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import Instrument, Look, known_instruments, open_instrument
from coldchain.model import OWN_FOLDER, Dataset, Oddity, Tally
from coldchain.steps.scan import Walks, scan
from coldchain.steps.select import select_datasets
from coldchain.stores.base import Store
from coldchain.verdict import Verdict

_SAMPLED = 20_000
_DEPTH = 7
_FOLDERS = 100
"""So many folders of each level are looked into ..."""
_FILES = 200
"""... and so many of the files in each."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One dataset as it is found."""

    dataset: Dataset
    tally: Tally
    verdict: Verdict
    oddities: tuple[Oddity, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """How well an instrument fits a folder."""

    instrument: str
    recognised: int
    """So many of the sampled names are surely its own."""
    why: str


def fits(source: Store) -> tuple[list[Fit], int]:
    """Every instrument that recognises something of the source, best first, and how many names were looked at.

    Names alone are looked at, of folders to a certain depth and of some files in each; nothing is read.
    """
    names = list(islice(_sample(source), _SAMPLED))
    found = []
    for name in known_instruments():
        try:
            instrument = open_instrument(name)
        except ConfigurationError:  # of another package, and broken; a job that names it hears of it
            continue
        recognised, why = instrument.recognise(names)
        if recognised:
            found.append(Fit(name, recognised, why))
    return sorted(found, key=lambda fit: (-fit.recognised, fit.instrument)), len(names)


def _sample(source: Store) -> Iterator[str]:
    """Folder by folder, the upper ones first; of each its folders and its first files."""
    folders = [""]
    for depth in range(_DEPTH):
        below: list[str] = []
        for folder in folders[:_FOLDERS]:
            names = [f"{folder}/{name}" if folder else name for name in source.folders(folder)]
            names = [name for name in names if name != OWN_FOLDER]
            yield from (f"{name}/" for name in names)
            listing = source.list(folder, without=[*names, OWN_FOLDER])
            yield from (found.path for found in islice(listing, _FILES))
            below += names
        if not below or depth == _DEPTH - 1:
            return
        folders = below


def examine(instrument: Instrument, source: Store, job: Job, now: datetime) -> Iterator[Examined]:
    """Find, scan and judge every dataset; reads headers, writes nothing."""
    walks = Walks(source)
    for dataset in select_datasets(instrument, source, job).datasets:
        judge = instrument.judge(dataset, Look(source, job, now))
        files = size_bytes = 0
        oddities = []
        for part in dataset.parts:
            for found in scan(walks, part, job, judge.see):
                if isinstance(found, Oddity):
                    oddities.append(found)
                    continue
                files += 1
                size_bytes += found.size_bytes
        yield Examined(dataset, Tally(files, size_bytes), judge.verdict(), tuple(oddities))
