"""How are thousands of rows handed to the driver at once?

SQLAlchemy compiles the statement, once, and the driver's own ``executemany`` takes tuples: that halves what a batch
costs, because nothing is looked up by name for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Dialect, FromClause, Insert, Select
from sqlalchemy.sql.dml import UpdateBase


class Driven:
    """An INSERT, UPDATE or DELETE for many rows; a row is a tuple in the order of ``names``."""

    def __init__(self, statement: UpdateBase, names: Sequence[str]) -> None:
        self._statement = statement
        self._names = list(names)

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Execute it for each row."""
        if not rows:
            return
        if connection.dialect.name == "postgresql" and isinstance(self._statement, Insert):
            _copy(connection, self._statement.table, rows)
        else:
            sql = self._in_postgres if connection.dialect.name == "postgresql" else self._in_sqlite
            connection.exec_driver_sql(sql, list(rows))

    @cached_property
    def _in_sqlite(self) -> str:
        from sqlalchemy.dialects import sqlite

        return self._compiled(_dialect(sqlite, "qmark"))

    @cached_property
    def _in_postgres(self) -> str:
        from sqlalchemy.dialects import postgresql  # it brings asyncio with it, and most ledgers are files

        return self._compiled(_dialect(postgresql, "format"))

    def _compiled(self, dialect: Dialect) -> str:
        compiled = self._statement.compile(dialect=dialect)
        if compiled.positiontup != self._names:
            raise TypeError(f"{self._names} are not in the order of the statement: {compiled.positiontup}")
        return str(compiled)


def _copy(connection: Connection, table: FromClause, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert by PostgreSQL's COPY, which takes ten times as many rows a second as INSERT does."""
    statement = f"COPY {table.description} ({', '.join(table.c.keys())}) FROM STDIN"
    driver: Any = connection.connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _dialect(kind: Any, paramstyle: str) -> Dialect:
    made: Dialect = kind.dialect(paramstyle=paramstyle)
    return made


def raw(connection: Connection, statement: Select[Any], values: dict[str, Any] | None = None) -> list[Any]:
    """The driver's own tuples: SQLAlchemy's rows would cost a second for each million."""
    result = connection.execute(statement, values or {})
    rows: list[Any] = list(result.cursor.fetchall())
    result.close()
    return rows


def insert_one(connection: Connection, statement: Insert) -> int:
    """Insert a row and return the number that the database gave it."""
    key = connection.execute(statement).inserted_primary_key
    if key is None:
        raise TypeError("no number came back")
    return int(key[0])
