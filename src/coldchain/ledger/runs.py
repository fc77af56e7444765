"""Which runs were there, and which files did they not get through?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select

from coldchain.errors import UsageError
from coldchain.ledger.columns import blob, canonical_json, microseconds, moment, printable, text
from coldchain.ledger.database import Database
from coldchain.ledger.driving import insert_one
from coldchain.ledger.events import Draft, Events
from coldchain.ledger.places import Places
from coldchain.ledger.schema import datasets, runs, troubles
from coldchain.model import State, Trouble

PAGE = 2_000
_SUMMARIES = 50
_TROUBLE = [troubles.c[name] for name in ("destination", "path", "size_bytes", "state", "reason", "again", "integrity")]


@dataclass(frozen=True, slots=True)
class RunRow:
    """One execution of a job; ``ended`` and ``exit_code`` are None while it runs, and for ever when it was killed."""

    id: int
    job: str
    command: str
    started: datetime
    ended: datetime | None
    exit_code: int | None
    summary: Mapping[str, object]


class Runs:
    """The tables of runs and troubles; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database, places: Places, events: Events) -> None:
        self._database = database
        self._places = places
        self._events = events

    def begin(self, job: str, command: str, now: datetime) -> int:
        """Begin a run."""
        values = {"job": job, "command": printable(command), "started_us": microseconds(now), "summary": "{}"}
        with self._database.write() as connection:
            number = insert_one(connection, runs.insert().values(values))
            self._events.append(
                connection, number, now, [Draft("run-begun", job, detail=canonical_json({"command": command}))]
            )
        return number

    def end(self, run: int, now: datetime, exit_code: int, summary: Mapping[str, object]) -> None:
        """End a run."""
        said = canonical_json(summary)
        values = {"ended_us": microseconds(now), "exit_code": exit_code, "summary": said}
        detail = {"exit_code": exit_code, "summary_sha256": hashlib.sha256(said.encode()).hexdigest()}
        with self._database.write() as connection:
            job = connection.execute(select(runs.c.job).where(runs.c.id == run)).scalar()
            if job is None:
                raise UsageError(f"run {run} cannot end: it never began")
            connection.execute(runs.update().where(runs.c.id == run).values(values))
            self._events.append(connection, run, now, [Draft("run-ended", job, detail=canonical_json(detail))])

    def unfinished(self, job: str) -> bool:
        """Whether the last run of a job was killed, or there was none."""
        statement = select(runs.c.ended_us).where(runs.c.job == job).order_by(runs.c.id.desc()).limit(1)
        return self._database.read(lambda connection: connection.execute(statement).scalar()) is None

    def list(self, job: str | None, limit: int) -> Sequence[RunRow]:
        """Runs, newest first."""
        statement = select(runs).order_by(runs.c.id.desc()).limit(limit)
        if job is not None:
            statement = statement.where(runs.c.job == job)
        return self._database.made(_run, self._rows(statement))

    def since(self, job: str, at: datetime) -> Iterator[RunRow]:
        """Runs that began at a time or later, newest first, some at a time: summaries are long."""
        statement = select(runs).where(runs.c.job == job, runs.c.started_us >= microseconds(at))
        statement = statement.order_by(runs.c.id.desc()).limit(_SUMMARIES)
        while page := self._database.made(_run, self._rows(statement)):
            yield from page
            statement = statement.where(runs.c.id < page[-1].id)

    def one(self, number: int) -> RunRow:
        """One run."""
        if rows := self._rows(select(runs).where(runs.c.id == number)):
            return self._database.made(_run, rows)[0]
        bounds = select(func.min(runs.c.id), func.max(runs.c.id))
        first, last = self._rows(bounds)[0]
        known = f"known are {first} to {last}" if last else "there was none yet"
        raise UsageError(f"there is no run {number}; {known} (`coldchain history` lists them)")

    def add_troubles(self, run: int, job: str, dataset: str, found: Sequence[Trouble]) -> None:
        """Remember why files are not verified."""
        if not found:
            return
        with self._database.write() as connection:
            fixed = {"run": run, "dataset_id": self._places.dataset_to_write(connection, job, dataset)}
            rows = [
                fixed
                | trouble._asdict()
                | {"path": blob(trouble.path), "reason": blob(trouble.reason), "state": trouble.state.value}
                for trouble in found
            ]
            connection.execute(troubles.insert(), rows)

    def troubles(self, run: int) -> Iterator[tuple[str, Trouble]]:
        """The troubles of a run with their datasets, in the order in which they came."""
        statement = (
            select(troubles.c.id, datasets.c.name, *_TROUBLE)
            .join(datasets, datasets.c.id == troubles.c.dataset_id)
            .where(troubles.c.run == run)
            .order_by(troubles.c.id)
            .limit(PAGE)
        )
        after = 0
        while page := self._rows(statement.where(troubles.c.id > after)):
            yield from self._database.made(lambda row: (text(row[1]), _trouble(row[2:])), page)
            after = page[-1][0]

    def last_troubles(self, job: str, dataset: str, path: str) -> Sequence[tuple[int, Trouble]]:
        """The troubles of one path with their runs, newest run first."""
        statement = (
            select(troubles.c.run, *_TROUBLE)
            .join(datasets, datasets.c.id == troubles.c.dataset_id)
            .where(datasets.c.job == job, datasets.c.name == blob(dataset), troubles.c.path == blob(path))
            .order_by(troubles.c.run.desc(), troubles.c.id)
        )
        return self._database.made(lambda row: (row[0], _trouble(row[1:])), self._rows(statement))

    def forget_old_troubles(self, job: str, keep_runs: int) -> None:
        """Keep the troubles of the newest runs only."""
        newest = select(runs.c.id).where(runs.c.job == job).order_by(runs.c.id.desc()).limit(keep_runs)
        kept = {row[0] for row in self._rows(newest)}
        of_job = select(runs.c.id).where(runs.c.job == job, runs.c.id < min(kept, default=1 << 62))
        with self._database.write() as connection:
            connection.execute(delete(troubles).where(troubles.c.run.in_(of_job)))

    def _rows(self, statement: Select[Any]) -> Sequence[Any]:
        return self._database.read(lambda connection: connection.execute(statement).all())


def _run(row: Any) -> RunRow:
    ended = None if row.ended_us is None else moment(row.ended_us)
    return RunRow(row.id, row.job, row.command, moment(row.started_us), ended, row.exit_code, json.loads(row.summary))


def _trouble(row: Sequence[Any]) -> Trouble:
    destination, path, size_bytes, state, reason, again, integrity = row
    return Trouble(destination, text(path), size_bytes, State(state), text(reason), again, integrity)
