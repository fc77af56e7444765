"""Are the places of a job what they were, and what does a new ledger learn from them?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from coldchain.config.values import Destination, Job
from coldchain.errors import DestinationAbsent, LedgerStale
from coldchain.instruments.base import Instrument, open_instrument
from coldchain.ledger.ledger import Ledger
from coldchain.model import Identity, SourceSeen
from coldchain.monitor import Surroundings
from coldchain.steps.identify import (
    Consent,
    Writer,
    admit_destination,
    identify_destination,
    identify_source,
    is_admitted,
)
from coldchain.steps.layout import check_layout
from coldchain.steps.plan import Aim
from coldchain.steps.publish import read_agent
from coldchain.steps.recollect import Recollection
from coldchain.steps.scan import Walks
from coldchain.stores.base import Store, open_store
from coldchain.stores.names import NameRules


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked of this one run."""

    consent: Consent = Consent()
    datasets: frozenset[str] = frozenset()
    """Only these datasets; none for all."""
    command: str = "run"
    vanishing: bool = False
    """Whether it is no error when one of the datasets is not there (any more)."""
    left_out: frozenset[str] = frozenset()
    """Required destinations of the job that are left out of this run, because they are away."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A job whose places were opened and recognised."""

    job: Job
    source: Store
    volume: str
    seen: SourceSeen | None
    aims: tuple[Aim, ...]
    writer: Writer
    instrument: Instrument
    absent: tuple[str, ...] = ()
    """Why optional destinations are left out; ``job`` does not name them."""

    @property
    def settle(self) -> timedelta:
        """How long a file must have been left alone."""
        return self.instrument.habits.settle if self.job.settle is None else self.job.settle


@contextmanager
def opened(job: Job, ledger: Ledger, wish: Wish, around: Surroundings) -> Iterator[Opened]:
    """Open source and destinations, and make sure that they are what they were; writes nothing.

    An optional destination that is not is left out: it never holds the others up.
    """
    writer = Writer(job.name, around.host)
    instrument = open_instrument(job.instrument)
    for destination in job.destinations:
        check_layout(destination.layout, instrument, destination.name)
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
                    Walks(store),
                    NameRules.from_json(identity.names),
                    job.on_change or instrument.habits.on_change,
                    store.volume(),
                    writer.owner,
                )
            )
        if not aims:
            raise DestinationAbsent("\n".join(absent))
        served = replace(job, destinations=tuple(present))
        yield Opened(served, source, volume, seen, tuple(aims), writer, instrument, tuple(absent))


def admit_all(job: Job, ledger: Ledger, wish: Wish, around: Surroundings) -> Iterator[Destination]:
    """Mark or accept the destinations that the person said so of, and let the ledger know; yields those."""
    writer = Writer(job.name, around.host)
    for destination in job.destinations:
        known = ledger.destination(job.name, destination.name)
        store = open_store(destination.place)
        try:
            accepted = destination.name in wish.consent.accept_destinations
            if accepted or (wish.consent.init and not is_admitted(writer, destination, store, known)):
                identity = admit_destination(writer, destination, store, known, around.clock())
                ledger.see_destination(job.name, destination.name, destination.place.url, identity, around.clock())
                yield destination
        finally:
            store.close()


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
        if identity is None:
            continue
        mine, author = _lost_ledger(opened_job, destination, aim, identity)
        if author == ledger.id:
            continue
        if not mine:
            if aim.name not in stored:
                yield (
                    f"{aim.name}: nothing was learnt from the manifests there, which may be of another ledger; equal "
                    f"files are adopted. If they are of this job: coldchain rebuild {opened_job.job.name}"
                )
            continue
        recollection = Recollection(ledger, run, aim.store, destination.place, around)
        recollection.recollect(opened_job.job.name, identity.id, quick=True, ledger=author)
        learnt = recollection.report
        if learnt.rebuilt.files:
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
