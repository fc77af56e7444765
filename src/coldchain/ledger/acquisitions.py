"""What did the instrument say of a dataset, and since when?"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from sqlalchemy import Connection, func, select

from coldchain.ledger.columns import canonical_json, microseconds, moment, printable, text
from coldchain.ledger.database import Database
from coldchain.ledger.events import Draft, Events
from coldchain.ledger.places import Places
from coldchain.ledger.recording import At
from coldchain.ledger.schema import acquisitions as table
from coldchain.ledger.schema import datasets
from coldchain.verdict import Condition, Verdict

PAGE = 500
AT_ONCE_CHARACTERS = 8 << 20
"""So much JSON is read at once; a dataset of 100,000 units has more, and comes alone."""

_LEARNT = "written:"
"""What the stamp begins with that stands for "as a manifest tells it"; no fingerprint does."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What an instrument says of one dataset."""

    instrument: str
    stamp: str
    """Fingerprint of the files that were judged, in hexadecimal digits; of what a manifest told it is none."""
    verdict: Verdict
    remembered: Mapping[str, object]
    """What the instrument keeps in mind of it, by unit; see ``instruments.base.Look``."""
    first_seen: datetime
    since: datetime
    """When it came to be in its condition."""
    completed: datetime | None
    """When it was complete for the first time, whatever became of it then."""

    @property
    def learnt(self) -> bool:
        """Whether a manifest told it, and nobody has judged the dataset since."""
        return self.stamp.startswith(_LEARNT)


def learnt_stamp(written: datetime) -> str:
    """The stamp of what a manifest of that time tells; such stamps sort as the times do."""
    return f"{_LEARNT}{microseconds(written):020d}"


