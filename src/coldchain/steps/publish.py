"""What does coldchain leave beside the data: manifests, and who was there last?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from coldchain import __version__
from coldchain.config.values import Job
from coldchain.errors import StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, json_lines, manifest_keys, quote_dataset, sums_lines
from coldchain.model import OWN_FOLDER
from coldchain.steps.deliver import deliver, fetch
from coldchain.steps.identify import Writer
from coldchain.steps.plan import Aim
from coldchain.stores.base import Store


def publish_manifest(ledger: Ledger, job: Job, aim: Aim, dataset: str, writer: Writer, now: datetime) -> None:
    """Write both manifests of a dataset at one destination, each atomically; raises StoreError."""
    destination, store = aim.name, aim.store
    identity = ledger.destination(job.name, destination)
    if identity is None:
        raise StoreError("nothing is recorded of this destination", url=store.url)
    sums_key, json_key = manifest_keys(job.name, dataset, job.digest)
    header = ManifestHeader(job.name, dataset, identity.id, ledger.id, ledger.head(), now, __version__)
    deliver(store, sums_key, sums_lines(ledger.all_records(job.name, destination, dataset), job.digest), writer.owner)
    deliver(store, json_key, json_lines(header, ledger.all_records(job.name, destination, dataset)), writer.owner)


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
