"""What is said when a row holds what nobody wrote?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coldchain.errors import LedgerDamaged
from coldchain.ledger.ledger import Ledger
from coldchain.model import Identity, State, Trouble

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "ledger.sqlite"
    with closing(Ledger.open(f"sqlite:///{file}", now=NOW)) as ledger:
        ledger.see_destination("j", "d", "file:///d", Identity("d", NOW, (("j", "h"),), {}), NOW)
        run = ledger.begin_run("j", "run", NOW)
        ledger.add_troubles(run, "j", "s", [Trouble("d", "x", 1, State.HELD, "young")])
        ledger.end_run(run, NOW, 0, {"files": 3})
    return file


@pytest.mark.parametrize(
    ("altered", "ask"),
    [
        ("UPDATE runs SET summary = '{'", lambda ledger: ledger.runs()),
        ("UPDATE runs SET started_us = 9000000000000000000", lambda ledger: ledger.run(1)),
        ("UPDATE troubles SET state = 'hold'", lambda ledger: list(ledger.troubles(1))),
        ("UPDATE troubles SET state = 'hold'", lambda ledger: ledger.last_troubles("j", "s", "x")),
        ("UPDATE events SET detail = '['", lambda ledger: list(ledger.events())),
        ("UPDATE places SET content = '[]'", lambda ledger: ledger.destination("j", "d")),
        ("UPDATE datasets SET name = X'FF'", lambda ledger: ledger.datasets("j")),
    ],
)
def test_p08_a_row_that_makes_no_sense_is_a_damaged_ledger_and_no_bug(file: Path, altered: str, ask: object) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute(altered)
    with closing(Ledger.open_read_only(f"sqlite:///{file}")) as ledger, pytest.raises(LedgerDamaged, match="rebuild"):
        ask(ledger)  # type: ignore[operator]
