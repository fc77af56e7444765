"""The first schema, written out: what ``schema.py`` becomes later must not change what this made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _name(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _refers(name: str, target: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(target), nullable=False)


def upgrade() -> None:
    """Make every table."""
    op.create_table("meta", sa.Column("name", sa.String(32), primary_key=True), _text("value"))
    _make_places()
    _make_records()
    _make_runs()
    _make_looks()
    _make_events()
    _guard_events()


def _make_places() -> None:
    op.create_table(
        "sources",
        sa.Column("job", sa.Text, primary_key=True),
        _name("volume"),
        _count("files"),
        _count("size_bytes"),
        _count("at_us"),
    )
    op.create_table(
        "places",
        sa.Column("id", _NUMBER, primary_key=True),
        *(_text(name) for name in ("job", "destination", "identity", "url", "content")),
        sa.Column("current", sa.Boolean, nullable=False),
        _count("first_seen_us"),
        sa.UniqueConstraint("job", "destination", "identity", name="places_once"),
    )
    op.create_table(
        "datasets",
        sa.Column("id", _NUMBER, primary_key=True),
        _text("job"),
        _name("name"),
        sa.UniqueConstraint("job", "name", name="datasets_once"),
    )


def _make_records() -> None:
    op.create_table(
        "means",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("kind", sa.Integer, nullable=False),
        _text("how"),
        sa.UniqueConstraint("algorithm", "kind", "how", name="means_once"),
    )
    op.create_table(
        "records",
        _refers("place_id", "places.id"),
        _refers("dataset_id", "datasets.id"),
        _name("path"),
        _name("key"),
        *(_count(name) for name in ("size_bytes", "source_mtime_ns", "source_ctime_ns", "source_inode", "mode")),
        _count("stored_mtime_ns"),
        _refers("means_id", "means.id"),
        _name("digest"),
        _count("proved_at_us"),
        _count("stored_at_us"),
        sa.Column("superseded", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("place_id", "dataset_id", "path", "key", name="records_by_path"),
        sqlite_with_rowid=False,
    )


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", _NUMBER, primary_key=True),
        _text("job"),
        _text("command"),
        _count("started_us"),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("exit_code", sa.Integer),
        _text("summary"),
    )
    op.create_index("runs_by_job", "runs", ["job"])
    op.create_table(
        "troubles",
        sa.Column("id", _NUMBER, primary_key=True),
        _refers("run", "runs.id"),
        _refers("dataset_id", "datasets.id"),
        _text("destination"),
        _name("path"),
        _count("size_bytes"),
        sa.Column("state", sa.String(16), nullable=False),
        _name("reason"),
        sa.Column("again", sa.Boolean, nullable=False),
        sa.Column("integrity", sa.Boolean, nullable=False),
    )
    op.create_index("troubles_by_run", "troubles", ["run"])
    op.create_index("troubles_by_path", "troubles", ["path"])


def _make_looks() -> None:
    op.create_table(
        "looks",
        _refers("dataset_id", "datasets.id"),
        _name("path"),
        *(_count(name) for name in ("size_bytes", "mtime_ns", "ctime_ns", "inode", "mode", "first_seen_us")),
        sa.PrimaryKeyConstraint("dataset_id", "path", name="looks_by_path"),
        sqlite_with_rowid=False,
    )


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        _count("at_us"),
        _count("run"),
        sa.Column("kind", sa.String(32), nullable=False),
        _text("job"),
        _name("dataset"),
        _text("destination"),
        _name("path"),
        _text("detail"),
        _name("hash"),
    )
    op.create_index("events_by_path", "events", ["path"])


def _guard_events() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION events_never_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'events are never changed'; END $$"
        )
        op.execute(
            "CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
            "FOR EACH STATEMENT EXECUTE FUNCTION events_never_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER events_no_{verb.lower()} BEFORE {verb} ON events "
            "BEGIN SELECT RAISE(ABORT, 'events are never changed'); END"
        )
