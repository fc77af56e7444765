"""What do the tests of the ledger write down?"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from coldchain.ledger.columns import microseconds
from coldchain.ledger.ledger import Ledger
from coldchain.model import Digest, Entry, Identity, Manner, ProofKind, Record, Verified

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
JOB, DATASET, DISK = "merscope", "202205231554_run", "isilon"

ODD_NAMES = [
    "plain.tif",
    "with space",
    " leading",
    "back\\slash",
    "new\nline",
    "carriage\rreturn",
    "quote'\"`$(x)",
    "ü-composed",
    "u\u0308-decomposed",
    "\U0001f9ea/tube",
    "bytes\udcff\udc80",
    "half \ud83d pair",
    "*star",
    "-dash",
    "-",
    "tab\ttab",
    "\x01\x7f",
    "line\u2028separator",
    "a" * 255,
]


def digest_of(number: int) -> Digest:
    return Digest("sha256", f"{number:064x}")


def verified(path: str, content: int = 1, **changes: Any) -> Verified:
    """A copy of ``path`` with some content, proved."""
    made = Verified(
        destination=DISK,
        entry=Entry(path, 1000 + content, 10**18 + content, 10**18 + content, 4711, 0o100644),
        key=path,
        digest=digest_of(content),
        stored_mtime_ns=10**18 + content,
        proof_kind=ProofKind.READBACK,
        proof_how="direct",
        manner=Manner.NEW,
        reason="not there yet",
    )
    return made._replace(**changes)


def record_of(outcome: Verified, now: datetime = NOW, **changes: Any) -> Record:
    """The record that becomes of an outcome."""
    entry = outcome.entry
    made = Record(
        entry.path,
        outcome.key,
        entry.size_bytes,
        entry.mtime_ns,
        entry.ctime_ns,
        entry.inode,
        entry.mode,
        outcome.stored_mtime_ns,
        outcome.digest,
        outcome.proof_kind,
        outcome.proof_how,
        microseconds(now),
        microseconds(now),
    )
    return made._replace(**changes)


def identity(name: str = "disk-1", **changes: Any) -> Identity:
    facts: dict[str, Any] = {"created": NOW, "writers": ((JOB, "bench-pc"),), "names": {"folds_case": True}} | changes
    return Identity(name, **facts)


def meet(ledger: Ledger, *names: str, job: str = JOB) -> int:
    """Let the job meet its destinations, and begin a run."""
    for name in names or (DISK,):
        ledger.see_destination(job, name, f"file:///mnt/{name}", identity(name), NOW)
    return ledger.begin_run(job, "run", NOW)


def kinds(ledger: Ledger, path: str) -> list[str]:
    """What happened to a path."""
    return [event.kind for event in ledger.events(path=path)]


def tamper(url: str, statement: str, values: tuple[Any, ...] = ()) -> None:
    """Change what is in the ledger behind its back; ``?`` marks a value."""
    if url.startswith("sqlite"):
        with sqlite3.connect(file_of(url)) as connection:
            connection.execute("DROP TRIGGER IF EXISTS events_no_update")
            connection.execute("DROP TRIGGER IF EXISTS events_no_delete")
            connection.execute(statement, values)
        connection.close()
        return
    import psycopg

    with psycopg.connect(url, options="-c search_path=coldchain -c session_replication_role=replica") as server:
        server.execute(statement.replace("?", "%s"), values)


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))