class Acquisitions:
    """The table of acquisitions; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database, places: Places, events: Events) -> None:
        self._database = database
        self._places = places
        self._events = events

    def one(self, job: str, dataset: str) -> Acquisition | None:
        """What is known of a dataset."""
        row = self._row(job, dataset)
        return None if row is None else _parsed(row)

    def all(self, job: str | None) -> Iterator[tuple[str, str, Acquisition]]:
        """All of them, with job and dataset."""
        for one in self._jobs() if job is None else [job]:
            for page in self._pages(one):
                for some in _portions(page):
                    yield from self._read(one, some)

    def conditions(self, job: str) -> dict[str, Condition]:
        """The condition of each dataset."""
        statement = (
            select(datasets.c.name, table.c.condition)
            .join_from(table, datasets, datasets.c.id == table.c.dataset_id)
            .where(datasets.c.job == job)
            .order_by(datasets.c.name)
        )
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        known = (row for row in rows if row[1] in _CONDITIONS)
        return dict(self._database.made(lambda row: (text(row[0]), Condition(row[1])), known))

    def judge(self, at: At, now: Acquisition) -> Acquisition:
        """Write down a verdict; the times of ``now`` are those of this moment, and are corrected."""
        values = _values(now)
        row = self._row(at.job, at.dataset)
        before = None if row is None else _times(row)
        if row is not None and before is not None and all(getattr(row, name) == values[name] for name in _JUDGED):
            return _at(now, before)
        with self._database.write() as connection:
            known = None if row is None else _parsed(row)
            after = _corrected(known, now)
            self._write(connection, at.job, at.dataset, after)
            if draft := _draft(at, known, after):
                self._events.append(connection, at.run, at.now, [draft])
            return after

    def learn(self, job: str, dataset: str, told: Acquisition) -> bool:
        """Write down what a manifest tells, unless something newer stands; returns whether it was."""
        with self._database.write() as connection:
            known = self.one(job, dataset)
            if known is not None:
                if _newness(known) >= _newness(told):
                    return False
                told = _joined(known, told)
            self._write(connection, job, dataset, told)
            return True

    def _write(self, connection: Connection, job: str, dataset: str, acquisition: Acquisition) -> None:
        number = self._places.dataset_to_write(connection, job, dataset)
        values = _values(acquisition)
        if not connection.execute(table.update().where(table.c.dataset_id == number).values(values)).rowcount:
            connection.execute(table.insert().values(values | {"dataset_id": number}))

    def _row(self, job: str, dataset: str) -> Any:
        number = self._places.dataset_id(job, dataset)
        if number is None:
            return None
        statement = select(table).where(table.c.dataset_id == number)
        return self._database.read(lambda connection: connection.execute(statement).first())

    def _jobs(self) -> list[str]:
        statement = select(datasets.c.job).join_from(table, datasets, datasets.c.id == table.c.dataset_id).distinct()
        return sorted(self._database.read(lambda connection: connection.execute(statement).scalars().all()))

    def _pages(self, job: str) -> Iterator[Sequence[Any]]:
        """Number, name, and how much there is to read, of one dataset after the other."""
        size = func.length(table.c.verdict) + func.length(table.c.remembered)
        statement = (
            select(table.c.dataset_id, datasets.c.name, size)
            .join_from(table, datasets, datasets.c.id == table.c.dataset_id)
            .where(datasets.c.job == job)
            .order_by(datasets.c.name)
            .limit(PAGE)
        )
        page = self._rows(statement)
        while page:
            yield page
            page = self._rows(statement.where(datasets.c.name > page[-1][1]))

    def _read(self, job: str, some: Mapping[int, bytes]) -> Iterator[tuple[str, str, Acquisition]]:
        rows = {row.dataset_id: row for row in self._rows(select(table).where(table.c.dataset_id.in_(list(some))))}
        for number, name in some.items():
            row = rows.pop(number, None)
            if row is not None and (found := _parsed(row)) is not None:
                yield job, text(name), found

    def _rows(self, statement: Any) -> Sequence[Any]:
        return self._database.read(lambda connection: connection.execute(statement).all())


_JUDGED = ("instrument", "stamp", "condition", "verdict", "remembered")
_CONDITIONS = frozenset(condition.value for condition in Condition)


def _portions(page: Sequence[Any]) -> Iterator[dict[int, bytes]]:
    """Cut a page into what is read at once: dataset number -> name."""
    some: dict[int, bytes] = {}
    total = 0
    for number, name, size in page:
        if some and total + size > AT_ONCE_CHARACTERS:
            yield some
            some, total = {}, 0
        some[number] = name
        total += size
    yield some


def _at(now: Acquisition, times: tuple[datetime, datetime, datetime | None]) -> Acquisition:
    return Acquisition(now.instrument, now.stamp, now.verdict, now.remembered, *times)


def _corrected(known: Acquisition | None, now: Acquisition) -> Acquisition:
    """The verdict of now, with the times of what was known."""
    if known is None:
        return now
    since = known.since if known.verdict.condition is now.verdict.condition else now.since
    return _at(now, (known.first_seen, since, known.completed or now.completed))


def _joined(known: Acquisition, told: Acquisition) -> Acquisition:
    """What was told, with the earliest times."""
    times = [at for at in (known.completed, told.completed) if at is not None]
    return _at(told, (min(known.first_seen, told.first_seen), told.since, min(times, default=None)))


def _newness(acquisition: Acquisition) -> tuple[datetime, bool, str]:
    """A later change of condition is newer; then what was judged here, then the later manifest."""
    return acquisition.since, not acquisition.learnt, acquisition.stamp if acquisition.learnt else ""


def _draft(at: At, known: Acquisition | None, after: Acquisition) -> Draft | None:
    """What is worth a line in the history; see docs/ledger.md."""
    before, condition = (known.verdict.condition if known else None), after.verdict.condition
    detail: dict[str, object] = {"summary": after.verdict.summary}
    if known is not None and before is Condition.COMPLETE:
        if condition is Condition.COMPLETE:
            if known.learnt or known.stamp == after.stamp:
                return None
            detail["why"] = "late or changed files"
        detail["condition"] = condition
        return Draft("reopened", at.job, at.dataset, detail=canonical_json(detail))
    if condition is before or condition not in (Condition.COMPLETE, Condition.INCOMPLETE):
        return None
    return Draft(condition.value, at.job, at.dataset, detail=canonical_json(detail))


def _values(acquisition: Acquisition) -> dict[str, Any]:
    completed = acquisition.completed
    return {
        "instrument": printable(acquisition.instrument),
        "stamp": printable(acquisition.stamp),
        "condition": acquisition.verdict.condition.value,
        "verdict": _json(acquisition.verdict.as_json()),
        "remembered": _json(acquisition.remembered),
        "first_seen_us": microseconds(acquisition.first_seen),
        "since_us": microseconds(acquisition.since),
        "completed_us": None if completed is None else microseconds(completed),
    }


def _json(value: Mapping[str, object]) -> str:
    """An instrument of another package may hand over what JSON has no word for; that must not stop a run."""
    try:
        return canonical_json(value)
    except (TypeError, ValueError, RecursionError):
        return canonical_json({str(key): _plain(one, 0) for key, one in value.items()})


def _plain(value: object, depth: int) -> object:
    """The nearest thing that JSON can hold."""
    if depth > 50:
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _parsed(row: Any) -> Acquisition | None:
    """The line as it was written; None when that cannot be made out, so that the dataset is judged anew."""
    times = _times(row)
    if times is None:
        return None
    try:
        verdict = Verdict.from_json(json.loads(row.verdict, parse_constant=_refuse))
        remembered = json.loads(row.remembered, parse_constant=_refuse)
        if not isinstance(remembered, dict) or verdict.condition.value != row.condition:
            return None
        return Acquisition(str(row.instrument), str(row.stamp), verdict, remembered, *times)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _times(row: Any) -> tuple[datetime, datetime, datetime | None] | None:
    try:
        completed = None if row.completed_us is None else moment(row.completed_us)
        return moment(row.first_seen_us), moment(row.since_us), completed
    except (TypeError, OverflowError):
        return None
