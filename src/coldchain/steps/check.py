"""Is each stored copy still what was stored?"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from coldchain.content.digests import digest_of
from coldchain.content.patience import Patience
from coldchain.errors import NotAFile, NotFound, StoreError
from coldchain.model import Digest, Place, Record
from coldchain.monitor import SILENT, Monitor
from coldchain.stores.base import Store, open_store

_PATIENCE = Patience(retries=1)
"""A link may have broken; whoever asks a disk that is dying again and again kills it."""


class Finding(NamedTuple):
    """One stored copy, looked at again."""

    dataset: str
    record: Record
    state: str
    """``good``, ``corrupt`` (other bytes), ``lost`` (not there) or ``unreadable`` (nobody can tell)."""
    reason: str
    how: str = ""
    found: Digest | None = None


@dataclass(frozen=True, slots=True)
class CheckBatch:
    """Copies at one destination."""

    place: Place
    copies: tuple[tuple[str, Record], ...]
    """(dataset, record)."""
    volume: str = ""
    """What it lay on when it was recognised, or "": an absent disk is not one that lost everything (P10)."""


def check_batch(batch: CheckBatch, monitor: Monitor = SILENT) -> list[Finding]:
    """Read each copy again, past the cache, and compare; a plain function of picklable values."""
    with closing(open_store(batch.place)) as store:
        return check_copies(store, batch, monitor)


def check_copies(store: Store, batch: CheckBatch, monitor: Monitor = SILENT) -> list[Finding]:
    """The same, of an open store."""
    findings: list[Finding] = []
    for dataset, record in batch.copies:
        if monitor.stopping:
            break
        finding = _read(store, dataset, record, monitor)
        if finding.state in {"lost", "corrupt"} and (gone := absent(store, batch.volume, silent=True)):
            finding = finding._replace(state="unreadable", reason=f"unreadable: {gone}")
        findings.append(finding)
    if gone := absent(store, batch.volume, silent=False):  # nobody knows of which one the good copies were
        findings = [one._replace(state="unreadable", reason=f"unreadable: {gone}") for one in findings]
    return findings


def _read(store: Store, dataset: str, record: Record, monitor: Monitor) -> Finding:
    def look() -> tuple[Digest, int, str]:
        with store.read(record.key, past_cache=True) as reader:
            return *digest_of(record.digest.algorithm, reader.chunks()), reader.how

    try:
        found, size_bytes, how = _PATIENCE.outlast(look)
    except (NotFound, NotAFile) as error:
        return Finding(dataset, record, "lost", f"lost: {error.reason}")
    except StoreError as error:
        return Finding(dataset, record, "unreadable", f"unreadable: {error.reason}")
    monitor.moved(size_bytes)
    if found == record.digest:
        return Finding(dataset, record, "good", "", how, found)
    reason = f"corrupt: {size_bytes:,} bytes that are not the {record.size_bytes:,} that were stored"
    return Finding(dataset, record, "corrupt", reason, how, found)


def absent(store: Store, volume: str, *, silent: bool) -> str:
    """Say what is wrong with the place itself, or ""; ``silent``: one that does not answer may be gone."""
    if not volume:
        return ""
    try:
        return "" if store.volume() == volume else "another volume lies there than when it was recognised"
    except NotFound:
        return "the place is no longer there"
    except StoreError as error:
        return f"the place does not answer: {error.reason}" if silent else ""


def sampled(copies: Iterable[tuple[str, Record]], share: float, salt: int) -> Iterator[tuple[str, Record]]:
    """Choose about ``share`` of the copies, others each time the salt is another."""
    limit = int(share * (1 << 32))
    for dataset, record in copies:
        drawn = hashlib.sha256(f"{salt}\n{record.key}".encode("utf-8", "surrogatepass")).digest()[:4]
        if int.from_bytes(drawn) < limit:
            yield dataset, record


def due(
    copies: Iterable[tuple[str, Record]], total: int, within: timedelta, now: datetime, last: datetime | None
) -> Iterator[tuple[str, Record]]:
    """Choose, from copies with the oldest proof first, those that must be proved now so that none gets older.

    All whose proof is older than ``within``, and at least the share of all copies that is due since the last check, so
    that a check each day reads 1/90 each day and not everything on the ninetieth.
    """
    oldest_us = round((now - within).timestamp() * 1_000_000)
    elapsed = min(1.0, (now - last) / within) if last else 0.0
    least = math.ceil(total * elapsed)
    for number, (dataset, record) in enumerate(copies):
        if record.proved_at_us > oldest_us and number >= least:
            return
        yield dataset, record
