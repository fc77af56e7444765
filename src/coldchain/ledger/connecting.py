"""How is the driver set up for a ledger?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL

from coldchain.errors import ConfigurationError
from coldchain.ledger.database import BEGIN
from coldchain.ledger.schema import POSTGRES_SCHEMA
from coldchain.ledger.translating import Where, translated

BUSY_SECONDS = 60
"""How long one process waits for another's transaction; the longest records a batch, well under a second."""

_ALIVE = {"keepalives_idle": 15, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 45_000}
"""When a server, or a machine that is connected to it, counts as dead: after 45 seconds of silence, not two hours.

Less than BUSY_SECONDS: who waits for what a machine without power holds gets it.  These are libpq's parameters; the
settings of a session on the server have the same names, with ``tcp_`` before each.
"""


def sqlite(file: Path, *, new: bool = False) -> Connection:
    """Open a SQLite file for reading and writing; ``new``: while it is made, without a write-ahead log.

    ``synchronous = FULL``: a commit in WAL mode is durable only with it (https://www.sqlite.org/pragma.html).
    """
    journal = "DELETE" if new else "WAL"
    pragmas = (f"journal_mode = {journal}", "synchronous = FULL", "foreign_keys = ON", "cell_size_check = ON")
    return _sqlite_engine(f"{_uri(file)}?mode=rw", pragmas).connect()


def sqlite_for_reading(file: Path, *, alone: bool = False) -> Connection:
    """Open a SQLite file for reading; ``alone``: nobody writes, so neither locks nor files beside it are needed."""
    manner = "immutable=1" if alone else "mode=ro"
    return _sqlite_engine(f"{_uri(file)}?{manner}", ("query_only = ON", "cell_size_check = ON")).connect()


def sqlite_in_memory() -> Connection:
    """Open an empty SQLite database that is gone when it is closed."""
    return _sqlite_engine("file::memory:", ("foreign_keys = ON",)).connect()


def postgres(url: URL, where: Where, *, read_only: bool = False) -> Connection:
    """Connect to PostgreSQL; raises LedgerError."""
    defaults = " ".join(f"-c tcp_{name.removeprefix('tcp_')}={value}" for name, value in _ALIVE.items())
    options = f"-c lock_timeout={BUSY_SECONDS}s -c search_path={POSTGRES_SCHEMA}"
    if read_only:
        options += " -c default_transaction_read_only=on"
    theirs = url.query.get("options", "")
    try:
        with translated(where):
            arguments = {"connect_timeout": 20, "application_name": "coldchain", **_ALIVE, **url.query}
            arguments["options"] = f"{defaults} {theirs if isinstance(theirs, str) else ' '.join(theirs)} {options}"
            engine = create_engine(url.set(query={}), connect_args=arguments, poolclass=NullPool, hide_parameters=True)
            return engine.connect()
    except ModuleNotFoundError:
        raise ConfigurationError("a ledger in PostgreSQL needs the driver: pip install 'coldchain[postgres]'") from None


class Untouched:
    """The hope that nobody writes to a SQLite file; whoever does makes a write-ahead log first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._was = self._look()

    def disturbed(self) -> bool:
        """Whether somebody has the file open for writing, or had it since."""
        return Path(f"{self._file}-wal").exists() or self._look() != self._was

    def reopen(self) -> Connection:
        """Open it with locks."""
        return sqlite_for_reading(self._file)

    def _look(self) -> tuple[int, int, int]:
        found = self._file.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns


def _uri(file: Path) -> str:
    path = file.as_posix()  # of Windows, C:/folder
    return "file:" + quote(os.fsencode(path if path.startswith("/") else f"/{path}"))


def _sqlite_engine(uri: str, pragmas: tuple[str, ...]) -> Engine:
    arguments = {"uri": True, "timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
    engine = create_engine(
        "sqlite://", creator=lambda: _connect(uri, arguments), poolclass=NullPool, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def prepare(driver: Any, _record: object) -> None:
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}").fetchall()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # The driver's own idea of when to begin is switched off by isolation_level=None.
        connection.exec_driver_sql(connection.info.get(BEGIN, "BEGIN"))

    return engine


def _connect(uri: str, arguments: dict[str, Any]) -> Any:
    import sqlite3

    return sqlite3.connect(uri, **arguments)
