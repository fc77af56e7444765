"""Is this file a whole SQLite ledger, and how does a new one come to be whole at once?"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Connection

from coldchain.content.durable import flush_folder
from coldchain.content.private import make_private
from coldchain.errors import LedgerError
from coldchain.ledger import connecting
from coldchain.ledger.schema import APPLICATION_ID
from coldchain.ledger.translating import REBUILD, Where

_MAGIC = b"SQLite format 3\x00"


def examine(where: Where, file: Path) -> str:
    """Look at the first 100 bytes before SQLite does (https://www.sqlite.org/fileformat2.html#the_database_header).

    Returns "" when nothing speaks against the file, or what does when only SQLite can tell: a write-ahead log may
    hold what the file lacks.  Raises LedgerDamaged, LedgerReadOnly, or LedgerError for somebody else's database.
    """
    try:
        with file.open("rb") as opened:
            header = opened.read(100)
            size_bytes = os.fstat(opened.fileno()).st_size
    except PermissionError as error:
        raise where.read_only(error.strerror or str(error)) from error
    except OSError as error:
        raise where.unusable(f"{error.strerror or error}") from error
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise where.damaged("the file is empty" if not header else "it is no SQLite database, or not a whole one")
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise LedgerError(
            f"{where.shown} is an SQLite database of another program; coldchain leaves it alone: set the ledger to "
            f"another file. If it was the ledger, {REBUILD}"
        )
    page_bytes = int.from_bytes(header[16:18])
    expected = int.from_bytes(header[28:32]) * (65536 if page_bytes == 1 else page_bytes)
    if header[24:28] != header[92:96] or size_bytes >= expected:
        return ""
    why = f"it is cut short: {size_bytes} bytes of {expected}"
    if not has_log(file):
        raise where.damaged(why)
    return why


def sound(connection: Connection) -> bool:
    """Let SQLite look at every page."""
    return bool(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar() == "ok")


def has_log(file: Path) -> bool:
    """Whether a write-ahead log lies beside the file: somebody has it open, or was killed."""
    try:
        return Path(f"{file}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def make_sqlite_file(where: Where, file: Path, fill: Callable[[Connection], None]) -> None:
    """Make a new ledger under another name and rename it when it is whole, so that an empty file is never a ledger."""
    try:
        make_private(file.parent)
        with FileLock(f"{file}.lock", mode=0o600, fallback_to_soft=False):
            if not file.exists():
                _make(file, Path(f"{file}.new"), fill)
    except OSError as error:
        raise _explain(where, error) from error


def _make(file: Path, new: Path, fill: Callable[[Connection], None]) -> None:
    for leftover in (new, Path(f"{new}-journal")):  # of somebody who was killed here
        leftover.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = connecting.sqlite(new, new=True)
    try:
        with connection.begin():
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            fill(connection)
    finally:
        connection.close()
        connection.engine.dispose()
    new.rename(file)
    flush_folder(file.parent)


def _explain(where: Where, error: OSError) -> LedgerError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return where.read_only(f"{error.strerror}: {error.filename}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return where.full()
    return where.unusable(f"{error.strerror or error}: {error.filename}")
