"""What would coldchain make of a folder, without a ledger and without a destination?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from coldchain.config.values import Job
from coldchain.instruments.base import Instrument, Look
from coldchain.model import Dataset, Oddity, Tally
from coldchain.steps.scan import Walks, scan
from coldchain.steps.select import select_datasets
from coldchain.stores.base import Store
from coldchain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Examined:
    """One dataset as it is found."""

    dataset: Dataset
    tally: Tally
    verdict: Verdict
    oddities: tuple[Oddity, ...]


def examine(instrument: Instrument, source: Store, job: Job, now: datetime) -> Iterator[Examined]:
    """Find, scan and judge every dataset; reads headers, writes nothing."""
    walks = Walks(source)
    for dataset in select_datasets(instrument, source, job).datasets:
        judge = instrument.judge(dataset, Look(source, job, now))
        files = size_bytes = 0
        oddities = []
        for part in dataset.parts:
            for found in scan(walks, part, job):
                if isinstance(found, Oddity):
                    oddities.append(found)
                    continue
                files += 1
                size_bytes += found.size_bytes
                judge.see(found)
        yield Examined(dataset, Tally(files, size_bytes), judge.verdict(), tuple(oddities))
