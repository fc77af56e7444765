"""How does a manifest tell what the instrument said of the dataset?

In its header stands what concerns the whole; the units, of which there may be many thousands, get a line each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from coldchain.ledger.acquisitions import Acquisition, learnt_stamp
from coldchain.ledger.manifest_fields import (
    LINE_LIMIT_BYTES,
    encoded,
    named,
    read_name,
    read_number,
    read_text,
    read_time,
    size_limit_bytes,
    stamped,
)
from coldchain.verdict import KEPT, Condition, Remark, Verdict

UNITS_LIMIT = 1 << 20
"""So many units are written and read at most ..."""
UNITS_LIMIT_BYTES = 256 << 20
"""... and so many bytes of them: they are held in memory when a ledger is made again."""

_UNIT_LIMIT_BYTES = LINE_LIMIT_BYTES - 64
_SUMMARY_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Told:
    """What a manifest's header says of the acquisition."""

    instrument: str
    verdict: Verdict
    """Without units, which have lines of their own, and without ``unwhole``: those files are not in the manifest."""
    first_seen: datetime
    since: datetime
    completed: datetime | None
    generation: int = 1
    """Counted up when the list of files of a sealed manifest changes, or the dataset is not complete any more."""
    sealed: bool = False
    """The dataset was complete and every file of it was verified at this destination when this was written."""

    @classmethod
    def of(cls, known: Acquisition) -> Self:
        """What is to be told of an acquisition."""
        verdict = replace(known.verdict, units=(), unwhole={})
        return cls(known.instrument, verdict, known.first_seen, known.since, known.completed)

    def acquisition(self, units: Iterable[Mapping[str, object]], written: datetime) -> Acquisition:
        """What a ledger that lacks it can know again: all but the files that it was judged by."""
        verdict = replace(self.verdict, units=tuple(units))
        return Acquisition(
            self.instrument, learnt_stamp(written), verdict, {}, self.first_seen, self.since, self.completed
        )


def as_fields(told: Told, room_bytes: int) -> dict[str, object]:
    """The object in the header; lists are cut, so that it fits into its line."""
    verdict = told.verdict
    missing, remarks = list(verdict.missing[:KEPT]), [_remark(remark) for remark in verdict.remarks[:KEPT]]
    catalogue = fitting(verdict.catalogue, room_bytes // 2)
    while True:
        fields: dict[str, object] = {
            "instrument": told.instrument,
            "condition": verdict.condition.value,
            "summary": verdict.summary[:_SUMMARY_CHARACTERS],
            "missing_count": verdict.missing_count,
            "missing": missing,
            "remarks": remarks,
            "catalogue": catalogue,
            "first_seen": stamped(told.first_seen),
            "since": stamped(told.since),
            "completed": None if told.completed is None else stamped(told.completed),
            "generation": told.generation,
            "sealed": told.sealed,
        }
        if not (missing or remarks) or size_limit_bytes(fields) <= room_bytes:
            return fields
        missing, remarks = missing[: len(missing) // 2], remarks[: len(remarks) // 2]


def from_fields(fields: Mapping[str, Any]) -> Told:
    """The inverse; raises KeyError, TypeError or ValueError for what ``as_fields`` never makes."""
    missing, remarks, catalogue, sealed = (fields[key] for key in ("missing", "remarks", "catalogue", "sealed"))
    if not (isinstance(missing, list) and isinstance(remarks, list) and len(missing) <= KEPT >= len(remarks)):
        raise TypeError("missing or remarks")
    if not (isinstance(catalogue, dict) and isinstance(sealed, bool) and all(isinstance(one, str) for one in missing)):
        raise TypeError("catalogue, sealed or missing")
    verdict = Verdict(
        Condition(read_text(fields, "condition")),
        read_text(fields, "summary"),
        tuple(missing),
        read_number(fields, "missing_count", least=0),
        remarks=tuple(Remark(read_name(one, "path"), read_text(one, "sentence")) for one in remarks),
        catalogue=catalogue,
    )
    return Told(
        read_text(fields, "instrument"),
        verdict,
        read_time(fields, "first_seen"),
        read_time(fields, "since"),
        None if fields["completed"] is None else read_time(fields, "completed"),
        read_number(fields, "generation", least=1),
        sealed,
    )


def unit_lines(units: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """The units, each on its line, without commas and newlines; what does not fit is left out."""
    total = 0
    for _, unit in zip(range(UNITS_LIMIT), units, strict=False):
        line = encoded(fitting(unit, _UNIT_LIMIT_BYTES))
        total += len(line)
        if total > UNITS_LIMIT_BYTES:
            return
        yield line


def fitting(values: Mapping[str, object], room_bytes: int) -> Mapping[str, object]:
    """All of it where it fits, else ``unit`` and as many of the other values as do, the smallest ones first."""
    if size_limit_bytes(values) <= room_bytes:
        return values
    sizes = {key: size_limit_bytes({key: value}) for key, value in values.items()}
    kept, room = set(), room_bytes
    for key in sorted(sizes, key=lambda key: (key != "unit", sizes[key])):
        room -= sizes[key]
        if room < 0:
            break
        kept.add(key)
    return {key: value for key, value in values.items() if key in kept}


def _remark(remark: Remark) -> dict[str, object]:
    return named("path", remark.path) | {"sentence": remark.sentence}
