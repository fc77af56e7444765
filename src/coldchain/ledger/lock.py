"""Who runs this job?  One lock for each job, held for life and released by death (P11).

The lock is the operating system's (``flock``, ``LockFileEx``), never the existence of a file or a process number: both
outlive their process, and numbers are given again.  The text beside it only tells a person who holds it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from coldchain.content.private import make_private
from coldchain.errors import AlreadyRunning, LedgerError, LedgerReadOnly
from coldchain.ledger.columns import blob
from coldchain.ledger.database import Database
from coldchain.ledger.quoting import quote_dataset

_LINGERS_S = 5.0
"""A server that is busy may notice that late that a process which held the lock was killed."""
_ASK_AGAIN_S = 0.05


@contextmanager
def job_lock(database: Database, job: str, folder: Path) -> Iterator[None]:
    """Hold the lock of a job; raises AlreadyRunning: at once when it is held here, after seconds when elsewhere."""
    beside = folder / f"{quote_dataset(job)}.holder"
    lock = FileLock(
        folder / f"{quote_dataset(job)}.lock", timeout=0, mode=0o600, thread_local=False, fallback_to_soft=False
    )
    try:
        make_private(folder)
        lock.acquire()
    except Timeout:
        raise AlreadyRunning(f"job {job} is running already{_holder(beside)}; wait for it, or stop it") from None
    except OSError as error:
        raise _explain(folder, error) from error
    try:
        with suppress(OSError):  # for people only
            beside.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
        with _held_on_server(database, job):
            yield
    finally:
        with suppress(OSError):
            beside.unlink()
        lock.release()


@contextmanager
def _held_on_server(database: Database, job: str) -> Iterator[None]:
    """Hold PostgreSQL's advisory lock too: other machines share the ledger.  It dies with the connection."""
    if not database.is_postgres:
        yield
        return
    number = int.from_bytes(hashlib.sha256(b"coldchain job " + blob(job)).digest()[:8], signed=True)
    until = time.monotonic() + _LINGERS_S
    while not database.read(lambda c: c.exec_driver_sql(f"SELECT pg_try_advisory_lock({number})").scalar()):
        if time.monotonic() > until:
            raise AlreadyRunning(
                f"job {job} is running already, on another machine that shares the ledger; wait for it (of one that "
                "died the lock is free within a minute)"
            )
        time.sleep(_ASK_AGAIN_S)
    try:
        yield
    finally:
        with suppress(LedgerError):
            database.read(lambda c: c.exec_driver_sql(f"SELECT pg_advisory_unlock({number})").scalar())


def _holder(beside: Path) -> str:
    try:
        since = datetime.fromtimestamp(beside.stat().st_mtime, UTC)
        return f" ({beside.read_text(encoding='utf-8')}, since {since:%Y-%m-%d %H:%M:%S} UTC)"
    except (OSError, ValueError):
        return ""


def _explain(folder: Path, error: OSError) -> LedgerError:
    said = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return LedgerReadOnly(
            f"the folder of the locks, {folder}, cannot be written ({said}): give this account the right"
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LedgerError(f"no room for the locks in {folder}: free some space there, then run again")
    return LedgerError(f"no lock can be had in {folder} ({said}): keep the ledger's folder on a local disk")
