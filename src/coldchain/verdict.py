"""How far has an acquisition come, and what does it say of itself?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

NAMED = 3
"""So many missing things are named in a sentence ..."""
KEPT = 1000
"""... and so many are kept for a report; the count says how many there are."""


class Condition(StrEnum):
    """Is a dataset whole, by its instrument's own arithmetic?"""

    ACQUIRING = "acquiring"
    """Not whole yet, and something was written to it a short while ago."""
    INCOMPLETE = "incomplete"
    """Not whole, and nothing has been written to it for long; ``missing`` says what is not there."""
    COMPLETE = "complete"
    UNKNOWN = "unknown"
    """The instrument has no arithmetic for this one: silence decides, file by file."""


class Remark(NamedTuple):
    """A file that is carried all the same, and what a person should know of it."""

    path: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an instrument says of one dataset, from the names, the sizes and the headers of its files."""

    condition: Condition
    summary: str = ""
    """Why, in one phrase: "short by 14 of 3,456 images: B02 s3 w1, …", or "61 bins, all whole"."""
    missing: tuple[str, ...] = ()
    """What is not there, each as a person would name it; the first ``KEPT``."""
    missing_count: int = 0
    unwhole: Mapping[str, str] = field(default_factory=dict)
    """Path of each file that is there and not whole, to the reason: it is held, unless the job wants it flagged."""
    remarks: tuple[Remark, ...] = ()
    """Files that are carried and deserve a word: a malformed header, a crashed acquisition that can be repaired."""
    catalogue: Mapping[str, object] = field(default_factory=dict)
    """What headers say of the whole dataset, under the names that the instrument uses; values that JSON can hold,
    times in ISO 8601.  ``start``, ``end`` and ``serial`` mean the same for every instrument."""
    units: tuple[Mapping[str, object], ...] = ()
    """One row for each thing within it that has headers of its own (a bin, an FCS file); ``unit`` is its name."""

    def as_json(self) -> dict[str, object]:
        """Everything, as JSON can hold it; ``from_json`` reads it back."""
        return {
            "condition": self.condition.value,
            "summary": self.summary,
            "missing": list(self.missing),
            "missing_count": self.missing_count,
            "unwhole": dict(self.unwhole),
            "remarks": [list(remark) for remark in self.remarks],
            "catalogue": dict(self.catalogue),
            "units": [dict(unit) for unit in self.units],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Verdict:
        """Read back; raises KeyError, TypeError or ValueError for something else."""
        unwhole, remarks, catalogue, units = (values[key] for key in ("unwhole", "remarks", "catalogue", "units"))
        missing, count = values["missing"], values["missing_count"]
        if not (isinstance(unwhole, dict) and isinstance(catalogue, dict) and isinstance(count, int)):
            raise TypeError("unwhole, catalogue or missing_count")
        if not (isinstance(remarks, list) and isinstance(units, list) and isinstance(missing, list)):
            raise TypeError("remarks, units or missing")
        return cls(
            Condition(str(values["condition"])),
            str(values["summary"]),
            tuple(map(str, missing)),
            count,
            {str(path): str(reason) for path, reason in unwhole.items()},
            tuple(Remark(str(path), str(sentence)) for path, sentence in remarks),
            catalogue,
            tuple(dict(unit) for unit in units),
        )


UNJUDGED = Verdict(Condition.UNKNOWN)


def shortage(noun: str, expected: int, missing: Sequence[str], count: int | None = None) -> str:
    """The phrase for what is missing: "short by 14 of 3,456 images: B02 s3 w1, B02 s3 w2, B02 s4 w1, …"."""
    number = len(missing) if count is None else count
    more = ", …" if number > NAMED else ""
    return f"short by {number:,} of {expected:,} {noun}: {', '.join(missing[:NAMED])}{more}"


def first(names: Iterable[str]) -> tuple[str, ...]:
    """The first ``KEPT`` of them."""
    return tuple(name for name, _ in zip(names, range(KEPT), strict=False))
