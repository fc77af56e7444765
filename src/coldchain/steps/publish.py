"""What does coldchain leave beside the data: manifests, and who was there last?"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from coldchain import __version__
from coldchain.config.values import Job
from coldchain.errors import ManifestDamaged, NotFound, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, json_lines, manifest_keys, quote_dataset, sums_lines
from coldchain.ledger.manifest_read import lines_of, read_manifest
from coldchain.model import OWN_FOLDER, Record
from coldchain.steps.deliver import deliver, fetch
from coldchain.steps.identify import Writer
from coldchain.steps.plan import Aim
from coldchain.stores.base import Store


def publish_manifest(ledger: Ledger, job: Job, aim: Aim, dataset: str, writer: Writer, now: datetime) -> None:
    """Write both manifests of a dataset at one destination, each atomically; raises StoreError.

    A manifest never shrinks: what it lists and this ledger does not hold (of another host, of a ledger that was lost)
    is carried over.  One that is damaged is set aside first.
    """
    identity = ledger.destination(job.name, aim.name)
    if identity is None:
        raise StoreError("nothing is recorded of this destination", url=aim.store.url)
    sums_key, json_key = manifest_keys(job.name, dataset, job.digest)
    try:
        others = _others(aim.store, json_key, dataset, ledger.all_records(job.name, aim.name, dataset))
    except ManifestDamaged:
        aside = f"{OWN_FOLDER}/set-aside/{ledger.head()[0]}/{json_key}"
        deliver(aim.store, aside, [fetch(aim.store, json_key) or b""], writer.owner)
        others = []

    def records() -> Iterator[Record]:
        mine = ledger.all_records(job.name, aim.name, dataset)
        return heapq.merge(mine, others, key=_place)

    header = ManifestHeader(job.name, dataset, identity.id, ledger.id, ledger.head(), now, __version__)
    deliver(aim.store, sums_key, sums_lines(records(), job.digest), writer.owner)
    deliver(aim.store, json_key, json_lines(header, records()), writer.owner)


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
