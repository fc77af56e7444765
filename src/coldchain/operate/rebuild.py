"""What happens when a lost ledger is made again from the manifests, by reading only (P8)?"""

from __future__ import annotations

from coldchain.config.values import Job
from coldchain.ledger.ledger import Ledger
from coldchain.monitor import Surroundings
from coldchain.steps.identify import Writer, identify_destination
from coldchain.steps.publish import leave_word
from coldchain.steps.recollect import RebuildReport, Recollection
from coldchain.stores.base import open_store


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
            recollection = Recollection(ledger, run, store, destination.place, around)
            recollection.recollect(job.name, identity.id, quick=quick)
            report.add(recollection.report)
            if destination.marker:
                number, digest = ledger.head()
                word = {"ledger": ledger.id, "event": number, "event_hash": digest, "run": run}
                leave_word(store, writer, word | {"source": job.source.url})
        finally:
            store.close()
    ledger.end_run(run, around.clock(), report.exit_code, report.as_json())
    return report
