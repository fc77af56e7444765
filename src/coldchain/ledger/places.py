"""Which sources and destinations does the ledger know, and which datasets?"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select

from coldchain.errors import LedgerError
from coldchain.ledger.columns import blob, canonical_json, microseconds, moment, printable, text
from coldchain.ledger.database import Database
from coldchain.ledger.driving import insert_one
from coldchain.ledger.schema import datasets, places, sources
from coldchain.model import Identity, SourceSeen, Tally


class Places:
    """The tables of sources, destinations and datasets; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dataset_ids: dict[tuple[str, str], int] = {}

    def source(self, job: str) -> SourceSeen | None:
        """How the source of a job looked last."""
        statement = select(sources).where(sources.c.job == job)
        row = self._database.read(lambda connection: connection.execute(statement).first())
        return None if row is None else self._database.made(_source, [row])[0]

    def see_source(self, job: str, seen: SourceSeen) -> None:
        """Remember how the source looks."""
        values = {
            "volume": blob(seen.volume),
            "files": seen.tally.files,
            "size_bytes": seen.tally.size_bytes,
            "at_us": microseconds(seen.at),
        }
        with self._database.write() as connection:
            if not connection.execute(sources.update().where(sources.c.job == job).values(values)).rowcount:
                connection.execute(sources.insert().values(job=job, **values))

    def destination(self, job: str, name: str) -> Identity | None:
        """Who the destination is."""
        statement = select(places.c.content).where(_current(job, name))
        content = self._database.read(lambda connection: connection.execute(statement).scalar())
        return None if content is None else self._database.made(_identity, [content])[0]

    def see_destination(self, job: str, name: str, url: str, identity: Identity, now: datetime) -> None:
        """Let this identity be the one that counts for the destination from now on."""
        one = and_(places.c.job == job, places.c.destination == name)
        values = {"url": printable(url), "content": _content(identity), "current": True}
        with self._database.write() as connection:
            connection.execute(places.update().where(one, places.c.identity != identity.id).values(current=False))
            update = places.update().where(one, places.c.identity == identity.id).values(values)
            if not connection.execute(update).rowcount:
                fixed = {"job": job, "destination": name, "identity": identity.id, "first_seen_us": microseconds(now)}
                connection.execute(places.insert().values(fixed | values))

    def place_ids(self, job: str) -> dict[str, int]:
        """The places whose records count now, by name of the destination."""
        statement = select(places.c.destination, places.c.id).where(places.c.job == job, places.c.current)
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        return {row.destination: row.id for row in rows}

    def place_id(self, job: str, name: str) -> int | None:
        """The place whose records count now; None when the destination was never seen."""
        return self.place_ids(job).get(name)

    def place_to_write(self, job: str, name: str) -> int:
        """The same for writing; raises LedgerError when the destination was never seen."""
        number = self.place_id(job, name)
        if number is None:
            raise LedgerError(f"nothing can be recorded at {name}: job {job} never met that destination")
        return number

    def datasets(self, job: str) -> list[str]:
        """Every dataset of the job that was ever met, ascending."""
        statement = select(datasets.c.name).where(datasets.c.job == job).order_by(datasets.c.name)
        names = self._database.read(lambda connection: connection.execute(statement).scalars().all())
        return self._database.made(text, names)

    def dataset_id(self, job: str, dataset: str) -> int | None:
        """The number of a dataset; None when it was never met."""
        if (job, dataset) not in self._dataset_ids:
            statement = select(datasets.c.id).where(datasets.c.job == job, datasets.c.name == blob(dataset))
            number = self._database.read(lambda connection: connection.execute(statement).scalar())
            if number is None:
                return None
            # Only what is committed is remembered: a number from a transaction that fails would point nowhere.
            if self._database.in_transaction:
                return int(number)
            self._dataset_ids[job, dataset] = number
        return self._dataset_ids[job, dataset]

    def dataset_to_write(self, connection: Connection, job: str, dataset: str) -> int:
        """The number of a dataset, which is made known if need be."""
        number = self.dataset_id(job, dataset)
        if number is None:
            number = insert_one(connection, datasets.insert().values(job=job, name=blob(dataset)))
        return number


def _current(job: str, name: str) -> ColumnElement[bool]:
    return and_(places.c.job == job, places.c.destination == name, places.c.current)


def _content(identity: Identity) -> str:
    return canonical_json(
        {
            "id": identity.id,
            "created_us": microseconds(identity.created),
            "writers": [list(writer) for writer in identity.writers],
            "names": dict(identity.names),
        }
    )


def _source(row: Any) -> SourceSeen:
    return SourceSeen(text(row.volume), Tally(row.files, row.size_bytes), moment(row.at_us))


def _identity(content: str) -> Identity:
    value = json.loads(content)
    writers = tuple((str(job), str(host)) for job, host in value["writers"])
    return Identity(value["id"], moment(value["created_us"]), writers, value["names"])
