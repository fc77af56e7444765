"""What must be written down when a copy was proved, touched or lost?

A batch is one transaction: the records and the events that tell of them are durable together, or neither is (P4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from json.encoder import encode_basestring_ascii as quoted
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    Connection,
    LargeBinary,
    Select,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    true,
    update,
)

from coldchain.ledger import means
from coldchain.ledger.columns import blob, microseconds, signed
from coldchain.ledger.database import Database
from coldchain.ledger.driving import Driven, raw
from coldchain.ledger.events import Draft, Events
from coldchain.ledger.means import Means
from coldchain.ledger.places import Places
from coldchain.ledger.records import COLUMNS
from coldchain.ledger.schema import records
from coldchain.model import Manner, Record, Verified

ASKED_AT_ONCE = 500
"""Paths in one question; SQLite takes at most 999 values in a statement before 3.32."""


class At(NamedTuple):
    """What a batch is about."""

    run: int
    job: str
    dataset: str
    now: datetime


class _Row(NamedTuple):
    """One row that stands under (place, dataset)."""

    place: int
    dataset: int


_ADDRESS = ("in_place", "in_dataset", "of_path", "of_key")
_THERE = and_(
    records.c.place_id == bindparam("in_place"),
    records.c.dataset_id == bindparam("in_dataset"),
    records.c.path == bindparam("of_path"),
    records.c.key == bindparam("of_key"),
)
_SETTABLE = [column.name for column in records.c if not column.primary_key]
_INSERT = Driven(records.insert(), records.c.keys())
_REWRITE = Driven(
    update(records).where(_THERE).values({name: bindparam(f"new_{name}") for name in _SETTABLE}),
    [*(f"new_{name}" for name in _SETTABLE), *_ADDRESS],
)
_OF_DATASET = and_(records.c.place_id == bindparam("in_place"), records.c.dataset_id == bindparam("in_dataset"))
_ANY = (
    select(literal(1))
    .where(_OF_DATASET, records.c.path >= bindparam("first"), records.c.path <= bindparam("last"))
    .limit(1)
)
_KNOWN = select(*COLUMNS).where(
    _OF_DATASET, records.c.path.in_(bindparam("paths", expanding=True, type_=records.c.path.type))
)


def _known_in_postgres() -> Select[Any]:
    """Look each path up in the index.

    Asked with IN, a PostgreSQL that has not yet counted a table that grows reads all of the dataset, for each batch.
    """
    paths = (
        func.unnest(bindparam("paths", type_=ARRAY(LargeBinary))).table_valued("path", name="wanted").render_derived()
    )
    found = select(*COLUMNS).where(_OF_DATASET, records.c.path == paths.c.path).offset(0).lateral("found")
    return select(found).select_from(paths).join(found, true())


_KNOWN_IN_POSTGRES = _known_in_postgres()


class Recording:
    """Writes records and their events; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database, places: Places, events: Events) -> None:
        self._database = database
        self._places = places
        self._events = events
        self._reading = means.Reading(database)

    def record(self, at: At, outcomes: Sequence[Verified]) -> None:
        """Write down what was proved."""
        with self._database.write() as connection:
            drafts: list[Draft] = []
            number = self._places.dataset_to_write(connection, at.job, at.dataset)
            by_destination = attrgetter("destination")
            for name, some in groupby(sorted(outcomes, key=by_destination), key=by_destination):
                here = _Row(self._places.place_to_write(at.job, name), number)
                drafts.extend(_record_at(self._reading, connection, at, here, list(some)))
            self._events.append(connection, at.run, at.now, drafts)

    def refresh(self, at: At, destination: str, seen: Sequence[Record]) -> None:
        """Write down how sources look now, and newer proofs, where a record stands."""

        def change(before: Record, after: Record) -> tuple[Record, str]:
            kept = after._replace(
                size_bytes=before.size_bytes,
                digest=before.digest,
                stored_at_us=before.stored_at_us,
                superseded=before.superseded,
            )
            return kept, "touched" if after.proved_at_us == before.proved_at_us else "proved"

        with self._database.write() as connection:
            here = self._here(connection, at, destination)
            known = _known(self._reading, connection, here, [record.path for record in seen])
            pairs = [(old, record) for record in seen if (old := known.get(record.path, {}).get(record.key))]
            changes = [change(old, record) for old, record in pairs]
            _rewrite(connection, here, [record for record, _ in changes])
            self._events.append(
                connection, at.run, at.now, [_draft(at, destination, r, _Told(kind)) for r, kind in changes]
            )

    def forget(self, at: At, destination: str, record: Record, detail: tuple[str, str]) -> None:
        """Remove a record, because of ``detail``: the kind of event, and the reason."""
        kind, why = detail
        with self._database.write() as connection:
            here = self._here(connection, at, destination)
            address = dict(zip(_ADDRESS, _address(here, record), strict=True))
            if connection.execute(delete(records).where(_THERE), address).rowcount:
                self._events.append(connection, at.run, at.now, [_draft(at, destination, record, _Told(kind, why))])

    def rebuild(self, at: At, destination: str, found: Iterable[Record]) -> int:
        """Write down records as a manifest tells them, where none stands; returns how many."""
        with self._database.write() as connection:
            number = self._places.dataset_to_write(connection, at.job, at.dataset)
            here = _Row(self._places.place_to_write(at.job, destination), number)
            listed = list(found)
            known = _known(self._reading, connection, here, [record.path for record in listed])
            new = [record for record in listed if record.key not in known.get(record.path, {})]
            _insert(connection, here, new)
            self._events.append(connection, at.run, at.now, [_draft(at, destination, r, _Told("rebuilt")) for r in new])
            return len(new)

    def _here(self, connection: Connection, at: At, destination: str) -> _Row:
        number = self._places.dataset_to_write(connection, at.job, at.dataset)
        return _Row(self._places.place_to_write(at.job, destination), number)


