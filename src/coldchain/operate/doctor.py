"""Can this machine run a job?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from coldchain.config.values import Destination, Job
from coldchain.content.digests import digest_of, hasher_of
from coldchain.errors import ColdchainError, NotFound, StoreError
from coldchain.instruments.base import open_instrument
from coldchain.ledger.ledger import Ledger
from coldchain.model import OWN_FOLDER, Digest, Entry, Oddity, Place
from coldchain.monitor import Surroundings
from coldchain.steps.identify import Consent, Writer, identify_destination, identify_source
from coldchain.steps.layout import check_layout
from coldchain.steps.scan import Walks, scan
from coldchain.steps.select import select_datasets
from coldchain.stores.base import WRAPPERS, Remarking, Store, open_store

_PROBE = f"{OWN_FOLDER}/probe.txt"
"""Never published where a place can show what has only a temporary name."""
_TEXT = b"coldchain writes, reads and removes this file to see whether it can.\n"
_LOW_BYTES = 1 << 30
_FULL_BYTES = 16 << 20
_SKEW_S = 120
_SAFE_PYTHON = {(3, 11): 13, (3, 12): 11, (3, 13): 4}
"""Fixed tarfile and its like, see CVE-2025-4517; later lines have it from the start."""


class Advice(NamedTuple):
    """One thing that was looked at."""

    ok: bool | None
    """None: works, but somebody should look at it."""
    what: str
    said: str


def examine_machine(last: datetime | None, now: datetime) -> Iterator[Advice]:
    """Look at what concerns every job."""
    major_minor, patch = sys.version_info[:2], sys.version_info[2]
    safe = patch >= _SAFE_PYTHON.get(major_minor, 0)
    version = ".".join(map(str, sys.version_info[:3]))
    yield Advice(
        True if safe else None,
        "python",
        version if safe else f"{version}: 3.{major_minor[1]}.{_SAFE_PYTHON[major_minor]} or newer closes known holes",
    )
    if last is not None and last > now:
        yield Advice(
            False, "clock", f"it says {now:%Y-%m-%d %H:%M}, but a run ended at {last:%Y-%m-%d %H:%M}; set it right"
        )
    else:
        yield Advice(True, "clock", f"{now:%Y-%m-%d %H:%M} UTC")


def examine_job(job: Job, ledger: Ledger, around: Surroundings) -> Iterator[Advice]:
    """Look at one job: source, selection, and every destination."""
    yield from _source(job, ledger)
    for destination in job.destinations:
        store = open_store(destination.place)
        try:
            yield from _destination(job, destination, store, ledger, around)
        except ColdchainError as error:
            yield Advice(False, destination.name, _without(f"{destination.name}: ", error))
        finally:
            store.close()


def _source(job: Job, ledger: Ledger) -> Iterator[Advice]:
    source = open_store(job.source)
    try:
        hasher_of(job.digest)
        volume = identify_source(job, source, ledger.source(job.name), Consent())
        instrument = open_instrument(job.instrument)
        for destination in job.destinations:
            check_layout(destination.layout, instrument, destination.name)
        datasets, absent = select_datasets(instrument, source, job)
        walks = Walks(source)
        parts = (part for dataset in datasets for part in dataset.parts)
        found = list(islice((one for part in parts for one in scan(walks, part, job, _seen)), 1000))
    except ColdchainError as error:
        yield Advice(False, "source", _without(f"{job.name}: ", error))
        return
    finally:
        source.close()
    entries = [one for one in found if isinstance(one, Entry)]
    odd = [one for one in found if isinstance(one, Oddity)]
    number = f"{len(entries):,}{' or more' if len(found) == 1000 else ''}"
    said = f"{job.source.url} ({volume}): {number} files in {len(datasets):,} datasets"
    yield Advice(bool(entries), "source", said if entries else f"{said}: nothing is selected")
    if absent:
        yield Advice(False, "source", f"it does not hold {', '.join(absent[:10])}, which the job names")
    if odd:
        yield Advice(None, "source", f"{odd[0].path}: {odd[0].reason} ({len(odd):,} such; exclude them, or look why)")


def _seen(_entry: Entry) -> None:
    """Nobody judges here."""


def _without(lead: str, error: ColdchainError) -> str:
    """What an error says, without the name that stands in front of the advice anyway; with the place in any case."""
    if isinstance(error, StoreError) and error.url:
        return f"{error.url}: {error.key}: {error.reason}" if error.key else f"{error.url}: {error.reason}"
    return str(error).removeprefix(lead)


def _destination(
    job: Job, destination: Destination, store: Store, ledger: Ledger, around: Surroundings
) -> Iterator[Advice]:
    known = ledger.destination(job.name, destination.name)
    identity = identify_destination(Writer(job.name, around.host), destination, store, known)
    yield Advice(True, destination.name, f"{destination.place.url} is {identity.id}")
    yield from _probe(destination, store, around)
    rules = store.probe_names()
    if identity.names and rules.as_json() != {**rules.as_json(), **identity.names}:
        yield Advice(
            None, destination.name, "treats names otherwise than when it was marked; was it mounted otherwise?"
        )
    if rules.confuses:
        yield Advice(None, destination.name, "cannot tell some names apart (case or Unicode); such files are refused")
    free = store.free_bytes()
    if free is not None:
        enough = None if free > _FULL_BYTES else False
        yield Advice(True if free > _LOW_BYTES else enough, destination.name, f"{free / (1 << 20):,.0f} MiB free")
    yield from _remarks(destination)


def _remarks(destination: Destination) -> Iterator[Advice]:
    """What the store itself found out about its server; asked without the wrappers, which have nothing to say."""
    place = destination.place
    own = tuple(option for option in place.options if option[0] not in WRAPPERS)
    store = open_store(Place(place.name, place.url, own))
    try:
        if isinstance(store, Remarking):
            for sentence in store.remarks():
                yield Advice(None, destination.name, sentence)
    finally:
        store.close()


def _standing(store: Store) -> Entry | None:
    """A probe that was left there by a doctor who was killed."""
    try:
        return store.stat(_PROBE)
    except NotFound:
        return None


def _probe(destination: Destination, store: Store, around: Surroundings) -> Iterator[Advice]:
    """Write, list, read back and remove a file of our own; it also shows what time it is there."""
    name = destination.name
    staging = store.stage("probe")
    try:
        sink = staging.open(_PROBE, Entry(_PROBE, len(_TEXT), 0))
        sink.write(_TEXT)
        sink.close()
        staging.flush()
        if store.traits.proves_published:
            result = staging.publish({_PROBE: _standing(store)})[_PROBE]
            if isinstance(result, StoreError):
                raise result
        with staging.read_back(_PROBE) as reader:
            digest, _ = digest_of("sha256", reader.chunks())
            how, there_ns = reader.how, reader.entry.mtime_ns
        ahead_s = there_ns / 1e9 - around.clock().timestamp()
        next(iter(store.list(OWN_FOLDER)), None)
        if store.traits.proves_published:
            store.delete(_PROBE)
    except StoreError as error:
        yield Advice(False, name, f"a probe could not be written, listed, read back and removed: {error.reason}")
        return
    finally:
        staging.close()
    if digest != digest_of("sha256", [_TEXT])[0] or not isinstance(digest, Digest):
        yield Advice(False, name, "what was read back is not what was written: do not use this place")
    elif how == "cached":
        yield Advice(None, name, "copies can be read back only from memory here, not from the medium")
    else:
        yield Advice(True, name, f"written, flushed, listed and read back ({how})")
    if there_ns and abs(ahead_s) > _SKEW_S:
        word = "ahead of" if ahead_s > 0 else "behind"
        yield Advice(None, name, f"its clock is {_span(ahead_s)} {word} that of this machine; set the wrong one right")


def _span(seconds: float) -> str:
    minutes = round(abs(seconds) / 60)
    return f"{minutes} min" if minutes < 180 else f"{minutes // 60} h" if minutes < 4320 else f"{minutes // 1440} days"
