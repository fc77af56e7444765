"""Does a person learn what an error of the database means, and what to do about it?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import exc

from coldchain.errors import ColdchainError, LedgerDamaged, LedgerError, LedgerReadOnly
from coldchain.ledger.translating import Where, explain, translated

SERVER = Where("postgresql://db/lab", secrets=("ge-heim",))


@pytest.fixture
def here(tmp_path: Path) -> Where:
    file = tmp_path / "ledger.db"
    file.write_bytes(b"")
    return Where(str(file), file)


def of_sqlite(name: str, said: str = "it went wrong") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(said)
    error.sqlite_errorname = name
    return error


class OfServer(Exception):
    def __init__(self, said: str, sqlstate: str | None) -> None:
        super().__init__(said)
        self.sqlstate = sqlstate


OfServer.__module__ = "psycopg.errors"


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("SQLITE_CORRUPT_INDEX", LedgerDamaged, "rebuild JOB"),
        ("SQLITE_NOTADB", LedgerDamaged, "rebuild JOB"),
        ("SQLITE_READONLY_DIRECTORY", LedgerReadOnly, "the right to write the file and its folder"),
        ("SQLITE_PERM", LedgerReadOnly, "the right to write"),
        ("SQLITE_CANTOPEN", LedgerReadOnly, "the right to write"),
        ("SQLITE_FULL", LedgerError, "no room for the ledger"),
        ("SQLITE_BUSY_SNAPSHOT", LedgerError, "another process has been writing"),
        ("SQLITE_LOCKED", LedgerError, "another process has been writing"),
        ("SQLITE_IOERR_FSYNC", LedgerError, "look after the disk"),
        ("SQLITE_CONSTRAINT", LedgerError, r"it went wrong$"),
    ],
)
def test_each_error_of_sqlite_is_the_one_that_fits(here: Where, name: str, kind: type[LedgerError], said: str) -> None:
    for foreign in (of_sqlite(name), exc.OperationalError("SELECT 1", {}, of_sqlite(name))):
        with pytest.raises(LedgerError, match=said) as caught, translated(here):
            raise foreign
        assert type(caught.value) is kind


def test_a_part_that_is_missing_is_damage_whatever_the_code(here: Where) -> None:
    for said in ("no such table: records", "no such column: means_id"):
        assert isinstance(explain(here, of_sqlite("SQLITE_ERROR", said)), LedgerDamaged)
    assert isinstance(explain(here, sqlite3.DatabaseError("not a database")), LedgerDamaged)


def test_a_file_that_is_not_there_is_no_matter_of_rights(here: Where) -> None:
    assert here.file is not None
    for gone in (Where("gone", here.file / "x"), Where("gone", here.file.parent / "nowhere" / "x")):
        assert "cannot be used" in str(explain(gone, of_sqlite("SQLITE_CANTOPEN")))


@pytest.mark.parametrize(
    ("state", "kind", "said"),
    [
        ("25006", LedgerReadOnly, "the user in the ledger's URL"),
        ("42501", LedgerReadOnly, "the user in the ledger's URL"),
        ("53100", LedgerError, "no room"),
        ("XX001", LedgerDamaged, "rebuild"),
        ("42P01", LedgerDamaged, "rebuild"),
        ("55P03", LedgerError, "another process"),
        ("08006", LedgerError, "lost by \\*\\*\\*$"),
        (None, LedgerError, "check that the server runs"),
    ],
)
def test_each_error_of_the_server_is_the_one_that_fits(state: str | None, kind: type[LedgerError], said: str) -> None:
    with pytest.raises(LedgerError, match=said) as caught, translated(SERVER):
        raise OfServer("the connection\n was lost by ge-heim", state)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None


def test_what_is_no_matter_of_the_database_stays_what_it_is(here: Where) -> None:
    with pytest.raises(ZeroDivisionError), translated(here):
        raise ZeroDivisionError
    with pytest.raises(ColdchainError, match="already so"), translated(here):
        raise LedgerError("already so")
    with pytest.raises(LedgerDamaged, match="not what was written"), translated(here):
        b"\xff".decode()
    with pytest.raises(LedgerError, match="cannot be written as text"), translated(here):
        "\ud83d".encode()
    with pytest.raises(LedgerError, match="cannot be used"), translated(here):
        raise exc.InvalidRequestError("closed")