def _record_at(
    reading: means.Reading, connection: Connection, at: At, here: _Row, outcomes: Sequence[Verified]
) -> list[Draft]:
    known = _known(reading, connection, here, [outcome.entry.path for outcome in outcomes])
    stood = {(record.path, record.key) for versions in known.values() for record in versions.values()}
    changed: dict[tuple[str, str], Record] = {}
    now_us = microseconds(at.now)
    drafts = []
    for outcome in outcomes:
        versions = known.setdefault(outcome.entry.path, {})
        before = versions.get(outcome.key)
        after = _proved(outcome, before, now_us)
        others = [record for record in versions.values() if record.key != outcome.key and not record.superseded]
        for record in (*(other._replace(superseded=True) for other in others), after):
            versions[record.key] = changed[record.path, record.key] = record
        told = _Told(_kind(outcome, before, beside_others=bool(others)), outcome.reason, before)
        drafts.append(_draft(at, outcome.destination, after, told))
    _insert(connection, here, [record for address, record in changed.items() if address not in stood])
    _rewrite(connection, here, [record for address, record in changed.items() if address in stood])
    return drafts


def _proved(outcome: Verified, before: Record | None, now_us: int) -> Record:
    entry = outcome.entry
    same = before is not None and outcome.manner is Manner.ADOPT and before.digest == outcome.digest
    return Record(
        entry.path,
        outcome.key,
        entry.size_bytes,
        entry.mtime_ns,
        entry.ctime_ns,
        entry.inode,
        entry.mode,
        outcome.stored_mtime_ns,
        outcome.digest,
        outcome.proof_kind,
        outcome.proof_how,
        proved_at_us=now_us,
        stored_at_us=before.stored_at_us if before is not None and same else now_us,
    )


def _kind(outcome: Verified, before: Record | None, *, beside_others: bool) -> str:
    """The word for what happened; the order of the questions matters."""
    if beside_others:
        return "kept-both"
    if outcome.manner is Manner.ADOPT:
        return "adopted" if before is None else "proved-again"
    if before is not None and before.digest == outcome.digest:
        return "repaired"
    return "replaced" if before is not None or outcome.manner is Manner.REPLACE else "stored"


class _Told(NamedTuple):
    """What an event says beyond the record."""

    kind: str
    reason: str = ""
    before: Record | None = None


def _draft(at: At, destination: str, record: Record, told: _Told) -> Draft:
    """The detail is ``canonical_json`` of these fields, written out: there is one for each file that is carried."""
    algorithm, value = record.digest
    old = reason = ""
    if told.before is not None and told.before.digest != record.digest:
        old = f'"old_digest":{quoted(str(told.before.digest))},'
    if told.reason:
        reason = f'"reason":{quoted(told.reason)},'
    detail = (
        f'{{"digest":{quoted(f"{algorithm}:{value}")},"how":{quoted(record.proof_how)},"key":{quoted(record.key)},'
        f'"mtime_ns":{record.source_mtime_ns},{old}"proof":{quoted(record.proof_kind.word)},{reason}'
        f'"size_bytes":{record.size_bytes}}}'
    )
    return Draft(told.kind, at.job, at.dataset, destination, record.path, detail)


def _known(
    reading: means.Reading, connection: Connection, here: _Row, paths: Sequence[str]
) -> dict[str, dict[str, Record]]:
    """The rows of these paths: path -> key -> record.  New files, which most are, often come where there are none."""
    found: dict[str, dict[str, Record]] = {}
    names = [blob(path) for path in paths]
    if not names:
        return found
    within = {"in_place": here.place, "in_dataset": here.dataset, "first": min(names), "last": max(names)}
    if not raw(connection, _ANY, within):
        return found
    for start in range(0, len(names), ASKED_AT_ONCE):
        values = {"in_place": here.place, "in_dataset": here.dataset, "paths": names[start : start + ASKED_AT_ONCE]}
        rows = raw(connection, _KNOWN_IN_POSTGRES if connection.dialect.name == "postgresql" else _KNOWN, values)
        for record in reading.records(connection, rows) if rows else ():
            found.setdefault(record.path, {})[record.key] = record
    return found


def _address(here: _Row, record: Record) -> tuple[int, int, bytes, bytes]:
    return here.place, here.dataset, blob(record.path), blob(record.key)


def _values(record: Record, number: int) -> tuple[Any, ...]:
    """The columns that are not in the key, in the order of the table."""
    return (
        record.size_bytes,
        signed(record.source_mtime_ns),
        signed(record.source_ctime_ns),
        signed(record.source_inode),
        record.mode,
        signed(record.stored_mtime_ns),
        number,
        bytes.fromhex(record.digest.value),
        record.proved_at_us,
        record.stored_at_us,
        record.superseded,
    )


def _means(record: Record) -> Means:
    return Means(record.digest.algorithm, record.proof_kind, record.proof_how)


def _insert(connection: Connection, here: _Row, new: Sequence[Record]) -> None:
    numbers = means.numbers(connection, {_means(record) for record in new})
    _INSERT.run(connection, [_address(here, one) + _values(one, numbers[_means(one)]) for one in new])


def _rewrite(connection: Connection, here: _Row, changed: Sequence[Record]) -> None:
    numbers = means.numbers(connection, {_means(record) for record in changed})
    _REWRITE.run(connection, [_values(one, numbers[_means(one)]) + _address(here, one) for one in changed])
