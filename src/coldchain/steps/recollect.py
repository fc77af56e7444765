"""What do the manifests at a destination know that the ledger does not (P8)?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from coldchain.content.batches import in_batches
from coldchain.content.pool import as_completed, threads
from coldchain.errors import Interrupted, ManifestDamaged, NotFound, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, manifest_keys
from coldchain.ledger.manifest_read import lines_of, read_whole_manifest
from coldchain.model import Entry, Place, ProofKind, Record, Tally
from coldchain.monitor import Surroundings
from coldchain.steps.check import CheckBatch, Finding, check_batch
from coldchain.stores.base import Store

_SHOWN = 100


@dataclass(slots=True)
class RebuildReport:
    """What the manifests told."""

    job: str = ""
    manifests: int = 0
    rebuilt: Tally = Tally()
    known: int = 0
    """Records that the ledger held already."""
    troubles: list[str] = field(default_factory=list)
    """Sentences: manifests that are damaged, copies that are not as they say; the first hundred."""
    more_troubles: int = 0
    integrity: bool = False

    @property
    def exit_code(self) -> int:
        """4 when a manifest or a copy is wrong, 6 when there was no manifest at all."""
        if self.integrity:
            return 4
        if self.troubles:
            return 3
        return 0 if self.manifests else 6

    def add(self, other: RebuildReport) -> None:
        """Count another destination in."""
        self.manifests += other.manifests
        self.rebuilt += other.rebuilt
        self.known += other.known
        self.integrity |= other.integrity
        self.more_troubles += other.more_troubles
        for sentence in other.troubles:
            self.trouble(sentence)

    def trouble(self, sentence: str) -> None:
        """Keep a sentence for the person."""
        if len(self.troubles) < _SHOWN:
            self.troubles.append(sentence)
        else:
            self.more_troubles += 1

    def as_json(self) -> dict[str, object]:
        """The documented, versioned form (docs/json.md)."""
        return {
            "format": "coldchain-rebuild",
            "version": 1,
            "job": self.job,
            "exit_code": self.exit_code,
            "manifests": self.manifests,
            "rebuilt": {"files": self.rebuilt.files, "size_bytes": self.rebuilt.size_bytes},
            "known": self.known,
            "troubles": self.troubles,
            "more_troubles": self.more_troubles,
        }


class Recollection:
    """The manifests of one job at one destination."""

    def __init__(self, ledger: Ledger, run: int, store: Store, place: Place, around: Surroundings) -> None:
        self._ledger, self._run, self._store, self._place = ledger, run, store, place
        self._around = around
        self.report = RebuildReport()

    def recollect(self, job: str, identity: str, *, quick: bool, ledger: str = "") -> None:
        """Read each manifest to its end before anything of it is believed; with ``ledger`` only those that it wrote."""
        folder = manifest_keys(job, "x", "json")[1].rpartition("/")[0]
        for found in list(self._store.list(folder)):
            if not (isinstance(found, Entry) and found.path.endswith(".json")):
                continue
            try:
                header, units, records = self._open(found.path)
                if ledger and header.ledger != ledger:
                    continue
                for _ in chain(units, records):
                    pass
                if header.destination != identity or header.job != job:
                    raise ManifestDamaged(f"{found.path} is the manifest of another place or job; it is left out")
            except (ManifestDamaged, StoreError) as error:
                self.report.trouble(f"{self._place.name}: {error}")
                self.report.integrity |= isinstance(error, ManifestDamaged)
                continue
            self.report.manifests += 1
            self._learn(found.path)
            self._take(job, header.dataset, self._open(found.path)[2], quick=quick)

    def _open(self, key: str) -> tuple[ManifestHeader, Iterator[dict[str, object]], Iterator[Record]]:
        return read_whole_manifest(lines_of(self._content(key)), f"{self._place.name}: {key}")

    def _learn(self, key: str) -> None:
        """Let the ledger know what the instrument said, as far as it does not know better."""
        header, units, _ = self._open(key)
        if header.acquisition is not None:
            self._ledger.learn(header.job, header.dataset, header.acquisition.acquisition(units, header.written))

    def _content(self, key: str) -> Iterator[bytes | memoryview]:
        with self._store.read(key) as reader:
            yield from reader.chunks()

    def _take(self, job: str, dataset: str, records: Iterable[Record], *, quick: bool) -> None:
        wanted = self._unknown(job, dataset, records)
        copies = ((dataset, record) for record in wanted)
        if quick:
            while some := list(islice(copies, 1000)):
                self._record(job, dataset, [self._look(record) for _, record in some])
            return
        batches = (
            CheckBatch(self._place, tuple(batch)) for batch in in_batches(copies, lambda copy: copy[1].size_bytes)
        )
        with threads(self._around.workers) as executor:
            for _, findings in as_completed(executor, check_batch, batches, ahead=2 * self._around.workers):
                self._record(job, dataset, findings)
                if self._around.monitor.stopping:
                    raise Interrupted("stopped; what was read so far is recorded, and the same command goes on")

    def _unknown(self, job: str, dataset: str, records: Iterable[Record]) -> Iterator[Record]:
        """What the ledger does not hold, or holds in another version; both streams ascend by (path, key)."""
        held = self._ledger.all_records(job, self._place.name, dataset)
        mine = next(held, None)
        for record in records:
            while mine is not None and (mine.path, mine.key) < (record.path, record.key):
                mine = next(held, None)
            same = mine is not None and (mine.path, mine.key, mine.digest) == (record.path, record.key, record.digest)
            if same and mine is not None and (mine.superseded or not record.superseded):
                self.report.known += 1  # else a newer version was kept beside it, of which this ledger does not know
            else:
                yield record

    def _look(self, record: Record) -> Finding:
        try:
            found = self._store.stat(record.key)
        except NotFound as error:
            return Finding("", record, "lost", f"lost: {error.reason}")
        except StoreError as error:
            return Finding("", record, "unreadable", f"unreadable: {error.reason}")
        if found.size_bytes != record.size_bytes:
            return Finding(
                "", record, "corrupt", f"corrupt: it has {found.size_bytes:,} bytes instead of {record.size_bytes:,}"
            )
        return Finding("", record, "good", "", "stat")

    def _record(self, job: str, dataset: str, findings: list[Finding]) -> None:
        now = self._around.clock()
        good = [self._proved(finding) for finding in findings if finding.state == "good"]
        for record in good:
            for name, old in self._ledger.copies(job, dataset, record.path):
                if name == self._place.name and old.key == record.key:
                    why = "an older version than the manifest tells"
                    self._ledger.forget(self._run, job, dataset, self._place.name, old, why, now)
        self._ledger.rebuild(self._run, job, dataset, self._place.name, good, now)
        self.report.rebuilt += Tally(len(good), sum(record.size_bytes for record in good))
        self._around.monitor.finished(len(findings))
        for finding in findings:
            if finding.state != "good":
                self.report.integrity |= finding.state == "corrupt"
                self.report.trouble(f"{self._place.name}: {finding.record.key}: {finding.reason}")

    def _proved(self, finding: Finding) -> Record:
        now_us = round(self._around.clock().timestamp() * 1_000_000)
        kind = ProofKind.SIZE if finding.how == "stat" else ProofKind.READBACK
        return finding.record._replace(proof_kind=kind, proof_how=finding.how, proved_at_us=now_us)
