"""How is a stored copy that is wrong, or lost, made right again?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from coldchain.errors import NotFound, StoreError
from coldchain.ledger.ledger import Ledger
from coldchain.model import OWN_FOLDER, Entry, Manner, Place, ProofKind, Record, Send, Target, Trouble, Verified
from coldchain.monitor import Surroundings
from coldchain.operate.opening import Opened
from coldchain.steps.check import CheckBatch, Finding, check_batch
from coldchain.steps.deliver import copied, deliver
from coldchain.steps.plan import Aim
from coldchain.steps.publish import publish_manifests
from coldchain.steps.transfer import Batch, Expected, process_batch


def mend(opened_job: Opened, ledger: Ledger, aim: Aim, finding: Finding, run: int, around: Surroundings) -> str:
    """Write the recorded bytes anew, from the source or another destination; returns from where, "" when nobody has it.

    What stood there is set aside first, for it may be somebody's work and no damage.
    """
    record = finding.record
    for name, place, entry in _origins(opened_job, ledger, aim, finding):
        if finding.state == "unreadable" and not _is_whole(place, entry.path, finding):
            around.monitor.note(f"{aim.name}: {record.key} is not to be had whole from {name}")
            continue
        try:
            target = _target(aim, finding, run, opened_job.writer.owner)
        except StoreError as error:
            around.monitor.note(f"{aim.name}: {record.key} could not be set aside: {error.reason}")
            return ""
        expected = Expected(record.digest, record.source_mtime_ns, record.mode)
        batch = Batch(
            place,
            (place_of(opened_job, aim.name),),
            (aim.volume,),
            (Send(entry, (target,)),),
            record.digest.algorithm,
            ProofKind.READBACK,
            opened_job.writer.owner,
            (expected,),
        )
        (outcome,) = process_batch(batch).outcomes
        if isinstance(outcome, Verified):
            mended = outcome._replace(entry=_source_entry(record))
            ledger.record(run, opened_job.job.name, finding.dataset, [mended], around.clock())
            write_anew(opened_job, ledger, aim, finding.dataset, around)
            return f"mended from {name}"
        if isinstance(outcome, Trouble):
            around.monitor.note(f"{aim.name}: {record.key} could not be mended from {name}: {outcome.reason}")
    return ""


def _is_whole(place: Place, key: str, finding: Finding) -> bool:
    """Whether the recorded bytes can be read there: a copy that cannot be set aside is taken away only for these."""
    (there,) = check_batch(CheckBatch(place, ((finding.dataset, finding.record._replace(key=key)),)))
    return there.state == "good"


def _source_entry(record: Record) -> Entry:
    return Entry(
        record.path,
        record.size_bytes,
        record.source_mtime_ns,
        record.source_ctime_ns,
        record.source_inode,
        record.mode,
    )


def _origins(opened_job: Opened, ledger: Ledger, aim: Aim, finding: Finding) -> Iterator[tuple[str, Place, Entry]]:
    """Where the recorded bytes may still be: the source first, then the other destinations."""
    record = finding.record
    if not record.superseded:
        with suppress(StoreError):
            yield "the source", opened_job.job.source, opened_job.source.stat(record.path)
    copies = ledger.copies(opened_job.job.name, finding.dataset, record.path)
    for other in opened_job.aims:
        for name, copy in copies:
            if name == other.name != aim.name and copy.digest == record.digest:
                try:
                    yield other.name, place_of(opened_job, other.name), other.store.stat(copy.key)
                except StoreError:
                    continue


def _target(aim: Aim, finding: Finding, run: int, owner: str) -> Target:
    """How to write over what stands there now."""
    record = finding.record
    reason = f"repaired: {finding.state}"
    if finding.state == "lost":
        return Target(aim.name, record.key, Manner.NEW, reason)
    try:
        aside = f"{OWN_FOLDER}/set-aside/{run}/{record.key}"
        deliver(aim.store, aside, copied(aim.store, record.key), owner)
    except NotFound:
        return Target(aim.name, record.key, Manner.NEW, reason)
    except StoreError:
        if finding.state != "unreadable":
            raise
    if finding.found is None:
        aim.store.delete(record.key)
        return Target(aim.name, record.key, Manner.NEW, reason)
    return Target(aim.name, record.key, Manner.REPLACE, reason, finding.found)


def write_anew(opened_job: Opened, ledger: Ledger, aim: Aim, dataset: str, around: Surroundings) -> bool:
    """Write the manifests of a dataset at one destination; returns whether both could be."""
    if not has_manifests(opened_job, aim):
        return True
    failed = False
    for name, error in publish_manifests(ledger, opened_job.job, aim, [dataset], opened_job.writer, around.clock()):
        around.monitor.note(f"{aim.name}: the manifest of {name} could not be written: {error.reason}")
        failed = True
    return not failed


def has_manifests(opened_job: Opened, aim: Aim) -> bool:
    """Whether coldchain leaves anything of its own there."""
    return next(destination.marker for destination in opened_job.job.destinations if destination.name == aim.name)


def place_of(opened_job: Opened, name: str) -> Place:
    """The place of a destination."""
    return next(destination.place for destination in opened_job.job.destinations if destination.name == name)
