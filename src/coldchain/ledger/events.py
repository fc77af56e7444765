"""What happened, in which order, and was any of it altered?

Every event carries ``sha256(hash of the one before + canonical JSON of its own fields)``, so that a line that was
altered, removed or slipped in breaks the chain from there on.  Lines cut off at the end leave a shorter chain that is
sound in itself: that is found by comparing ``head`` with what a destination remembers of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, select

from coldchain.ledger.columns import blob, microseconds, moment, text
from coldchain.ledger.database import Database
from coldchain.ledger.driving import Driven, raw
from coldchain.ledger.schema import events as table

PAGE = 2_000
_FIELDS = [column for column in table.c if column.name != "hash"]
_INSERT = Driven(table.insert(), table.c.keys())
_HEAD = select(table.c.number, table.c.hash).order_by(table.c.number.desc()).limit(1)
_WALK = select(*_FIELDS, table.c.hash).where(table.c.number > bindparam("after")).order_by(table.c.number).limit(PAGE)


class Draft(NamedTuple):
    """An event that is about to be written."""

    kind: str
    job: str
    dataset: str = ""
    destination: str = ""
    path: str = ""
    detail: str = "{}"
    """As ``columns.canonical_json`` writes it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; ``dataset``, ``destination`` and ``path`` are "" where they do not apply."""

    number: int
    at: datetime
    run: int
    kind: str
    job: str
    dataset: str
    destination: str
    path: str
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ChainReport:
    """Whether the history is whole."""

    events: int
    """How many were found in order, up to the first that was not."""
    head: str
    """The hash of the last of them."""
    first_broken: int | None
    """The number where the chain breaks, None when it does not."""
    why: str
    """"" when it does not."""


class Events:
    """The table of events; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> tuple[int, str]:
        """Number and hash of the last event."""
        number, last = self._database.read(_head)
        return number, last.hex()

    def append(self, connection: Connection, run: int, now: datetime, drafts: Iterable[Draft]) -> None:
        """Write events at the end of the chain; the caller's transaction holds the ledger alone."""
        before, last = _head(connection)
        at_us = microseconds(now)
        rows = []
        for number, (kind, job, dataset, destination, path, detail) in enumerate(drafts, before + 1):
            last = _hash(last, (number, at_us, run, kind, job, dataset, destination, path, detail))
            rows.append((number, at_us, run, kind, job, blob(dataset), destination, blob(path), detail, last))
        _INSERT.run(connection, rows)

    def find(self, job: str | None, dataset: str | None, path: str | None, limit: int | None) -> Iterator[Event]:
        """Yield what happened, ascending; with a limit the newest ones only."""
        statement = select(*_FIELDS)
        for column, wanted in ((table.c.job, job), (table.c.dataset, dataset), (table.c.path, path)):
            if wanted is not None:
                statement = statement.where(column == (wanted if column is table.c.job else blob(wanted)))
        if limit is not None:
            newest = statement.order_by(table.c.number.desc()).limit(limit)
            yield from self._database.made(_event, reversed(self._rows(newest)))
            return
        for page in self._pages(statement):
            yield from self._database.made(_event, page)

    def verify_chain(self) -> ChainReport:
        """Compute every hash again."""
        count, last = 0, b""
        for row in chain.from_iterable(self._walk()):
            why = ""
            if row[0] != count + 1:
                why = f"event {count + 1} is missing" if row[0] > count + 1 else f"event {row[0]} was slipped in"
            elif _hash_found(last, row[:9]) != row[9]:
                why = f"event {row[0]} is not what was written, or the one before it is not"
            if why:
                return ChainReport(count, last.hex(), count + 1, why)
            count, last = row[0], row[9]
        return ChainReport(count, last.hex(), None, "")

    def _walk(self) -> Iterator[Sequence[Any]]:
        after = {"after": -(1 << 62)}
        while page := self._rows(_WALK, after):
            yield page
            after = {"after": page[-1][0]}

    def _pages(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        statement = statement.order_by(table.c.number).limit(PAGE)
        page = self._rows(statement)
        while page:
            yield page
            page = self._rows(statement.where(table.c.number > page[-1][0]))

    def _rows(self, statement: Select[Any], values: dict[str, Any] | None = None) -> list[Any]:
        return self._database.read(lambda connection: raw(connection, statement, values))


def _head(connection: Connection) -> tuple[int, bytes]:
    row = connection.execute(_HEAD).first()
    return (row[0], row[1]) if row else (0, b"")


def _hash(last: bytes, row: Sequence[Any]) -> bytes:
    """The hash of one event; ``detail`` goes in as the JSON text that it is."""
    number, at_us, run, kind, job, dataset, destination, path, detail = row
    line = (
        f'{{"at_us":{at_us},"dataset":{quoted(dataset)},"destination":{quoted(destination)},"detail":{detail},'
        f'"job":{quoted(job)},"kind":{quoted(kind)},"number":{number},"path":{quoted(path)},"run":{run}}}'
    )
    return hashlib.sha256(last + line.encode()).digest()


def _hash_found(last: bytes, row: Sequence[Any]) -> bytes | None:
    """The same for a row that anybody may have written; None when no hash was ever made of such values."""
    try:
        *rest, dataset, destination, path, detail = row
        return _hash(last, (*rest, text(dataset), destination, text(path), detail))
    except (TypeError, AttributeError, UnicodeError):
        return None


def _event(row: Sequence[Any]) -> Event:
    number, at_us, run, kind, job, dataset, destination, path, detail = row
    return Event(number, moment(at_us), run, kind, job, text(dataset), destination, text(path), json.loads(detail))
