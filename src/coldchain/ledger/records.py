"""Which content is at which address, and how was that proved?  Reading; ``recording.py`` writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, false, func, select, tuple_

from coldchain.ledger.columns import blob, moment, nanoseconds, text, unsigned
from coldchain.ledger.database import Database
from coldchain.ledger.places import Places
from coldchain.ledger.schema import datasets, events, places, records, troubles
from coldchain.model import Digest, ProofKind, Record, Tally

PAGE = 4_000
AGED_PAGE = 20_000
"""Each page of ``by_age`` costs a look at every record of the place, so there are few of them."""

COLUMNS = [column for column in records.c if column.name not in ("place_id", "dataset_id")]
_KINDS = (ProofKind.SIZE, ProofKind.SIZE, ProofKind.CHECKSUM, ProofKind.READBACK)

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

    def stored(self, job: str, destination: str, dataset: str) -> Iterator[Record]:
        """The current records of a dataset at a destination, ascending by path."""
        return self._stream(_STORED, job, destination, dataset)

    def all(self, job: str, destination: str, dataset: str) -> Iterator[Record]:
        """The same with the superseded ones, ascending by path and key."""
        return self._stream(_ALL, job, destination, dataset)

    def _stream(self, statement: Select[Any], job: str, destination: str, dataset: str) -> Iterator[Record]:
        place, number = self._places.place_id(job, destination), self._places.dataset_id(job, dataset)
        if place is None or number is None:
            return
        values: dict[str, object] = {"place": place, "dataset": number, "path": b"", "key": b""}
        if statement is _STORED:
            del values["key"]
        while True:
            rows = self._database.read(lambda connection: _raw(connection, statement, values))
            yield from self._made(rows)
            if len(rows) < PAGE:
                return
            values |= {"path": rows[-1][0], "key": rows[-1][1]} if statement is _ALL else {"path": rows[-1][0]}

    def _made(self, rows: Sequence[Sequence[Any]]) -> list[Record]:
        return self._database.read(lambda _connection: list(make(rows)))

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
        rows = self._database.read(lambda connection: _raw(connection, statement, {}))
        return [(row[-1], record) for row, record in zip(rows, self._made([row[:-1] for row in rows]), strict=True)]

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
        more: ColumnElement[bool] = records.c.proved_at_us <= (last or 0)
        page = here.where(more)
        while rows := self._database.read(lambda connection: _raw(connection, page, {})):
            bare = [row[:-1] for row in rows]
            for row, record in zip(rows, self._made(bare), strict=True):
                yield text(row[-1]), record
            end = rows[-1]
            page = here.where(more, tuple_(*order) > tuple_(end[11], end[-1], end[0], end[1]))

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
        return sorted((job, text(dataset)) for job, dataset in rows)

    def tallies(self, job: str) -> list[TallyRow]:
        """One line for each dataset and destination that has records, ascending."""
        measures = (
            func.count(),
            func.sum(records.c.size_bytes),
            func.min(records.c.proof_kind),
            func.min(records.c.proved_at_us),
        )
        statement = (
            select(datasets.c.name, places.c.destination, *measures)
            .join_from(records, places, places.c.id == records.c.place_id)
            .join(datasets, datasets.c.id == records.c.dataset_id)
            .where(places.c.job == job, places.c.current, records.c.superseded == false())
            .group_by(datasets.c.name, places.c.destination)
            .order_by(datasets.c.name, places.c.destination)
        )
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        return [
            TallyRow(text(name), destination, Tally(files, int(size)), _KINDS[kind], moment(oldest))
            for name, destination, files, size, kind, oldest in rows
        ]


def _raw(connection: Connection, statement: Select[Any], values: dict[str, object]) -> list[Any]:
    """The driver's own tuples: SQLAlchemy's rows would cost a second for each million."""
    result = connection.execute(statement, values)
    rows: list[Any] = result.cursor.fetchall()  # type: ignore[union-attr]
    result.close()
    return rows


def make(rows: Iterable[Sequence[Any]]) -> Iterator[Record]:
    """Records of rows with ``COLUMNS``.  This loop runs once for each file in each run: it is written for speed."""
    new = tuple.__new__
    for row in rows:
        path, key, size, mtime, ctime, inode, mode, stored, algorithm, value, kind, how, proved, at, old = row
        name = path.decode("utf-8", "surrogatepass")
        yield new(
            Record,
            (
                name,
                name if key == path else text(key),
                size,
                mtime if mtime >= 0 else nanoseconds(mtime),
                ctime if ctime >= 0 else nanoseconds(ctime),
                inode if inode >= 0 else unsigned(inode),
                mode,
                stored if stored >= 0 else nanoseconds(stored),
                new(Digest, (algorithm, value.hex())),
                _KINDS[kind],
                how,
                proved,
                at,
                old == 1,
            ),
        )
