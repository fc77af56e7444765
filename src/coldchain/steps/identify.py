"""Are source and destinations the places that they were (P10)?

A destination carries ``.coldchain/destination.json``; it is made by ``coldchain init`` or ``run --init`` only, so an
unmounted folder or another disk has none, or another one.  A place that tolerates no file of ours
(``marker = false``) is known by its volume.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from coldchain.config.values import Destination, Job
from coldchain.errors import DestinationAbsent, SourceAbsent, StoreError
from coldchain.model import Identity, SourceSeen, Tally
from coldchain.steps.deliver import deliver, fetch
from coldchain.steps.marker import MARKER, marker_text, read_marker
from coldchain.stores.base import Store, scheme_of


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: a job on a host."""

    job: str
    host: str

    @property
    def owner(self) -> str:
        """Marks the temporary names of this job on this host, see ``Store.stage``."""
        return hashlib.sha256(f"{self.job}\n{self.host}".encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Consent:
    """What the person allowed for this one run."""

    init: bool = False
    """Mark destinations that were never used."""
    accept_source: bool = False
    accept_destinations: frozenset[str] = frozenset()
    accept_changes: bool = False


# --- the source -------------------------------------------------------------------------------------------------------


def identify_source(job: Job, source: Store, seen: SourceSeen | None, consent: Consent) -> str:
    """The volume of the source; raises SourceAbsent when it is not there or not the one of the last run."""
    try:
        volume = source.volume()
    except StoreError as error:
        raise SourceAbsent(
            f"{job.name}: the source {job.source.url} cannot be opened: {error.reason}{_ask(job.source.url)}"
        ) from error
    if seen is not None and seen.volume != volume and not consent.accept_source:
        raise SourceAbsent(
            f"{job.name}: another volume lies under {job.source.url} than on {seen.at:%Y-%m-%d} ({volume} instead of "
            f"{seen.volume}). If that is right: coldchain run {job.name} --accept-source"
        )
    return volume


def _ask(url: str) -> str:
    """What a person should look at first, where it is a folder; another kind of store says so itself."""
    local = scheme_of(url) == "file"
    return ". Is the disk plugged in, the share mounted, and the path in the configuration right?" if local else ""


def check_not_emptied(job: Job, selected: Tally, seen: SourceSeen | None, consent: Consent) -> None:
    """Raise SourceAbsent when a source that held files is empty: an unmounted share looks just like that."""
    if seen is not None and seen.tally.files and not selected.files and not consent.accept_source:
        raise SourceAbsent(
            f"{job.name}: {job.source.url} is empty, and held {seen.tally.files:,} files on {seen.at:%Y-%m-%d}. Is it "
            f"mounted? If it was emptied on purpose: coldchain run {job.name} --accept-source"
        )


# --- a destination ----------------------------------------------------------------------------------------------------


def identify_destination(writer: Writer, destination: Destination, store: Store, known: Identity | None) -> Identity:
    """Who the destination is; raises DestinationAbsent with the one command that mends it."""
    name, url = destination.name, destination.place.url
    found = _found(destination, store, known)
    init = f"coldchain init {writer.job}"
    accept = f"coldchain run {writer.job} --accept-destination {name}"
    if found is None and known is None:
        raise DestinationAbsent(f"{name}: {url} was never used as a destination. If it is the right place: {init}")
    if found is None:
        raise DestinationAbsent(
            f"{name}: {url} has lost its mark ({MARKER}). Is the disk mounted? If it is the right place: {accept}"
        )
    if known is not None and known.id != found.id:
        raise DestinationAbsent(
            f"{name}: another destination lies under {url} than in the last run ({found.id} instead of {known.id}). "
            f"If that is right: {accept}"
        )
    if destination.marker and (writer.job, writer.host) not in found.writers:
        others = ", ".join(f"job {job} on {host}" for job, host in found.writers) or "nobody"
        raise DestinationAbsent(
            f"{name}: {url} belongs to {others}. If job {writer.job} on {writer.host} shall write there as well: "
            f"{init if known is None else accept}"
        )
    return found


def is_admitted(writer: Writer, destination: Destination, store: Store, known: Identity | None) -> bool:
    """Whether ``init`` has nothing to do here.

    A place whose mark is gone, or another one than last time, is not for ``init``: it must be accepted by name.
    """
    if known is None:
        return False
    found = _found(destination, store, known) if destination.marker else None
    return found is None or found.id != known.id or (writer.job, writer.host) in found.writers


def admit_destination(
    writer: Writer, destination: Destination, store: Store, known: Identity | None, now: datetime
) -> Identity:
    """Mark the destination, or accept the mark that it has; the only function that writes one.

    A mark that was lost is written anew under the identity that the ledger remembers.
    """
    try:
        store.make()
        found = _found(destination, store, known)
        if not destination.marker:
            return Identity(_volume_id(store), now, (), store.probe_names().as_json())
        me = (writer.job, writer.host)
        if found is not None and me in found.writers:
            return found
        identity = found or known or Identity(uuid.uuid4().hex, now, ())
        writers = (*(other for other in identity.writers if other != me), me)
        admitted = replace(identity, writers=writers, names=store.probe_names().as_json())
        deliver(store, MARKER, lambda: [marker_text(admitted)], writer.owner)
    except StoreError as error:
        raise DestinationAbsent(
            f"{destination.name}: {destination.place.url} cannot be marked: {error.reason}"
        ) from error
    return admitted


def _found(destination: Destination, store: Store, known: Identity | None) -> Identity | None:
    try:
        if destination.marker:
            return _read_marker(store)
        return known and replace(known, id=_volume_id(store))
    except StoreError as error:
        raise DestinationAbsent(
            f"{destination.name}: {destination.place.url} cannot be opened: {error.reason}"
            f"{_ask(destination.place.url)}{'' if known else ' A new destination is made by: coldchain init'}"
        ) from error


def read_writers(store: Store) -> tuple[tuple[str, str], ...]:
    """The (job, host) pairs that may write at a place; none when it was never marked. Raises ManifestDamaged."""
    found = _read_marker(store)
    return found.writers if found else ()


def _volume_id(store: Store) -> str:
    return f"volume:{store.volume()}"


def _read_marker(store: Store) -> Identity | None:
    store.volume()  # raises NotFound when the whole place is not there
    content = fetch(store, MARKER)
    if content is None:
        return None
    return read_marker(content, store.url)
