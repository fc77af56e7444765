"""What must be written down when a copy was proved, touched or lost?

A batch is one transaction: the records and the events that tell of them are durable together, or neither is (P4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, select, true, update

from coldchain.ledger.columns import blob, microseconds, signed
from coldchain.ledger.database import Database
from coldchain.ledger.events import Draft, Events
from coldchain.ledger.places import Places
from coldchain.ledger.records import COLUMNS, make
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


_WANTED = (
    records.c.place_id == bindparam("in_place"),
    records.c.dataset_id == bindparam("in_dataset"),
    records.c.path == bindparam("of_path"),
    records.c.key == bindparam("of_key"),
)
_SETTABLE = [column.name for column in COLUMNS if column.name not in ("path", "key")]
_INSERT = records.insert()
_REWRITE = update(records).where(*_WANTED).values({name: bindparam(f"new_{name}") for name in _SETTABLE})
_SUPERSEDE = update(records).where(*_WANTED).values(superseded=true())
_REMOVE = delete(records).where(*_WANTED)
_KNOWN = select(*COLUMNS).where(
    and_(*_WANTED[:2]), records.c.path.in_(bindparam("paths", expanding=True, type_=records.c.path.type))
)


class Recording:
    """Writes records and their events; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database, places: Places, events: Events) -> None:
        self._database = database
        self._places = places
        self._events = events

    def record(self, at: At, outcomes: Sequence[Verified]) -> None:
        """Write down what was proved."""
        with self._database.write() as connection:
            drafts: list[Draft] = []
            number = self._places.dataset_to_write(connection, at.job, at.dataset)
            by_destination = attrgetter("destination")
            for name, some in groupby(sorted(outcomes, key=by_destination), key=by_destination):
                here = _Row(self._places.place_to_write(at.job, name), number)
                drafts.extend(_record_at(connection, at, here, list(some)))
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
            known = _known(connection, here, [record.path for record in seen])
            pairs = [(old, record) for record in seen if (old := known.get(record.path, {}).get(record.key))]
            changes = [change(old, record) for old, record in pairs]
            _rewrite(connection, here, [record for record, _ in changes])
            self._events.append(connection, at.run, at.now, [_told(at, destination, kind, r) for r, kind in changes])

    def forget(self, at: At, destination: str, record: Record, detail: tuple[str, str]) -> None:
        """Remove a record, because of ``detail``: the kind of event, and the reason."""
        kind, why = detail
        with self._database.write() as connection:
            here = self._here(connection, at, destination)
            gone = connection.execute(_REMOVE, _address(here, record.path, record.key)).rowcount
            if gone:
                self._events.append(connection, at.run, at.now, [_told(at, destination, kind, record, why=why)])

    def rebuild(self, at: At, destination: str, found: Iterable[Record]) -> int:
        """Write down records as a manifest tells them, where none stands; returns how many."""
        with self._database.write() as connection:
            number = self._places.dataset_to_write(connection, at.job, at.dataset)
            here = _Row(self._places.place_to_write(at.job, destination), number)
            listed = list(found)
            known = _known(connection, here, [record.path for record in listed])
            new = [record for record in listed if record.key not in known.get(record.path, {})]
            _insert(connection, here, new)
            self._events.append(connection, at.run, at.now, [_told(at, destination, "rebuilt", r) for r in new])
            return len(new)

    def _here(self, connection: Connection, at: At, destination: str) -> _Row:
        number = self._places.dataset_to_write(connection, at.job, at.dataset)
        return _Row(self._places.place_to_write(at.job, destination), number)


def _record_at(connection: Connection, at: At, here: _Row, outcomes: Sequence[Verified]) -> Iterator[Draft]:
    known = _known(connection, here, [outcome.entry.path for outcome in outcomes])
    old_keys = {(record.path, record.key) for versions in known.values() for record in versions.values()}
    outdated: list[tuple[str, str]] = []
    drafts: list[Draft] = []
    for outcome in outcomes:
        versions = known.setdefault(outcome.entry.path, {})
        before = versions.get(outcome.key)
        others = [record for record in versions.values() if record.key != outcome.key and not record.superseded]
        after = _proved(outcome, before, microseconds(at.now))
        versions[outcome.key] = after
        for other in others:
            versions[other.key] = other._replace(superseded=True)
            outdated.append((other.path, other.key))
        kind = _kind(outcome, before, bool(others))
        drafts.append(_told(at, outcome.destination, kind, after, reason=outcome.reason, before=before))
    final = {(o.entry.path, o.key): known[o.entry.path][o.key] for o in outcomes}
    _insert(connection, here, [record for address, record in final.items() if address not in old_keys])
    _rewrite(connection, here, [record for address, record in final.items() if address in old_keys])
    _each(connection, _SUPERSEDE, [_address(here, *address) for address in outdated if address not in final])
    return iter(drafts)


