"""Does an older ledger become exactly one of today?"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, create_engine, inspect, text

from coldchain.errors import LedgerError, LedgerNewer
from coldchain.ledger import schema
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.migrations import SCRIPTS, upgrade
from coldchain.ledger.opening import open_for_writing
from coldchain.verdict import Condition, Verdict
from tests.ledger.making import DATASET, DISK, JOB, NOW, meet, verified

SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0004", "0003"
def upgrade() -> None:
    op.add_column("runs", sa.Column("host", sa.Text, nullable=False, server_default=""))
"""


def shape(url: str) -> Any:
    """Everything that the database says of its tables."""
    database = open_for_writing(url, create=False, now=NOW)
    try:
        if url.startswith("sqlite"):
            found = database.read(lambda c: c.execute(text("SELECT name, sql FROM sqlite_master")).all())
            return {name: re.sub(r"[\s\"]+", "", sql or "") for name, sql in found}
        found = database.read(
            lambda c: c.execute(
                text(
                    "SELECT table_name, column_name, data_type, is_nullable, column_default, character_maximum_length "
                    "FROM information_schema.columns WHERE table_schema = 'coldchain' "
                    "UNION SELECT tablename, indexname, indexdef, '', '', 0 FROM pg_indexes "
                    "WHERE schemaname = 'coldchain' "
                    "UNION SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', 0 "
                    "FROM pg_constraint WHERE connamespace = 'coldchain'::regnamespace "
                    "UNION SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', '', 0 FROM pg_trigger "
                    "WHERE NOT tgisinternal UNION SELECT proname, '', prosrc, '', '', 0 FROM pg_proc "
                    "WHERE pronamespace = 'coldchain'::regnamespace"
                )
            ).all()
        )
        return {tuple(row) for row in found}
    finally:
        database.close()


def engine_of(url: str, options: str = "") -> Engine:
    if url.startswith("sqlite"):
        return create_engine(url)
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"), connect_args={"options": options})


def undo(url: str) -> None:
    """Remove every table but Alembic's own, which forgets its version: a ledger older than the first version."""
    engine = engine_of(url)
    with engine.begin() as connection:
        space = None if url.startswith("sqlite") else schema.POSTGRES_SCHEMA
        tables = MetaData(schema=space)
        tables.reflect(connection)
        version = next(table for table in tables.sorted_tables if table.name == "alembic_version")
        tables.drop_all(connection, [table for table in tables.sorted_tables if table is not version])
        if space:
            connection.execute(text("DROP FUNCTION coldchain.events_never_change"))
        connection.execute(version.delete())
        assert inspect(connection).get_table_names(schema=space) == ["alembic_version"]
    engine.dispose()


def test_the_steps_lead_to_the_very_schema_that_a_new_ledger_has(url: str) -> None:
    Ledger.open(url, now=NOW).close()
    made = shape(url)
    undo(url)
    if url.startswith("postgresql"):
        upgrade_by_hand(url)
    assert shape(url) == made


def upgrade_by_hand(url: str) -> None:
    """In PostgreSQL the table meta says whether there is a ledger, so that opening would make a new one."""
    engine = engine_of(url, "-c search_path=coldchain")
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The scripts, with a second version."""
    scripts = tmp_path / "100% scripts"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "v0004_second.py").write_text(SECOND)
    return scripts


def test_a_step_keeps_what_was_recorded_and_the_older_program_then_refuses(url: str, newer: Path) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        run = meet(ledger)
        ledger.record(run, JOB, DATASET, [verified("a")], NOW)
        with ledger._database.write() as connection:
            upgrade(connection, newer)
        assert len(list(ledger.stored(JOB, DISK, DATASET))) == 1
        assert ledger.verify_chain().first_broken is None
    with pytest.raises(LedgerNewer, match="0004"):
        Ledger.open(url, now=NOW)


def test_a_ledger_of_the_first_version_keeps_its_records_and_gets_acquisitions(url: str) -> None:
    with Ledger.open(url, now=NOW) as ledger:
        run = meet(ledger)
        ledger.record(run, JOB, DATASET, [verified("a")], NOW)
        with ledger._database.write() as connection:
            for table in ("acquisitions", "messages", "told"):
                connection.execute(text(f"DROP TABLE {table}"))
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(LedgerError, match="older coldchain"):
        Ledger.open_read_only(url)
    with Ledger.open(url, now=NOW) as ledger:
        assert len(list(ledger.stored(JOB, DISK, DATASET))) == 1
        assert ledger.acquisition(JOB, DATASET) is None
        ledger.judge(run, JOB, DATASET, "files", "ab", Verdict(Condition.COMPLETE), {}, NOW)
        assert ledger.conditions(JOB) == {DATASET: Condition.COMPLETE}
        assert ledger.verify_chain().first_broken is None


def test_a_step_that_is_cut_off_leaves_the_ledger_as_it_was(url: str, newer: Path) -> None:
    second = newer / "versions" / "v0004_second.py"
    second.write_text(SECOND + '    raise RuntimeError("power cut")')
    with (
        Ledger.open(url, now=NOW) as ledger,
        pytest.raises(RuntimeError, match="power cut"),
        ledger._database.write() as connection,
    ):
        upgrade(connection, newer)
    with Ledger.open(url, now=NOW) as ledger:
        run = meet(ledger)
        assert ledger.run(run).command == "run"


def test_alembic_is_not_imported_for_a_ledger_of_today(sqlite_url: str) -> None:
    code = (
        "import sys, datetime\nfrom coldchain.ledger.ledger import Ledger\n"
        "for _ in range(2): Ledger.open(sys.argv[1], now=datetime.datetime.now(datetime.UTC)).close()\n"
        "Ledger.open_read_only(sys.argv[1]).close()\nassert 'alembic' not in sys.modules\n"
        "assert 'psycopg' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, sqlite_url], check=True)


def test_the_newest_version_is_the_last_script() -> None:
    scripts = sorted(path.name[1:5] for path in (SCRIPTS / "versions").glob("v*.py"))
    assert tuple(scripts) == schema.VERSIONS
