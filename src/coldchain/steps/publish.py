"""What does coldchain leave beside the data: manifests, and who was there last?"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from coldchain import __version__
from coldchain.config.values import Job
from coldchain.errors import ManifestDamaged, NotFound, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, json_lines, manifest_keys, quote_dataset, sums_lines
from coldchain.ledger.manifest_read import lines_of, read_manifest
from coldchain.model import OWN_FOLDER, Record
from coldchain.steps.deliver import deliver, deliver_all, fetch
from coldchain.steps.identify import Writer
from coldchain.steps.plan import Aim
from coldchain.stores.base import Store


def publish_manifests(
    ledger: Ledger, job: Job, aim: Aim, datasets: Sequence[str], writer: Writer, now: datetime
) -> Iterator[tuple[str, StoreError]]:
    """Write both manifests of each dataset at one destination, each atomically; yields those that could not be.

    A manifest never shrinks: what it lists and this ledger does not hold (of another host, of a ledger that was lost)
    is carried over.  One that is damaged is set aside first.  A dataset of which nothing is stored has none.
    """
    identity = ledger.destination(job.name, aim.name)
    if identity is None or not datasets:
        return
    texts: dict[str, Iterator[bytes]] = {}
    owners: dict[str, str] = {}
    for dataset in datasets:
        if next(ledger.all_records(job.name, aim.name, dataset), None) is None:
            continue
        header = ManifestHeader(job.name, dataset, identity.id, ledger.id, ledger.head(), now, __version__)
        sums_key, json_key = manifest_keys(job.name, dataset, job.digest)
        try:
            others = _carried_over(ledger, job, aim, dataset, writer)
        except StoreError as error:
            yield dataset, error
            continue
        texts[sums_key] = sums_lines(_merged(ledger, job, aim, dataset, others), job.digest)
        texts[json_key] = json_lines(header, _merged(ledger, job, aim, dataset, others))
        owners |= {sums_key: dataset, json_key: dataset}
    failed = {owners[key]: error for key, error in deliver_all(aim.store, texts, writer.owner).items()}
    yield from failed.items()


def _merged(ledger: Ledger, job: Job, aim: Aim, dataset: str, others: list[Record]) -> Iterator[Record]:
    return heapq.merge(ledger.all_records(job.name, aim.name, dataset), others, key=_place)


def _carried_over(ledger: Ledger, job: Job, aim: Aim, dataset: str, writer: Writer) -> list[Record]:
    """What the manifest that stands there lists and the ledger does not hold."""
    json_key = manifest_keys(job.name, dataset, job.digest)[1]
    try:
        return _others(aim.store, json_key, dataset, ledger.all_records(job.name, aim.name, dataset))
    except ManifestDamaged:
        aside = f"{OWN_FOLDER}/set-aside/{ledger.head()[0]}/{json_key}"
        deliver(aim.store, aside, [fetch(aim.store, json_key) or b""], writer.owner)
        return []


def _place(record: Record) -> tuple[str, str]:
    return record.path, record.key


def _others(store: Store, key: str, dataset: str, mine: Iterator[Record]) -> list[Record]:
    """What the manifest that stands there lists under keys that are not ours, ascending by path and key."""
    try:
        with store.read(key) as reader:
            header, listed = read_manifest(lines_of(reader.chunks()), key)
            if header.dataset != dataset:
                return []
            own = next(mine, None)
            others = []
            for record in listed:
                while own is not None and _place(own) < _place(record):
                    own = next(mine, None)
                if own is None or _place(own) != _place(record):
                    others.append(record)
            return others
    except NotFound:
        return []


def agent_key(host: str) -> str:
    """Where a host leaves word of its last runs."""
    return f"{OWN_FOLDER}/agents/{quote_dataset(host or 'unknown')}.json"


def read_agent(store: Store, writer: Writer) -> Mapping[str, object]:
    """What this job on this host left at its last run; empty when there is nothing readable."""
    try:
        content = fetch(store, agent_key(writer.host))
        values = json.loads(content)["jobs"][writer.job] if content else {}
    except (StoreError, ValueError, KeyError, TypeError):
        return {}
    return values if isinstance(values, dict) else {}


def leave_word(store: Store, writer: Writer, word: Mapping[str, object]) -> None:
    """Write what this job did last, beside what the other jobs of the host left; raises StoreError."""
    key = agent_key(writer.host)
    try:
        content = fetch(store, key)
        jobs = json.loads(content)["jobs"] if content else {}
    except (ValueError, KeyError, TypeError):
        jobs = {}
    jobs = {**(jobs if isinstance(jobs, dict) else {}), writer.job: dict(word)}
    values = {"format": "coldchain-agent", "version": 1, "host": writer.host, "coldchain": __version__, "jobs": jobs}
    deliver(store, key, [json.dumps(values, indent=2).encode() + b"\n"], writer.owner)