def _proved(outcome: Verified, before: Record | None, now_us: int) -> Record:
    entry = outcome.entry
    same = before is not None and outcome.manner is Manner.ADOPT and before.digest == outcome.digest
    return Record(
        path=entry.path,
        key=outcome.key,
        size_bytes=entry.size_bytes,
        source_mtime_ns=entry.mtime_ns,
        source_ctime_ns=entry.ctime_ns,
        source_inode=entry.inode,
        mode=entry.mode,
        stored_mtime_ns=outcome.stored_mtime_ns,
        digest=outcome.digest,
        proof_kind=outcome.proof_kind,
        proof_how=outcome.proof_how,
        proved_at_us=now_us,
        stored_at_us=before.stored_at_us if before is not None and same else now_us,
    )


def _kind(outcome: Verified, before: Record | None, beside_others: bool) -> str:
    """The word for what happened; the order of the questions matters."""
    if beside_others:
        return "kept-both"
    if outcome.manner is Manner.ADOPT:
        return "adopted" if before is None else "proved-again"
    if before is not None and before.digest == outcome.digest:
        return "repaired"
    return "replaced" if before is not None or outcome.manner is Manner.REPLACE else "stored"


def _told(
    at: At,
    destination: str,
    kind: str,
    record: Record,
    *,
    reason: str = "",
    why: str = "",
    before: Record | None = None,
) -> Draft:
    detail: dict[str, object] = {
        "digest": f"{record.digest[0]}:{record.digest[1]}",
        "how": record.proof_how,
        "key": record.key,
        "mtime_ns": record.source_mtime_ns,
        "proof": _WORDS[record.proof_kind],
        "size_bytes": record.size_bytes,
    }
    if reason:
        detail["reason"] = reason
    if why:
        detail["why"] = why
    if before is not None and before.digest != record.digest:
        detail["old_digest"] = str(before.digest)
    return Draft(kind, at.job, at.dataset, destination, record.path, detail)


_WORDS = ("", "size", "checksum", "readback")


def _known(connection: Connection, here: _Row, paths: Sequence[str]) -> dict[str, dict[str, Record]]:
    """The rows of these paths: path -> key -> record."""
    known: dict[str, dict[str, Record]] = {}
    names = [blob(path) for path in paths]
    for start in range(0, len(names), ASKED_AT_ONCE):
        values = {"in_place": here.place, "in_dataset": here.dataset, "paths": names[start : start + ASKED_AT_ONCE]}
        result = connection.execute(_KNOWN, values)
        for record in make(result.cursor.fetchall()):  # type: ignore[union-attr]
            known.setdefault(record.path, {})[record.key] = record
        result.close()
    return known


def _values(record: Record) -> dict[str, Any]:
    return {
        "size_bytes": record.size_bytes,
        "source_mtime_ns": signed(record.source_mtime_ns),
        "source_ctime_ns": signed(record.source_ctime_ns),
        "source_inode": signed(record.source_inode),
        "mode": record.mode,
        "stored_mtime_ns": signed(record.stored_mtime_ns),
        "algorithm": record.digest[0],
        "digest": bytes.fromhex(record.digest[1]),
        "proof_kind": int(record.proof_kind),
        "proof_how": record.proof_how,
        "proved_at_us": record.proved_at_us,
        "stored_at_us": record.stored_at_us,
        "superseded": record.superseded,
    }


def _address(here: _Row, path: str, key: str) -> dict[str, Any]:
    return {"in_place": here.place, "in_dataset": here.dataset, "of_path": blob(path), "of_key": blob(key)}


def _insert(connection: Connection, here: _Row, new: Sequence[Record]) -> None:
    fixed = {"place_id": here.place, "dataset_id": here.dataset}
    rows = [fixed | {"path": blob(record.path), "key": blob(record.key)} | _values(record) for record in new]
    _each(connection, _INSERT, rows)


def _rewrite(connection: Connection, here: _Row, changed: Sequence[Record]) -> None:
    rows = [
        _address(here, record.path, record.key) | {f"new_{name}": value for name, value in _values(record).items()}
        for record in changed
    ]
    _each(connection, _REWRITE, rows)


def _each(connection: Connection, statement: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)
