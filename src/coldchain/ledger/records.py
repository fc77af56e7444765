"""Which content is at which address, and how was that proved?  Reading; ``recording.py`` writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, false, func, literal, select, tuple_

from coldchain.ledger.columns import blob, moment, text
from coldchain.ledger.database import Database
from coldchain.ledger.driving import raw
from coldchain.ledger.means import Reading
from coldchain.ledger.places import Places
from coldchain.ledger.schema import datasets, events, means, places, records, troubles
from coldchain.model import ProofKind, Record, Tally

PAGE = 1_000
AGED_PAGE = 20_000
"""Each page of ``by_age`` costs a look at every record of the place, so there are few of them."""

COLUMNS: list[ColumnElement[Any]] = [column for column in records.c if column.name not in ("place_id", "dataset_id")]
COLUMNS[1] = func.nullif(records.c.key, records.c.path)  # mostly the same: why bring it twice

_OF_DATASET = and_(records.c.place_id == bindparam("place"), records.c.dataset_id == bindparam("dataset"))
_STORED = (
    select(*COLUMNS)
    .where(_OF_DATASET, records.c.path > bindparam("path"), records.c.superseded == false())
    .order_by(records.c.path)
    .limit(PAGE)
)
_ALL = (
    select(*COLUMNS)
    .where(_OF_DATASET, tuple_(records.c.path, records.c.key) > tuple_(bindparam("path"), bindparam("key")))
    .order_by(records.c.path, records.c.key)
    .limit(PAGE)
)
_ONE = select(literal(1)).where(_OF_DATASET).limit(1)


@dataclass(frozen=True, slots=True)
class TallyRow:
    """What lies of one dataset at one destination; superseded files are not counted."""

    dataset: str
    destination: str
    tally: Tally
    weakest: ProofKind
    oldest_proof: datetime


class Records:
    """The table of records; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database, places: Places) -> None:
        self._database = database
        self._places = places
        self._reading = Reading(database)

    def stored(self, job: str, destination: str, dataset: str) -> Iterator[Record]:
        """The current records of a dataset at a destination, ascending by path."""
        return self._stream(_STORED, job, destination, dataset)

    def all(self, job: str, destination: str, dataset: str) -> Iterator[Record]:
        """The same with the superseded ones, ascending by path and key."""
        return self._stream(_ALL, job, destination, dataset)

    def any(self, job: str, destination: str, dataset: str) -> bool:
        """Whether there is one."""
        place, number = self._places.place_id(job, destination), self._places.dataset_id(job, dataset)
        if place is None or number is None:
            return False
        return bool(self._database.read(lambda asked: raw(asked, _ONE, {"place": place, "dataset": number})))

    def _stream(self, statement: Select[Any], job: str, destination: str, dataset: str) -> Iterator[Record]:
        place, number = self._places.place_id(job, destination), self._places.dataset_id(job, dataset)
        if place is None or number is None:
            return
        after = {"path": b"", "key": b""}
        while True:
            page = self._page(statement, {"place": place, "dataset": number, **after})
            yield from page
            if len(page) < PAGE:
                return
            after = {"path": blob(page[-1].path), "key": blob(page[-1].key)}

    def _page(self, statement: Select[Any], values: dict[str, Any]) -> list[Record]:
        return self._database.read(lambda asked: self._reading.records(asked, raw(asked, statement, values)))

    def _labelled(self, statement: Select[Any]) -> list[tuple[Any, Record]]:
        """Records of a statement that asks for one column more, with the value of that one."""

        def ask(connection: Connection) -> list[tuple[Any, Record]]:
            rows = raw(connection, statement)
            bare = [row[:-1] for row in rows]
            return [(row[-1], one) for row, one in zip(rows, self._reading.records(connection, bare), strict=True)]

        return self._database.read(ask)

    def copies(self, job: str, dataset: str, path: str) -> list[tuple[str, Record]]:
        """Every record of one path at the destinations as they are now."""
        statement = (
            select(*COLUMNS, places.c.destination)
            .join_from(records, places, places.c.id == records.c.place_id)
            .join(datasets, datasets.c.id == records.c.dataset_id)
            .where(places.c.job == job, places.c.current, datasets.c.job == job, datasets.c.name == blob(dataset))
            .where(records.c.path == blob(path))
            .order_by(places.c.destination, records.c.superseded, records.c.key)
        )
        return self._labelled(statement)

    def by_age(self, job: str, destination: str) -> Iterator[tuple[str, Record]]:
        """Records with their datasets, oldest proof first; superseded ones too, for they are data.

        What is proved anew meanwhile does not come again at the end, unless the clock was set back.
        """
        place = self._places.place_id(job, destination)
        order = (records.c.proved_at_us, datasets.c.name, records.c.path, records.c.key)
        here = select(*COLUMNS, datasets.c.name).join_from(records, datasets, datasets.c.id == records.c.dataset_id)
        here = here.where(records.c.place_id == place).order_by(*order).limit(AGED_PAGE)
        newest = select(func.max(records.c.proved_at_us)).where(records.c.place_id == place)
        last = self._database.read(lambda connection: connection.execute(newest).scalar())
        here = here.where(records.c.proved_at_us <= (last or 0))
        page = self._labelled(here)
        while page:
            yield from self._database.made(lambda row: (text(row[0]), row[1]), page)
            name, end = page[-1]
            bounds = tuple_(*map(literal, (end.proved_at_us, name, blob(end.path), blob(end.key))))
            page = self._labelled(here.where(tuple_(*order) > bounds))

    def find_path(self, path: str) -> list[tuple[str, str]]:
        """The (job, dataset) pairs that know the path: each record has events, each trouble its row."""
        name = blob(path)
        happened = select(events.c.job, events.c.dataset).where(events.c.path == name)
        troubled = (
            select(datasets.c.job, datasets.c.name)
            .join(troubles, troubles.c.dataset_id == datasets.c.id)
            .where(troubles.c.path == name)
        )
        both = happened.union(troubled)
        rows = self._database.read(lambda connection: connection.execute(both).all())
        return sorted(self._database.made(lambda row: (row[0], text(row[1])), rows))

    def tallies(self, job: str) -> list[TallyRow]:
        """One line for each dataset and destination that has records, ascending."""
        measures = (
            func.count(),
            func.sum(records.c.size_bytes),
            func.min(means.c.kind),
            func.min(records.c.proved_at_us),
        )
        statement = (
            select(datasets.c.name, places.c.destination, *measures)
            .join_from(records, places, places.c.id == records.c.place_id)
            .join(datasets, datasets.c.id == records.c.dataset_id)
            .join(means, means.c.id == records.c.means_id)
            .where(places.c.job == job, places.c.current, records.c.superseded == false())
            .group_by(datasets.c.name, places.c.destination)
            .order_by(datasets.c.name, places.c.destination)
        )
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        return self._database.made(_tally, rows)


def _tally(row: Any) -> TallyRow:
    name, destination, files, size, kind, oldest = row
    return TallyRow(text(name), destination, Tally(files, int(size)), ProofKind(kind), moment(oldest))
