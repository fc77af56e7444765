"""Which tables does the ledger have?

This is the newest schema; ``migrations/versions`` tells how older ledgers become it, and a test proves that both ways
give the same.  On PostgreSQL everything lies in a schema of its own, ``coldchain``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import UserDefinedType

VERSIONS = ("0001", "0002", "0003")
"""Every version of the schema that this coldchain knows, oldest first; the last one is this page."""

APPLICATION_ID = 0x436F6C64
"""Bytes 68 to 71 of an SQLite ledger ("Cold"), by which it is told from everybody else's SQLite files."""

POSTGRES_SCHEMA = "coldchain"


class Bytes(UserDefinedType[bytes]):
    """BLOB or BYTEA; unlike LargeBinary it hands the driver's bytes through untouched, which a million rows notice."""

    cache_ok = True


@compiles(Bytes)
def _blob(_type: Bytes, _compiler: Any, **_options: Any) -> str:
    return "BLOB"


@compiles(Bytes, "postgresql")
def _bytea(_type: Bytes, _compiler: Any, **_options: Any) -> str:
    return "BYTEA"


def _number() -> Any:
    """A primary key: SQLite counts by itself only in a column whose type is INTEGER to the letter."""
    return BigInteger().with_variant(Integer(), "sqlite")


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _name(name: str) -> Column[bytes]:
    return Column(name, Bytes, nullable=False)


metadata = MetaData()

version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

meta = Table(
    "meta",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

sources = Table(
    "sources",
    metadata,
    Column("job", Text, primary_key=True),
    _name("volume"),
    _count("files"),
    _count("size_bytes"),
    _count("at_us"),
)

places = Table(
    "places",
    metadata,
    Column("id", _number(), primary_key=True),
    Column("job", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("current", Boolean, nullable=False),
    _count("first_seen_us"),
    UniqueConstraint("job", "destination", "identity", name="places_once"),
)
"""A destination of a job, by identity: another disk under the same name is another place."""

datasets = Table(
    "datasets",
    metadata,
    Column("id", _number(), primary_key=True),
    Column("job", Text, nullable=False),
    _name("name"),
    UniqueConstraint("job", "name", name="datasets_once"),
)

means = Table(
    "means",
    metadata,
    Column("id", _number(), primary_key=True),
    Column("algorithm", String(16), nullable=False),
    Column("kind", Integer, nullable=False),
    Column("how", Text, nullable=False),
    UniqueConstraint("algorithm", "kind", "how", name="means_once"),
)

records = Table(
    "records",
    metadata,
    Column("place_id", BigInteger, ForeignKey("places.id"), nullable=False),
    Column("dataset_id", BigInteger, ForeignKey("datasets.id"), nullable=False),
    _name("path"),
    _name("key"),
    _count("size_bytes"),
    _count("source_mtime_ns"),
    _count("source_ctime_ns"),
    _count("source_inode"),
    _count("mode"),
    _count("stored_mtime_ns"),
    Column("means_id", BigInteger, ForeignKey("means.id"), nullable=False),
    _name("digest"),
    _count("proved_at_us"),
    _count("stored_at_us"),
    Column("superseded", Boolean, nullable=False),
    PrimaryKeyConstraint("place_id", "dataset_id", "path", "key", name="records_by_path"),
    sqlite_with_rowid=False,
)
"""Clustered by its key, so that reading one dataset of one place in order is reading the file in order."""

runs = Table(
    "runs",
    metadata,
    Column("id", _number(), primary_key=True),
    Column("job", Text, nullable=False),
    Column("command", Text, nullable=False),
    _count("started_us"),
    Column("ended_us", BigInteger),
    Column("exit_code", Integer),
    Column("summary", Text, nullable=False),
    Index("runs_by_job", "job"),
)

troubles = Table(
    "troubles",
    metadata,
    Column("id", _number(), primary_key=True),
    Column("run", BigInteger, ForeignKey("runs.id"), nullable=False),
    Column("dataset_id", BigInteger, ForeignKey("datasets.id"), nullable=False),
    Column("destination", Text, nullable=False),
    _name("path"),
    _count("size_bytes"),
    Column("state", String(16), nullable=False),
    _name("reason"),
    Column("again", Boolean, nullable=False),
    Column("integrity", Boolean, nullable=False),
    Index("troubles_by_run", "run"),
    Index("troubles_by_path", "path"),
)

looks = Table(
    "looks",
    metadata,
    Column("dataset_id", BigInteger, ForeignKey("datasets.id"), nullable=False),
    _name("path"),
    _count("size_bytes"),
    _count("mtime_ns"),
    _count("ctime_ns"),
    _count("inode"),
    _count("mode"),
    _count("first_seen_us"),
    PrimaryKeyConstraint("dataset_id", "path", name="looks_by_path"),
    sqlite_with_rowid=False,
)

acquisitions = Table(
    "acquisitions",
    metadata,
    Column("dataset_id", BigInteger, ForeignKey("datasets.id"), primary_key=True, autoincrement=False),
    Column("instrument", Text, nullable=False),
    Column("stamp", Text, nullable=False),
    Column("condition", String(16), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("remembered", Text, nullable=False),
    _count("first_seen_us"),
    _count("since_us"),
    Column("completed_us", BigInteger),
)
"""What the instrument says of a dataset; ``verdict`` and ``remembered`` are JSON, in ASCII."""

messages = Table(
    "messages",
    metadata,
    Column("id", _number(), primary_key=True),
    *(
        Column(name, Text, nullable=False)
        for name in ("channel", "way", "message_id", "job", "subject", "content", "done", "said")
    ),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    *map(_count, ("created_us", "next_us", "claimed_us")),
    Column("claimed_by", Text, nullable=False),
    UniqueConstraint("channel", "way", "message_id", name="messages_once"),
    Index("messages_by_state", "state"),
)
"""One line for each message and each way that it goes; ``content`` and ``done`` are JSON, in ASCII."""

told = Table(
    "told",
    metadata,
    Column("channel", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("state", Text, nullable=False),
    _count("at_us"),
    PrimaryKeyConstraint("channel", "topic", name="told_once"),
)
"""What was told last by each channel; ``topic`` is a JSON list, in ASCII."""

events = Table(
    "events",
    metadata,
    Column("number", _number(), primary_key=True, autoincrement=False),
    _count("at_us"),
    _count("run"),
    Column("kind", String(32), nullable=False),
    Column("job", Text, nullable=False),
    _name("dataset"),
    Column("destination", Text, nullable=False),
    _name("path"),
    Column("detail", Text, nullable=False),
    _name("hash"),
    Index("events_by_path", "path"),
)
"""What happened, for ever; see ``events.py`` for the chain.  Names, not ids: a line must mean the same in ten years."""

_SQLITE_GUARDS = [
    f"CREATE TRIGGER events_no_{verb.lower()} BEFORE {verb} ON events "
    "BEGIN SELECT RAISE(ABORT, 'events are never changed'); END"
    for verb in ("UPDATE", "DELETE")
]
_POSTGRES_GUARDS = [
    "CREATE FUNCTION events_never_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'events are never changed'; END $$",
    "CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
    "FOR EACH STATEMENT EXECUTE FUNCTION events_never_change()",
]

_ddl: Any = DDL  # SQLAlchemy left it without types
for _dialect, _guards in (("sqlite", _SQLITE_GUARDS), ("postgresql", _POSTGRES_GUARDS)):
    for _guard in _guards:
        event.listen(events, "after_create", _ddl(_guard).execute_if(dialect=_dialect))
