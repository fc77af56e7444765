"""What does coldchain leave beside the data: manifests, and who was there last?"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from coldchain import __version__
from coldchain.config.values import Job
from coldchain.errors import ManifestDamaged, Occupied, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, Told, json_lines, manifest_keys, quote_dataset, sums_lines
from coldchain.model import OWN_FOLDER, Record
from coldchain.steps.deliver import Text, copied, deliver, deliver_all, fetch
from coldchain.steps.generations import Standing, keep_generation, place, read_standing
from coldchain.steps.identify import Writer
from coldchain.steps.plan import Aim
from coldchain.stores.base import Store
from coldchain.verdict import Condition

_FEW = 5_000
"""So many records take some three megabytes."""


def publish_manifests(  # noqa: PLR0913, PLR0917 - each is needed
    ledger: Ledger,
    job: Job,
    aim: Aim,
    datasets: Sequence[str],
    writer: Writer,
    now: datetime,
    sealed: Collection[str] = (),
) -> Iterator[tuple[str, StoreError]]:
    """Write both manifests of each dataset at one destination, each atomically; yields those that could not be.

    A manifest never shrinks: what it lists and this ledger does not hold (of another host, of a ledger that was lost)
    is carried over.  One that is damaged is set aside first.  A dataset of which nothing is stored has none.

    ``sealed`` names datasets that are complete and wholly verified here, as the caller knows.  A manifest that says so
    of itself is kept as a generation before one is written that lists other files, or that cannot say so any more.
    """
    identity = ledger.destination(job.name, aim.name)
    if identity is None or not datasets:
        return
    texts: dict[str, Text] = {}
    owners: dict[str, str] = {}
    names: dict[str, str] = {}
    """Those that have their manifest under a name, as the place tells names apart."""
    for dataset in datasets:
        if not ledger.has_records(job.name, aim.name, dataset):
            continue
        header = ManifestHeader(job.name, dataset, identity.id, ledger.id, ledger.head(), now, __version__)
        sums_key, json_key = manifest_keys(job.name, dataset, job.digest)
        if (twin := names.setdefault(aim.rules.fold(json_key), dataset)) != dataset:
            yield dataset, Occupied(f"the place takes its name for that of {twin!r}, whose manifest it keeps")
            continue
        try:
            header, standing = _prepared(ledger, aim, header, writer, sealed=dataset in sealed)
        except StoreError as error:
            yield dataset, error
            continue
        listed = _Twice(partial(merged, ledger, job.name, aim.name, dataset, standing))
        texts[sums_key] = partial(sums_lines, listed, job.digest)
        texts[json_key] = partial(_json_lines, ledger, header, listed, standing)
        owners |= {sums_key: dataset, json_key: dataset}
    try:
        failed = deliver_all(aim.store, texts, writer.owner, job.verify, begin_anew=aim.leave_unswept)
    except StoreError as error:
        failed = dict.fromkeys(texts, error.kept())
    yield from {owners[key]: error for key, error in failed.items()}.items()


def _prepared(
    ledger: Ledger, aim: Aim, header: ManifestHeader, writer: Writer, *, sealed: bool
) -> tuple[ManifestHeader, Standing]:
    """Read what stands there, once, and keep it if need be; returns the header to write, and what was read."""
    key = manifest_keys(header.job, header.dataset, "json")[1]
    known = ledger.acquisition(header.job, header.dataset)
    told = None if known is None else Told.of(known)
    mine = ledger.all_records(header.job, aim.name, header.dataset)
    try:
        standing = read_standing(aim.store, key, header.dataset, mine, units=told is None)
        told = _sealing(told or standing.told, standing, sealed=sealed)
        if told is not None and standing.sealed and (standing.differs or not told.sealed):
            kept = keep_generation(aim.store, standing, header, writer.owner)
            told = replace(told, generation=kept + 1)
    except ManifestDamaged:
        aside = f"{OWN_FOLDER}/set-aside/{ledger.head()[0]}/{key}"
        deliver(aim.store, aside, copied(aim.store, key), writer.owner)
        standing = Standing()
        told = _sealing(told, standing, sealed=sealed)
    return replace(header, acquisition=told), standing


def _sealing(told: Told | None, standing: Standing, *, sealed: bool) -> Told | None:
    """Number and seal.  A seal stays while nothing is known against it: a check writes manifests anew, and asks nobody.

    What is carried over and not in the ledger may be a copy that was lost, so it must be sealed anew.
    """
    if told is None:
        return None
    stays = standing.sealed and not standing.differs and not standing.others
    whole = told.verdict.condition is Condition.COMPLETE and (sealed or stays)
    return replace(told, generation=standing.told.generation if standing.told else 1, sealed=whole)


def _json_lines(ledger: Ledger, header: ManifestHeader, listed: _Twice, standing: Standing) -> Iterator[bytes]:
    return json_lines(header, listed, _units(ledger, header, standing.units))


def merged(ledger: Ledger, job: str, destination: str, dataset: str, standing: Standing) -> Iterator[Record]:
    """What a manifest lists: the records of the ledger, and what is carried over from the one that stands there."""
    return heapq.merge(ledger.all_records(job, destination, dataset), standing.others, key=place)


class _Twice:
    """Records that are asked for twice, one time after the other; where they are few they are read once."""

    def __init__(self, read: Callable[[], Iterator[Record]]) -> None:
        self._read = read
        self._few: list[Record] | None = None

    def __iter__(self) -> Iterator[Record]:
        few, self._few = self._few, None
        return self._remembering() if few is None else iter(few)

    def _remembering(self) -> Iterator[Record]:
        few: list[Record] = []
        for record in self._read():
            if len(few) < _FEW:
                few.append(record)
            yield record
        self._few = few if len(few) < _FEW else None


def _units(
    ledger: Ledger, header: ManifestHeader, carried: Sequence[Mapping[str, object]]
) -> Iterator[Mapping[str, object]]:
    """The units, fetched when they are written: those of many datasets would fill the memory."""
    if header.acquisition is not None:
        known = ledger.acquisition(header.job, header.dataset)
        yield from carried if known is None else known.verdict.units


def agent_key(host: str) -> str:
    """Where a host leaves word of its last runs."""
    return f"{OWN_FOLDER}/agents/{quote_dataset(host or 'unknown')}.json"


def read_agent(store: Store, writer: Writer) -> Mapping[str, object]:
    """What this job on this host left at its last run; empty when there is nothing readable.

    A job of which no run ever came to its end here left word of its trouble only: that says nothing of a ledger.
    """
    try:
        content = fetch(store, agent_key(writer.host))
        values = json.loads(content)["jobs"][writer.job] if content else {}
    except (StoreError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return values if isinstance(values, dict) and "ledger" in values else {}


def leave_word(store: Store, writer: Writer, word: Mapping[str, object]) -> None:
    """Write what this job did last, over what it left before, and beside the other jobs of the host.

    What ``word`` does not say stays as it was; raises StoreError.
    """
    key = agent_key(writer.host)
    try:
        content = fetch(store, key)
        jobs = json.loads(content)["jobs"] if content else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        jobs = {}
    jobs = jobs if isinstance(jobs, dict) else {}
    before = jobs.get(writer.job)
    jobs[writer.job] = {**(before if isinstance(before, dict) else {}), **word}
    try:
        text = _agent_text(writer, jobs)
    except RecursionError:  # what can be read can be too deep to be written
        text = _agent_text(writer, {writer.job: dict(word)})
    deliver(store, key, lambda: [text], writer.owner)


def _agent_text(writer: Writer, jobs: Mapping[str, object]) -> bytes:
    values = {"format": "coldchain-agent", "version": 1, "host": writer.host, "coldchain": __version__, "jobs": jobs}
    return json.dumps(values, indent=2).encode() + b"\n"
