"""By which means were copies proved?

There are a handful: digest algorithm, kind of proof, and how.  Each has a number, so that a million records do not
spell them out, and reading them makes no strings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from coldchain.ledger.columns import nanoseconds, text, unsigned
from coldchain.ledger.database import Database
from coldchain.ledger.driving import insert_one, raw
from coldchain.ledger.schema import means as table
from coldchain.model import Digest, ProofKind, Record


class Means(NamedTuple):
    """How a content was named and a copy of it proved."""

    algorithm: str
    kind: ProofKind
    how: str


Known = dict[int, Means]


class Reading:
    """Makes records of rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Known = {}

    def records(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Record]:
        """Records of rows with ``records.COLUMNS``; belongs into the transaction that read the rows."""
        try:
            return self._made(connection, rows)
        except KeyError as error:
            raise self._database.where.damaged(f"a record names means {error} that are not there") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise self._database.where.damaged(f"a record makes no sense: {type(error).__name__}") from error

    def _made(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Record]:
        if self._database.in_transaction:  # what may yet be undone is never remembered
            return make(rows, known(connection))
        try:
            return make(rows, self._known)
        except KeyError:
            self._known = known(connection)
            return make(rows, self._known)


_KINDS = {int(kind): kind for kind in ProofKind}


def known(connection: Connection) -> Known:
    """All means by number, without those that make no sense: whose record names one of them is told so."""
    rows = raw(connection, select(table.c.id, table.c.algorithm, table.c.kind, table.c.how))
    return {number: Means(algorithm, _KINDS[kind], how) for number, algorithm, kind, how in rows if kind in _KINDS}


def numbers(connection: Connection, wanted: set[Means]) -> dict[Means, int]:
    """The number of each; new ones are made known."""
    found = {means: number for number, means in known(connection).items()}
    for algorithm, kind, how in sorted(wanted - found.keys()):
        statement = table.insert().values(algorithm=algorithm, kind=int(kind), how=how)
        found[Means(algorithm, kind, how)] = insert_one(connection, statement)
    return found


def make(rows: Sequence[Sequence[Any]], means: Known) -> list[Record]:
    """Records of rows.  This loop runs once for each file in each run: it is written for speed.

    Negative numbers are what ``columns.signed`` folded.
    """
    new = tuple.__new__
    return [
        new(
            Record,
            (
                name := path.decode("utf-8", "surrogatepass"),
                name if key is None else text(key),
                size,
                mtime if mtime >= 0 else nanoseconds(mtime),
                ctime if ctime >= 0 else nanoseconds(ctime),
                inode if inode >= 0 else unsigned(inode),
                mode,
                stored if stored >= 0 else nanoseconds(stored),
                new(Digest, ((of := means[number])[0], value.hex())),
                of[1],
                of[2],
                proved,
                at,
                old == 1,
            ),
        )
        for path, key, size, mtime, ctime, inode, mode, stored, number, value, proved, at, old in rows
    ]
