"""Is what lies in one folder whole, and does the instrument let us read it now?

A CyTOF writes no sign that a session is over, so nothing is ever called complete: another sample may follow, and which
.imd belongs to which .fcs is told by names that people type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from coldchain.errors import StoreError
from coldchain.instruments.base import Look
from coldchain.instruments.cytof.acquiring import QUIET, Imd, analytes_in, look_at_end, written_lately
from coldchain.instruments.cytof.fcs import MAGIC_BYTES, Fcs, begins_as_fcs, read_fcs
from coldchain.instruments.cytof.kinds import Kind, kind_of
from coldchain.instruments.cytof.rows import row_of
from coldchain.model import Dataset, Entry
from coldchain.verdict import KEPT, NAMED, Condition, Remark, Verdict

__all__ = ["QUIET", "SETTLE", "FolderJudge"]

SETTLE = timedelta(minutes=15)
CRASHED = "no XML tail (crashed acquisition; repairable from a sibling, cytofCore.copyImdXml)"
_FORM = "fcs1"
"""Changes when what is remembered changes its form."""
_MOST_SNIFFED = 10_000
"""So many files of unknown names are looked into, to see whether they are FCS."""
_MOST_ROWS = 10_000
_ONE_OF = ("$CYT", "$CYTSN", "serial", "$SYS", "$PAR")


class _Fact(NamedTuple):
    """What was found out of one FCS file."""

    entry: Entry
    cut: str
    lacking_bytes: int
    odd: str
    row: Mapping[str, object]


class FolderJudge:
    """Judges one folder."""

    def __init__(self, dataset: Dataset, look: Look) -> None:
        self._look = look
        self._root = dataset.parts[0].root
        self._paths: list[str] = []
        self._imds: list[Entry] = []
        self._fcs: list[Entry] = []
        self._unnamed: list[Entry] = []
        self._remarks: list[Remark] = []

    def see(self, entry: Entry) -> None:
        self._paths.append(entry.path)
        kind = kind_of(entry.path)
        if kind is Kind.IMD:
            self._imds.append(entry)
        elif kind is Kind.FCS:
            self._fcs.append(entry)
        elif kind is Kind.UNNAMED and entry.size_bytes >= MAGIC_BYTES and len(self._unnamed) < _MOST_SNIFFED:
            self._unnamed.append(entry)

    # --- the verdict --------------------------------------------------------------------------------------------------

    def verdict(self) -> Verdict:
        """While something is acquired, nothing is read but the ends of .imd files: the disk is the instrument's."""
        imds = [look_at_end(self._look, entry) for entry in self._imds]
        acquired = [(imd.entry, imd.acquired) for imd in imds if imd.acquired]
        facts = self._all_fcs(recalled_only=bool(acquired))
        acquired += [
            (fact.entry, how) for fact in facts if fact.cut and (how := written_lately(self._look, fact.entry))
        ]
        rows = [*self._imd_rows(imds, recalled_only=bool(acquired)), *({**fact.row} for fact in facts)]
        catalogue = _catalogue(rows)
        if acquired:
            return self._while_acquiring(acquired, catalogue, rows)
        return self._left_alone(imds, facts, catalogue, rows)

    def _while_acquiring(
        self, acquired: list[tuple[Entry, str]], catalogue: dict[str, object], rows: list[dict[str, object]]
    ) -> Verdict:
        entry, how = acquired[0]
        reason = f"the instrument is acquiring: {self._name(entry)} {how}"
        others = f" and {len(acquired) - 1:,} more are" if len(acquired) > 1 else " is"
        return Verdict(
            Condition.ACQUIRING,
            f"{self._name(entry)}{others} being acquired",
            unwhole=dict.fromkeys(self._paths, reason),
            remarks=tuple(self._remarks),
            catalogue=catalogue,
            units=tuple(rows[:_MOST_ROWS]),
        )

    def _left_alone(
        self, imds: list[Imd], facts: list[_Fact], catalogue: dict[str, object], rows: list[dict[str, object]]
    ) -> Verdict:
        crashed = [imd.entry for imd in imds if imd.crashed]
        hopeless = bool(crashed) and not any(imd.whole for imd in imds)
        cut = [fact for fact in facts if fact.cut]
        odd = [fact.entry for fact in facts if fact.odd]
        said = [f"{len(facts):,} FCS"] if facts else []
        said += [f"{len(imds):,} IMD"] if imds else []
        flaws = [f"{len(cut):,} FCS cut short: {self._named(fact.entry for fact in cut)}"] if cut else []
        flaws += [f"{len(crashed):,} IMD without XML tail: {self._named(crashed)}"] if crashed else []
        flaws += [f"{len(odd):,} FCS that do not fit together: {self._named(odd)}"] if odd else []
        missing = [f"the end of {self._name(fact.entry)}{_bytes(fact.lacking_bytes)}" for fact in cut]
        missing += [f"the XML tail of {self._name(entry)}" for entry in crashed]
        hint = CRASHED + ("; no other .imd here has one" if hopeless else "")
        remarks = [Remark(entry.path, hint) for entry in crashed]
        remarks += [Remark(imd.entry.path, f"could not be read: {imd.trouble}") for imd in imds if imd.trouble]
        remarks += [Remark(fact.entry.path, fact.odd) for fact in facts if fact.odd]
        return Verdict(
            Condition.INCOMPLETE if cut or hopeless else Condition.UNKNOWN,
            f"{', '.join(said)}; {'; '.join(flaws)}" if flaws else f"{', '.join(said)}, all whole" if said else "",
            tuple(missing[:KEPT]),
            len(missing),
            {fact.entry.path: fact.cut for fact in cut},
            tuple((remarks + self._remarks)[:KEPT]),
            catalogue,
            tuple(rows[:_MOST_ROWS]),
        )

    # --- looking into files -------------------------------------------------------------------------------------------

    def _all_fcs(self, *, recalled_only: bool) -> list[_Fact]:
        found = [self._one_fcs(entry, named=True, recalled_only=recalled_only) for entry in self._fcs]
        found += [self._one_fcs(entry, named=False, recalled_only=recalled_only) for entry in self._unnamed]
        return sorted((fact for fact in found if fact is not None), key=lambda fact: fact.entry.path)

    def _one_fcs(self, entry: Entry, *, named: bool, recalled_only: bool) -> _Fact | None:
        """None for a file that is no FCS, could not be read, or shall not be read now."""
        personal = self._look.job.personal
        stamp = f"{_FORM}:{entry.size_bytes}:{entry.mtime_ns}:{personal:d}"
        kept = self._look.recall(entry.path, stamp)
        if kept is None and recalled_only:
            return None
        if kept is None:
            try:
                kept = self._look_into(entry, named=named, personal=personal)
            except StoreError as error:
                self._remarks.append(Remark(entry.path, f"could not be read: {error.reason}"))
                return None
            self._look.remember(entry.path, stamp, kept)
        if not (isinstance(kept, dict) and isinstance(kept.get("row"), dict)):
            return None
        lacking = kept.get("lacking")
        row = {"unit": self._name(entry), **kept["row"]}
        return _Fact(
            entry, str(kept.get("cut", "")), lacking if isinstance(lacking, int) else 0, str(kept.get("odd", "")), row
        )

    def _look_into(self, entry: Entry, *, named: bool, personal: bool) -> object:
        """What is remembered of a file; 0 for one that is no FCS and is not called one."""

        def read(offset: int, length: int) -> bytes:
            return self._look.piece(entry.path, offset, length)

        if not named and not begins_as_fcs(read(0, MAGIC_BYTES)):
            return 0
        if not entry.size_bytes:
            return {"row": {}, "cut": "it is empty"}
        fcs = read_fcs(read, entry.size_bytes)
        if fcs is None:
            return {"row": {}, "odd": "named as FCS, and does not begin as FCS does"}
        return _remembered(fcs, personal=personal)

    def _imd_rows(self, imds: Iterable[Imd], *, recalled_only: bool) -> Iterable[dict[str, object]]:
        for imd in imds:
            row: dict[str, object] = {"unit": self._name(imd.entry), "version": "IMD"}
            if imd.whole and not recalled_only:
                try:
                    analytes = analytes_in(self._look, imd.entry)
                except StoreError as error:
                    self._remarks.append(Remark(imd.entry.path, f"could not be read: {error.reason}"))
                    analytes = []
                row |= {"analytes": len(analytes), "channels": analytes} if analytes else {}
            yield row

    # --- names --------------------------------------------------------------------------------------------------------

    def _name(self, entry: Entry) -> str:
        return entry.path[len(self._root) + 1 :] if self._root else entry.path

    def _named(self, entries: Iterable[Entry]) -> str:
        names = [self._name(entry) for entry in entries]
        return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _remembered(fcs: Fcs, *, personal: bool) -> dict[str, object]:
    value: dict[str, object] = {"row": row_of(fcs, personal=personal)}
    if fcs.cut:
        value |= {"cut": fcs.cut, "lacking": fcs.lacking_bytes}
    if fcs.odd:
        value["odd"] = "; ".join(fcs.odd[:NAMED])
    return value


def _bytes(count: int) -> str:
    return f" ({count:,} bytes)" if count else ""


def _catalogue(rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What is true of the whole folder: the earliest start, the latest end, all events, and what all files agree on."""
    found: dict[str, object] = {}
    starts = [str(row["start"]) for row in rows if row.get("start")]
    ends = [str(row["end"]) for row in rows if row.get("end")]
    found |= {"start": min(starts)} if starts else {}
    found |= {"end": max(ends)} if ends else {}
    for key in _ONE_OF:
        values = {row[key] for row in rows if isinstance(row.get(key), str | int)}
        if len(values) == 1:
            found |= {key: values.pop()}
    events = [total for row in rows if isinstance(total := row.get("$TOT"), int)]
    found |= {"$TOT": sum(events)} if events else {}
    counts = {"IMD": 0, "FCS": 0}
    for row in rows:
        counts["IMD" if row.get("version") == "IMD" else "FCS"] += 1
    return found | {key: count for key, count in counts.items() if count}
