"""How are transactions made, so that reading and writing from one thread never hinder each other?

One connection for the life of a ledger.  Reads are short (streams read page by page, each page its own transaction),
so no snapshot grows the write-ahead log and no cursor stays open over a commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from sqlalchemy import Connection, text

from coldchain.ledger.translating import Where, translated

T = TypeVar("T")
R = TypeVar("R")

BEGIN = "coldchain_begin"
"""The key, in ``Connection.info``, of the word with which the next transaction begins."""


class Quiet(Protocol):
    """The hope that nobody writes while we read without locks."""

    def disturbed(self) -> bool:
        """Whether somebody wrote since, so that what was read may be a mixture."""

    def reopen(self) -> Connection:
        """Connect once more, with locks this time."""


class Database:
    """A connection, and the rules for using it; several threads may, one at a time."""

    def __init__(self, connection: Connection, where: Where, quiet: Quiet | None = None) -> None:
        self.connection = connection
        self.where = where
        self.is_postgres = connection.dialect.name == "postgresql"
        self._quiet = quiet
        self._lock = threading.RLock()
        self._depth = 0
        self._gone = ""

    def read(self, ask: Callable[[Connection], T]) -> T:
        """Return what ``ask`` makes of the ledger as it is at one moment; ``ask`` must not keep a cursor."""
        with self._lock, translated(self.where):
            if self._depth:
                return ask(self.connection)
            return self._asked(ask)

    def made(self, make: Callable[[R], T], rows: Iterable[R]) -> list[T]:
        """What ``make`` makes of each row; raises LedgerDamaged for one that nobody wrote so."""
        try:
            return [make(row) for row in rows]
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise self.where.damaged(f"a line makes no sense: {type(error).__name__}") from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, alone with the ledger; what is nested inside belongs to it.

        When it ends well everything is durable, else nothing happened.
        """
        with self._lock, translated(self.where):
            self._depth += 1
            try:
                if self._depth > 1:
                    yield self.connection
                else:
                    with self._transaction("BEGIN IMMEDIATE"):
                        if self.is_postgres:
                            self.connection.execute(_ALONE)
                        yield self.connection
            finally:
                self._depth -= 1

    @property
    def in_transaction(self) -> bool:
        """Whether what is read now may never become true."""
        return self._depth > 0

    def close(self) -> None:
        """Let go of the database; closing twice does no harm."""
        with self._lock, translated(self.where):
            self._gone = "it was closed"
            self.connection.close()
            self.connection.engine.dispose()

    def _asked(self, ask: Callable[[Connection], T]) -> T:
        quiet = self._quiet
        try:
            with self._transaction("BEGIN"):
                answer = ask(self.connection)
        except Exception:
            if quiet is None or not quiet.disturbed():
                raise
        else:
            if quiet is None or not quiet.disturbed():
                return answer
        self._quiet = None
        self.connection.close()
        self.connection = quiet.reopen()
        return self._asked(ask)

    @contextmanager
    def _transaction(self, word: str) -> Iterator[None]:
        if self._gone:
            raise self.where.unusable(self._gone)
        self.connection.info[BEGIN] = word
        try:
            with self.connection.begin():
                yield
        finally:
            if self.is_postgres and self.connection.invalidated:
                # A new connection would not hold the job's advisory lock any more.
                self._gone = "the connection to the server was lost; run again"


_ALONE = text("LOCK TABLE events IN EXCLUSIVE MODE")
"""One writer at a time, so that event numbers have no gaps; readers are not held up."""
