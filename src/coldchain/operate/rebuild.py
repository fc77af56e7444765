"""What happens when a lost ledger is made again from the manifests, by reading only (P8)?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from coldchain.config.values import Job
from coldchain.content.batches import in_batches
from coldchain.content.pool import as_completed, threads
from coldchain.errors import Interrupted, ManifestDamaged, NotFound, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.manifest import ManifestHeader, manifest_keys
from coldchain.ledger.manifest_read import lines_of, read_manifest
from coldchain.model import Entry, Place, ProofKind, Record, Tally
from coldchain.operate.job import Surroundings
from coldchain.steps.check import CheckBatch, Finding, check_batch
from coldchain.steps.identify import Writer, identify_destination
from coldchain.steps.publish import leave_word
from coldchain.stores.base import Store, open_store

_SHOWN = 100


@dataclass(slots=True)
class RebuildReport:
    """What came of a rebuild."""

    job: str
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


def rebuild_job(job: Job, ledger: Ledger, around: Surroundings, *, quick: bool) -> RebuildReport:
    """Read every manifest of the job at every destination, and record what is still there.

    Each copy is read again and compared, so what the ledger then says is proved; with ``quick`` only its size is
    looked at, and recorded as no more than that.  Nothing is written to any destination, but the word that this ledger
    leaves there at the end.
    """
    report = RebuildReport(job.name)
    writer = Writer(job.name, around.host)
    run = ledger.begin_run(job.name, "rebuild", around.clock())
    for destination in job.destinations:
        store = open_store(destination.place)
        try:
            known = ledger.destination(job.name, destination.name)
            identity = identify_destination(writer, destination, store, known)
            if known is None:
                ledger.see_destination(job.name, destination.name, destination.place.url, identity, around.clock())
            rebuilding = _Rebuilding(ledger, run, store, destination.place, around, report)
            rebuilding.all_manifests(job.name, identity.id, quick=quick)
            if destination.marker:
                number, digest = ledger.head()
                leave_word(store, writer, {"ledger": ledger.id, "event": number, "event_hash": digest, "run": run})
        finally:
            store.close()
    ledger.end_run(run, around.clock(), report.exit_code, report.as_json())
    return report


class _Rebuilding:
    """The manifests of one job at one destination."""

    def __init__(
        self, ledger: Ledger, run: int, store: Store, place: Place, around: Surroundings, report: RebuildReport
    ) -> None:
        self._ledger, self._run, self._store, self._place = ledger, run, store, place
        self._around, self._report = around, report

    def all_manifests(self, job: str, identity: str, *, quick: bool) -> None:
        """Read each manifest to its end before anything of it is believed."""
        folder = manifest_keys(job, "x", "json")[1].rpartition("/")[0]
        for found in list(self._store.list(folder)):
            if not (isinstance(found, Entry) and found.path.endswith(".json")):
                continue
            try:
                header, records = self._open(found.path)
                for _ in records:
                    pass
                if header.destination != identity or header.job != job:
                    raise ManifestDamaged(f"{found.path} is the manifest of another place or job; it is left out")
            except (ManifestDamaged, StoreError) as error:
                self._report.trouble(f"{self._place.name}: {error}")
                self._report.integrity |= isinstance(error, ManifestDamaged)
                continue
            self._report.manifests += 1
            self._take(job, header.dataset, self._open(found.path)[1], quick=quick)

    def _open(self, key: str) -> tuple[ManifestHeader, Iterator[Record]]:
        return read_manifest(lines_of(self._content(key)), f"{self._place.name}: {key}")

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
            if mine is not None and (mine.path, mine.key, mine.digest) == (record.path, record.key, record.digest):
                self._report.known += 1
            else:
                yield record

    def _look(self, record: Record) -> Finding:
        try:
            found = self._store.stat(record.key)
        except NotFound as error:
            return Finding("", record, "lost", error.reason)
        except StoreError as error:
            return Finding("", record, "unreadable", error.reason)
        if found.size_bytes != record.size_bytes:
            return Finding("", record, "corrupt", f"it has {found.size_bytes:,} bytes instead of {record.size_bytes:,}")
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
        self._report.rebuilt += Tally(len(good), sum(record.size_bytes for record in good))
        self._around.monitor.finished(len(findings))
        for finding in findings:
            if finding.state != "good":
                self._report.integrity |= finding.state == "corrupt"
                self._report.trouble(f"{self._place.name}: {finding.record.key}: {finding.state}: {finding.reason}")

    def _proved(self, finding: Finding) -> Record:
        now_us = round(self._around.clock().timestamp() * 1_000_000)
        kind = ProofKind.SIZE if finding.how == "stat" else ProofKind.READBACK
        return finding.record._replace(proof_kind=kind, proof_how=finding.how, proved_at_us=now_us)
