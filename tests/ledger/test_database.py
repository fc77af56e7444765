"""Does nobody see a mixture of two moments, and does nobody write between somebody's reading and writing?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from coldchain.errors import LedgerError
from coldchain.ledger.ledger import Ledger
from coldchain.ledger.opening import open_for_reading
from tests.ledger.making import DATASET, DISK, JOB, LATER, NOW, file_of, meet, verified


def runs(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM runs")).scalar_one())


def begin(url: str) -> None:
    """Another process comes, writes and goes."""
    with Ledger.open(url, create=False, now=LATER) as ledger:
        ledger.begin_run(JOB, "run", LATER)


def test_p04_who_writes_is_alone_from_the_first_question_on(sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        with ledger.together():
            ledger.head()
            with closing(sqlite3.connect(file_of(sqlite_url), timeout=0, isolation_level=None)) as other:
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    other.execute("BEGIN IMMEDIATE")
                assert other.execute("SELECT count(*) FROM runs").fetchone() == (0,), "reading waits for nobody"
            ledger.begin_run(JOB, "run", NOW)
        begin(sqlite_url)
        assert ledger.verify_chain().events == 2


def test_what_is_written_together_is_there_together_or_not_at_all(sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        run = meet(ledger)
        with ledger.together():
            ledger.record(run, JOB, "one", [verified("a")], NOW)
            ledger.record(run, JOB, "two", [verified("b")], NOW)
            with Ledger.open_read_only(sqlite_url) as other:
                assert other.datasets(JOB) == []
        with pytest.raises(RuntimeError), ledger.together():
            ledger.record(run, JOB, DATASET, [verified("c")], NOW)
            raise RuntimeError("power cut")
        with Ledger.open_read_only(sqlite_url) as other:
            assert other.datasets(JOB) == ledger.datasets(JOB) == ["one", "two"]
            assert [record.path for record in other.stored(JOB, DISK, "two")] == ["b"]
        assert ledger.verify_chain().events == 3


def test_p12_what_was_read_while_somebody_wrote_is_read_again(sqlite_url: str) -> None:
    Ledger.open(sqlite_url, now=NOW).close()
    with closing(open_for_reading(sqlite_url)) as database:
        answers: list[int] = []

        def ask(connection: Connection) -> int:
            answers.append(runs(connection))
            if len(answers) == 1:
                begin(sqlite_url)
            return answers[-1]

        assert database.read(ask) == 1
        assert answers == [0, 1]
        begin(sqlite_url)
        assert database.read(runs) == 2
        assert answers == [0, 1], "with locks nothing is asked twice"


def test_an_error_of_a_mixture_is_none_and_every_other_one_is(sqlite_url: str) -> None:
    Ledger.open(sqlite_url, now=NOW).close()
    with closing(open_for_reading(sqlite_url)) as database:
        asked: list[bool] = []

        def ask(connection: Connection) -> int:
            asked.append(True)
            if len(asked) == 1:
                raise KeyError("nobody wrote")
            if len(asked) == 2:
                begin(sqlite_url)
                raise KeyError("half a page")
            return runs(connection)

        with pytest.raises(KeyError, match="nobody wrote"):
            database.read(ask)
        assert len(asked) == 1
        assert database.read(ask) == 1
        assert len(asked) == 3
        with pytest.raises(ZeroDivisionError):
            database.read(lambda connection: runs(connection) // 0)


def test_p12_reading_alone_leaves_nothing_beside_the_ledger(sqlite_url: str) -> None:
    Ledger.open(sqlite_url, now=NOW).close()
    before = sorted(Path(file_of(sqlite_url)).parent.iterdir())
    with Ledger.open_read_only(sqlite_url) as ledger:
        assert ledger.runs() == []
        assert sorted(Path(file_of(sqlite_url)).parent.iterdir()) == before
        with pytest.raises(LedgerError, match="cannot be written"):
            ledger.begin_run(JOB, "plan", NOW)


def test_p11_who_is_interrupted_while_writing_can_still_say_how_it_ended(sqlite_url: str) -> None:
    with Ledger.open(sqlite_url, now=NOW) as ledger:
        run = meet(ledger)
        with pytest.raises(KeyboardInterrupt), ledger._database.write() as connection:
            connection.invalidate()  # what SQLAlchemy does when Ctrl-C comes while a statement runs
            raise KeyboardInterrupt
        ledger.end_run(run, LATER, 130, {})
        assert ledger.run(run).exit_code == 130
        assert ledger.verify_chain().first_broken is None
