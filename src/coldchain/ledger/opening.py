"""Is there a ledger at this URL, and is it one that this coldchain can use?"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, inspect, select

from coldchain.errors import LedgerAbsent, LedgerNewer
from coldchain.ledger import connecting, schema
from coldchain.ledger.columns import microseconds
from coldchain.ledger.database import Database
from coldchain.ledger.sqlite_file import examine, make_sqlite_file, sound
from coldchain.ledger.translating import Where, translated
from coldchain.ledger.urls import parse

IN_MEMORY = "in memory"
ABSENT = "there is no ledger yet at {}; it is made by the first run"


def open_for_writing(url: str, *, create: bool, now: datetime) -> Database:
    """Open the ledger; makes it when there is none and ``create`` says so, and brings an older one up to date."""
    server, where = parse(url)
    if where.file is not None:
        return _open_sqlite(where, where.file, create=create, now=now)
    connection = connecting.postgres(server, where)
    with _closed_on_error(connection):
        database = Database(connection, where)
        with translated(where):
            _make_in_postgres(connection, where, create=create, now=now)
        _bring_up_to_date(database)
        return database


def open_for_reading(url: str) -> Database:
    """Open the ledger so that nothing at all is written, not even beside it (P12).

    A SQLite ledger that nobody has open lies complete in one file, and is read without locks; should somebody begin
    to write meanwhile, it is opened anew with locks.  When a write-ahead log lies beside it, SQLite needs the file
    ``-shm`` too and makes it if it is gone.
    """
    server, where = parse(url)
    if where.file is None:
        connection = connecting.postgres(server, where, read_only=True)
        database = Database(connection, where)
    else:
        database = _open_sqlite_for_reading(where, where.file)
        connection = database.connection
    with _closed_on_error(connection):
        if where.file is None and not database.read(_has_tables):
            raise LedgerAbsent(ABSENT.format(where.shown))
        if _needs_update(database):
            raise where.unusable("it was written by an older coldchain; the next `coldchain run` brings it up to date")
    return database


def in_memory(now: datetime) -> Database:
    """An empty ledger that leaves no trace, for looking when there is none yet."""
    connection = connecting.sqlite_in_memory()
    with connection.begin():
        make_tables(connection, now)
    return Database(connection, Where(IN_MEMORY))


def _open_sqlite(where: Where, file: Path, *, create: bool, now: datetime) -> Database:
    if not _is_there(where, file):
        if not create:
            raise LedgerAbsent(ABSENT.format(where.shown))
        with translated(where):
            make_sqlite_file(where, file, lambda connection: make_tables(connection, now))
    doubtful = examine(where, file)
    with translated(where):
        connection = connecting.sqlite(file)
    with _closed_on_error(connection):
        database = Database(connection, where)
        with database.write():
            pass
        if doubtful and not database.read(sound):
            raise where.damaged(doubtful)
        _bring_up_to_date(database)
    return database


def _open_sqlite_for_reading(where: Where, file: Path) -> Database:
    if not _is_there(where, file):
        raise LedgerAbsent(ABSENT.format(where.shown))
    doubtful = examine(where, file)
    quiet = connecting.Untouched(file)
    if quiet.disturbed():
        with translated(where):
            database = Database(connecting.sqlite_for_reading(file), where)
        if doubtful and not database.read(sound):
            raise where.damaged(doubtful)
        return database
    with translated(where):
        return Database(connecting.sqlite_for_reading(file, alone=True), where, quiet)


def _is_there(where: Where, file: Path) -> bool:
    try:
        return file.exists()
    except OSError as error:
        advice = "give this account the right to read it and its folder"
        raise where.unusable(f"{error.strerror}; {advice}") from error


def make_tables(connection: Connection, now: datetime) -> None:
    """Make an empty ledger with a name of its own; the caller's transaction makes it whole or not at all."""
    schema.metadata.create_all(connection)
    connection.execute(schema.version.insert().values(version_num=schema.VERSIONS[-1]))
    facts = {"id": uuid.uuid4().hex, "created_us": str(microseconds(now))}
    connection.execute(schema.meta.insert(), [{"name": name, "value": value} for name, value in facts.items()])


def _make_in_postgres(connection: Connection, where: Where, *, create: bool, now: datetime) -> None:
    with connection.begin():
        if _has_tables(connection):
            return
        if not create:
            raise LedgerAbsent(ABSENT.format(where.shown))
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1131375716)")
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema.POSTGRES_SCHEMA}")
        if not _has_tables(connection):
            make_tables(connection, now)


def _has_tables(connection: Connection) -> bool:
    of_server = connection.dialect.name == "postgresql"
    return inspect(connection).has_table("meta", schema=schema.POSTGRES_SCHEMA if of_server else None)


def _bring_up_to_date(database: Database) -> None:
    if not _needs_update(database):
        return
    from coldchain.ledger.migrations import upgrade  # 0.3 s that nobody pays whose ledger is the newest

    with database.write() as connection:
        upgrade(connection)


def _needs_update(database: Database) -> bool:
    """Whether the ledger is older than this coldchain; raises LedgerNewer, LedgerDamaged."""
    found = database.read(lambda connection: connection.execute(select(schema.version.c.version_num)).scalars().all())
    if len(found) > 1:
        raise database.where.damaged("it has several versions at once")
    if not found and database.read(_has_tables):
        raise database.where.damaged("it does not say its version")
    if found and found[0] not in schema.VERSIONS:
        raise LedgerNewer(
            f"the ledger {database.where.shown} was written by a newer coldchain (its version is {found[0]!r}, this "
            f"coldchain knows up to {schema.VERSIONS[-1]!r}): update coldchain on this machine"
        )
    return list(found) != [schema.VERSIONS[-1]]


@contextmanager
def _closed_on_error(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        connection.engine.dispose()
        raise
