"""Which datasets of a source does a job carry?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from coldchain.config.values import Job
from coldchain.errors import ConfigurationError
from coldchain.instruments.base import Instrument
from coldchain.model import REST, Dataset, Part
from coldchain.stores.base import Store


class Selected(NamedTuple):
    """The datasets of a job, ascending by where they begin, and what it asked for in vain."""

    datasets: list[Dataset]
    absent: list[str]
    """Plates of the job's list that the source does not hold."""


def select_datasets(instrument: Instrument, source: Store, job: Job) -> Selected:
    """Find the datasets, leave out what the job does not want, and add one for the files that lie in none.

    So every file of a source is in exactly one dataset (P1), whatever an instrument makes of it.
    Raises ConfigurationError for a choice that the instrument does not offer.
    """
    _check(instrument, job)
    found = sorted(instrument.find(source, job), key=lambda dataset: dataset.parts[0].start)
    rest = _rest(found)
    if job.parts:
        found = list(_with_parts(found, job.parts))
    if not job.plates:
        return Selected([rest, *found] if rest else found, [])
    chosen = [dataset for dataset in found if not _names(dataset).isdisjoint(job.plates)]
    there = set().union(*map(_names, chosen))
    return Selected(chosen, [plate for plate in job.plates if plate not in there])


def _check(instrument: Instrument, job: Job) -> None:
    parts = instrument.habits.parts
    if wrong := [part for part in job.parts if part not in parts]:
        offered = f"it has {', '.join(parts)}" if parts else "it has none"
        raise ConfigurationError(f"{job.name}: the instrument {instrument.name} has no part {wrong[0]!r}; {offered}")


def _names(dataset: Dataset) -> set[str]:
    return {dataset.name, dict(dataset.fields).get("plate", dataset.name)}


def _with_parts(datasets: Iterable[Dataset], wanted: tuple[str, ...]) -> Iterator[Dataset]:
    for dataset in datasets:
        if parts := tuple(part for part in dataset.parts if part.name in wanted):
            yield dataset._replace(parts=parts)


def _rest(found: list[Dataset]) -> Dataset | None:
    """What lies in none of them; None when a dataset is the whole source."""
    taken = sorted({f"{part.root}/" if not part.begins else part.start for one in found for part in one.parts})
    if "/" in taken:
        if len(taken) > 1:
            raise ConfigurationError("one dataset is the whole source, and there are others")
        return None
    for one, other in pairwise(taken):
        if other.startswith(one):
            raise ConfigurationError(f"the instrument found a dataset at {other!r} within the one at {one!r}")
    return Dataset(REST, (Part(without=tuple(taken)),))
