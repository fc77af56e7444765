"""What does each destination know of each source file?

Three sorted streams are walked side by side for every destination: the source, the ledger's records, and what stands
at the destination now.  Nothing is kept in memory but the line that each stream is at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from coldchain.errors import NotAFile, NotFound
from coldchain.model import (
    ADDED,
    DISPROVED,
    UNCHANGED,
    Change,
    Changed,
    Difference,
    Entry,
    Missing,
    Oddity,
    ProofKind,
    Record,
    Touched,
    Unproved,
)
from coldchain.steps.layout import Layout
from coldchain.stores.base import Store


class Standard(NamedTuple):
    """When is a copy as it should be?"""

    proof: ProofKind
    stable_inodes: bool
    """ctime and inode of the source mean something."""


class Side:
    """One destination's view of one dataset; asked for entries in ascending order, part by part."""

    def __init__(
        self, store: Store, records: Iterator[Record], standard: Standard, begun: Mapping[str, Record] | None = None
    ) -> None:
        """``begun``: what a killed run published and did not record, by path (``steps.begun``)."""
        self._store, self._records, self._begun = store, records, begun or {}
        self._proof, self._stable = standard
        self._layout = Layout("", 0)
        self._found: Iterator[Entry | Oddity] = iter(())
        self._record = next(records, None)
        self._there: Entry | Oddity | None = None
        self._step_ns = max(1, store.traits.mtime_step_ns)
        self._gone = 0

    def enter(self, layout: Layout, found: Iterator[Entry | Oddity]) -> None:
        """The next entries are of the next part; ``found`` is what stands where it goes, ascending."""
        self._layout, self._found = layout, found
        self._there = next(found, None)

    def change(self, entry: Entry) -> Change:
        """Compare the next entry."""
        path = entry.path
        record = self._record
        while record is not None and record.path < path:
            self._gone += 1
            record = next(self._records, None)
        self._record = record
        key = self._layout.key(path)
        there = self._there
        while there is not None and there.path < key:
            there = next(self._found, None)
        self._there = there
        found = there if there is not None and there.path == key else None
        if record is None or record.path != path:
            if found is None:
                return ADDED
            return self._unrecorded(entry, key, found) or Unproved(found, None, "it stands there already")
        if record.key != key:
            found = self._look(record.key)
        self._record = next(self._records, None)
        change = self._judge(entry, record, found)
        if self._begun and found is not None and isinstance(change, Unproved):
            return self._unrecorded(entry, key, found) or change
        return change

    def gone(self) -> int:
        """How many stored files are no longer at the source (P6: they stay); ask after the last entry."""
        if self._record is not None:
            self._gone += 1 + sum(1 for _ in self._records)
            self._record = None
        return self._gone

    def _judge(self, entry: Entry, record: Record, found: Entry | Oddity | None) -> Change:
        if found is None:
            return Missing(record)
        if isinstance(found, Oddity) or found.size_bytes != record.size_bytes:
            return Unproved(found, record, "what stands there is not what was stored")
        if abs(found.mtime_ns - record.stored_mtime_ns) >= self._step_ns:
            return Unproved(found, record, "the copy was touched since it was stored")
        if entry.size_bytes != record.size_bytes or entry.mtime_ns != record.source_mtime_ns:
            return Changed(record)
        if self._stable and (entry.ctime_ns, entry.inode) != (record.source_ctime_ns, record.source_inode):
            return Touched(record)
        if record.proof_how == DISPROVED:
            return Unproved(found, record, "found wrong when it was checked, and not mended since")
        if record.proof_kind < self._proof:
            return Unproved(found, record, f"proved only by {record.proof_kind.word}")
        return UNCHANGED

    def _unrecorded(self, entry: Entry, key: str, found: Entry | Oddity) -> Changed | None:
        """Where a killed run published an older version: that, which is read and compared before it is replaced.

        If the source is still what was published then, adoption compares the two, and needs no word of anybody.
        """
        mine = self._begun.get(entry.path)
        if mine is None or mine.key != key or isinstance(found, Oddity) or found.size_bytes != mine.size_bytes:
            return None
        same = (entry.size_bytes, entry.mtime_ns) == (mine.size_bytes, mine.source_mtime_ns)
        if same and self._stable:
            same = (entry.ctime_ns, entry.inode) == (mine.source_ctime_ns, mine.source_inode)
        return None if same else Changed(mine)

    def _look(self, key: str) -> Entry | Oddity | None:
        try:
            return self._store.stat(key)
        except NotFound:
            return None
        except NotAFile as error:
            return Oddity(key, "special", error.reason)


def compare(here: Iterable[Entry], sides: Sequence[Side]) -> Iterator[Difference]:
    """Yield every source file with what each side says of it, in the order of the sides; ``here`` ascends by path."""
    if len(sides) == 1:
        change = sides[0].change
        for entry in here:
            yield Difference(entry, (change(entry),))
        return
    for entry in here:
        yield Difference(entry, tuple(side.change(entry) for side in sides))
