"""When was a file that has not settled first seen as it is?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from sqlalchemy import Insert, delete, select

from coldchain.ledger.columns import blob, nanoseconds, signed, text, unsigned
from coldchain.ledger.database import Database
from coldchain.ledger.places import Places
from coldchain.ledger.schema import looks
from coldchain.model import Entry

Look = tuple[Entry, int]
"""How a file looked, and since when it looks so (microseconds since 1970)."""
_PAGE = 1_000
_BEYOND = b"\xff"
"""After every name: no byte of UTF-8 is so large."""


class Settling:
    """The table of looks; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database, places: Places) -> None:
        self._database = database
        self._places = places

    def looks(self, job: str, dataset: str) -> Callable[[str], Look | None]:
        """What was remembered."""
        number = self._places.dataset_id(job, dataset)
        return _Remembered(self._database, number) if number is not None else lambda path: None

    def set_looks(self, job: str, dataset: str, seen: Iterable[Look]) -> None:
        """Remember these, and nothing else, of the dataset; of a path that comes twice the first."""
        rest = iter(seen)
        some = list(islice(rest, _PAGE))
        if not some and self._places.dataset_id(job, dataset) is None:
            return
        with self._database.write() as connection:
            number = self._places.dataset_to_write(connection, job, dataset)
            connection.execute(delete(looks).where(looks.c.dataset_id == number))
            insert = _insert_new(is_postgres=self._database.is_postgres)
            while some:
                connection.execute(insert, [_row(number, *look) for look in some])
                some = list(islice(rest, _PAGE))


def _insert_new(*, is_postgres: bool) -> Insert:
    if is_postgres:
        from sqlalchemy.dialects import postgresql  # see ``driving``

        return postgresql.insert(looks).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(looks).on_conflict_do_nothing()


class _Remembered:
    """Answers for one path after the other; keeps one page, so paths had better come in order."""

    def __init__(self, database: Database, number: int) -> None:
        self._database, self._number = database, number
        self._page: dict[str, Look] = {}
        self._first, self._last = _BEYOND, b""
        """Of all names between these the page has what is remembered."""

    def __call__(self, path: str) -> Look | None:
        name = blob(path)
        if not self._first <= name <= self._last:
            self._turn_to(name)
        return self._page.get(path)

    def _turn_to(self, name: bytes) -> None:
        here = select(looks).where(looks.c.dataset_id == self._number, looks.c.path >= name)
        here = here.order_by(looks.c.path).limit(_PAGE)
        rows = self._database.read(lambda connection: connection.execute(here).all())
        self._first, self._last = name, bytes(rows[-1].path) if len(rows) == _PAGE else _BEYOND
        self._page = {look[0].path: look for look in self._database.made(_look, rows)}


def _look(row: Any) -> Look:
    stamps = nanoseconds(row.mtime_ns), nanoseconds(row.ctime_ns)
    return Entry(text(row.path), row.size_bytes, *stamps, unsigned(row.inode), row.mode), row.first_seen_us


def _row(number: int, entry: Entry, first_seen_us: int) -> dict[str, object]:
    return {
        "dataset_id": number,
        "path": blob(entry.path),
        "size_bytes": entry.size_bytes,
        "mtime_ns": signed(entry.mtime_ns),
        "ctime_ns": signed(entry.ctime_ns),
        "inode": signed(entry.inode),
        "mode": entry.mode,
        "first_seen_us": first_seen_us,
    }
