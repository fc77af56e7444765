"""When was a file that has not settled first seen as it is?"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select

from coldchain.ledger.columns import blob, nanoseconds, signed, text, unsigned
from coldchain.ledger.database import Database
from coldchain.ledger.places import Places
from coldchain.ledger.schema import looks
from coldchain.model import Entry


class Settling:
    """The table of looks; see ``ledger.Ledger`` for the promises of each method."""

    def __init__(self, database: Database, places: Places) -> None:
        self._database = database
        self._places = places

    def looks(self, job: str, dataset: str) -> dict[str, tuple[Entry, int]]:
        """What was remembered."""
        statement = select(looks).where(looks.c.dataset_id == self._places.dataset_id(job, dataset))
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        return {
            text(row.path): (
                Entry(
                    text(row.path),
                    row.size_bytes,
                    nanoseconds(row.mtime_ns),
                    nanoseconds(row.ctime_ns),
                    unsigned(row.inode),
                    row.mode,
                ),
                row.first_seen_us,
            )
            for row in rows
        }

    def set_looks(self, job: str, dataset: str, seen: Mapping[str, tuple[Entry, int]]) -> None:
        """Remember these, and nothing else, of the dataset."""
        if not seen and self._places.dataset_id(job, dataset) is None:
            return
        with self._database.write() as connection:
            number = self._places.dataset_to_write(connection, job, dataset)
            connection.execute(delete(looks).where(looks.c.dataset_id == number))
            rows = [
                {
                    "dataset_id": number,
                    "path": blob(path),
                    "size_bytes": entry.size_bytes,
                    "mtime_ns": signed(entry.mtime_ns),
                    "ctime_ns": signed(entry.ctime_ns),
                    "inode": signed(entry.inode),
                    "mode": entry.mode,
                    "first_seen_us": first_seen_us,
                }
                for path, (entry, first_seen_us) in seen.items()
            ]
            if rows:
                connection.execute(looks.insert(), rows)
