"""What was found out of one part of a run?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from coldchain.verdict import KEPT, NAMED, shortage


def shown(name: str) -> str:
    """A name that stood in some file, as people and JSON can have it: bounded, without lone surrogates."""
    return name[:300].encode("utf-8", "replace").decode()


@dataclass(slots=True)
class Finding:
    """Grows while a part is looked at."""

    part: str
    lacks: list[str] = field(default_factory=list)
    """Why it is surely not whole yet, in phrases."""
    doubts: list[str] = field(default_factory=list)
    """Why nobody can tell whether it is."""
    facts: list[str] = field(default_factory=list)
    """What there is, for people."""
    missing: list[str] = field(default_factory=list)
    """What is not there, the first ``KEPT``."""
    missing_count: int = 0
    unwhole: dict[str, str] = field(default_factory=dict)

    def short_by(self, noun: str, expected: int, names: Iterable[str], count: int) -> None:
        """Some of many things are not there; does nothing when none is missing."""
        if count <= 0:
            return
        first = [shown(name) for name in islice(names, KEPT)]
        self.lacks.append(shortage(noun, expected, first, count))
        self.missing += first[: max(0, KEPT - len(self.missing))]
        self.missing_count += count

    def not_whole(self, noun: str) -> None:
        """Some are there and cut short; does nothing when none is."""
        if self.unwhole:
            names = ", ".join(shown(path.rpartition("/")[2]) for path in islice(self.unwhole, NAMED))
            more = ", …" if len(self.unwhole) > NAMED else ""
            self.lacks.append(f"{len(self.unwhole):,} {noun} not whole: {names}{more}")

    def absent(self, names: Iterable[str]) -> None:
        """Some files that every run has are not there."""
        if found := [shown(name) for name in names]:
            more = ", …" if len(found) > NAMED else ""
            self.lacks.append(f"{', '.join(found[:NAMED])}{more} {'is' if len(found) == 1 else 'are'} not there")
            self.missing += found[: max(0, KEPT - len(self.missing))]
            self.missing_count += len(found)
