"""What must coldchain know of an instrument?

An instrument says how its datasets are found and named, which file is written last, and, from names, sizes and headers,
whether a dataset is whole.  It never writes, and nothing that it meets in a header stops a transfer: a file that it
does not understand is carried all the same, with a remark.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from typing import Protocol

from coldchain.config.values import Job, OnChange
from coldchain.errors import ConfigurationError, StoreError
from coldchain.model import Dataset, Entry
from coldchain.stores.base import Store
from coldchain.verdict import UNJUDGED, Condition, Verdict

ENTRY_POINTS = "coldchain.instruments"
"""The group of entry points under which another package offers instruments: ``name = "package.module:INSTRUMENT"``."""

_AGES = 1e11
"""Three thousand years, in seconds: NTFS keeps time stamps that no date can hold."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What is so with every dataset of an instrument; a job may say otherwise."""

    settle: timedelta = timedelta(minutes=10)
    on_change: OnChange = OnChange.REPLACE
    undisturbed: bool = False
    """While one dataset is being acquired nothing of the source is carried: reading could disturb the instrument."""
    quiet: timedelta = timedelta(hours=1)
    """A dataset that is not whole, and to which nothing was written for so long, is not being acquired any more."""
    datasets: tuple[str, ...] = ()
    """The words that the job's ``datasets`` may be, the usual one first; ``find`` judges anything else."""
    parts: tuple[str, ...] = ()
    """The parts that a job may choose from."""
    fields: tuple[str, ...] = ()
    """The fields of its datasets, for layouts."""


@dataclass(slots=True)
class Look:
    """How an instrument looks into the files of a dataset, and what it remembers of an earlier look."""

    source: Store
    job: Job
    now: datetime
    """Aware, UTC."""
    recalled: MutableMapping[str, object] = field(default_factory=dict)
    """What ``remember`` kept in an earlier run, by unit; anything JSON can hold."""
    remembered: MutableMapping[str, object] = field(default_factory=dict)
    sure: bool = True
    """Set it to False when a verdict leans on what ``see`` is not shown: then it is reached anew in each run, though
    none of the files changes.  A file that cannot be read does so by itself."""

    def piece(self, path: str, offset: int, length: int) -> bytes:
        """Read up to ``length`` bytes from ``offset`` on, counted from the end when it is negative; raises StoreError.

        Shorter only where the file ends.
        """
        try:
            with self.source.read(path) as reader:
                start = offset if offset >= 0 else max(0, reader.entry.size_bytes + offset)
                return reader.piece(start, length)
        except StoreError:
            self.sure = False
            raise

    def text(self, path: str, limit_bytes: int = 16 << 20) -> bytes:
        """Read a small file whole, or its first ``limit_bytes``; raises StoreError."""
        return self.piece(path, 0, limit_bytes)

    def age(self, entry: Entry) -> timedelta:
        """How long ago it was modified; negative when its time stamp lies in the future."""
        seconds = self.now.timestamp() - entry.mtime_ns / 1e9
        return timedelta(seconds=max(-_AGES, min(_AGES, seconds)))

    def while_open(self, newest: Entry | None, quiet: timedelta) -> Condition:
        """What a dataset that is not whole is: ACQUIRING while its newest file is young, then INCOMPLETE.

        A time stamp far in the future says nothing of the present.
        """
        if newest is not None and -quiet < self.age(newest) < quiet:
            return Condition.ACQUIRING
        return Condition.INCOMPLETE

    def recall(self, unit: str, stamp: str) -> object:
        """What was remembered of a unit whose files have this stamp; None when there is nothing, or they changed."""
        kept = self.recalled.get(unit)
        if isinstance(kept, list) and len(kept) == 2 and kept[0] == stamp:
            self.remembered[unit] = kept
            return kept[1]
        return None

    def remember(self, unit: str, stamp: str, value: object) -> None:
        """Keep what was found out of a unit for the next run; ``stamp`` changes whenever its files do."""
        self.remembered[unit] = [stamp, value]


class Judge(Protocol):
    """Judges one dataset once: is shown all of its files, then asked."""

    def see(self, entry: Entry) -> None:
        """Take notice of the next file; they come part by part, ascending by path.  Reads nothing."""

    def verdict(self) -> Verdict:
        """Say what the dataset is, after the last file; may read headers, through the look that it was made with."""


class Unjudged:
    """For datasets without arithmetic: silence decides."""

    def see(self, entry: Entry) -> None:
        """Take no notice."""

    def verdict(self) -> Verdict:
        """Nobody knows."""
        return UNJUDGED


class Instrument(Protocol):
    """How one kind of instrument lays out what it acquires.  Mostly data; one constant ``INSTRUMENT`` per module."""

    name: str
    title: str
    """One line for people."""
    habits: Habits

    def recognise(self, paths: Sequence[str]) -> tuple[int, str]:
        """Say how many of some paths of a source are surely this instrument's, and by what, in a phrase.

        A folder ends in a slash.  ``(0, "")`` when none is.
        """

    def find(self, source: Store, job: Job) -> Iterator[Dataset]:
        """Find the datasets of a source; no file lies in two of them, and what lies in none is carried as ``REST``.

        Raises ConfigurationError when the job's ``datasets`` (or another key that concerns the instrument) makes no
        sense here.
        """

    def judge(self, dataset: Dataset, look: Look) -> Judge:
        """Begin to judge one dataset, which may be ``REST``."""

    def marker(self, dataset: Dataset, path: str) -> str | None:
        """Say whether a file must travel last, because its being there says that others are whole.

        The answer is what the paths of those others begin with, "" for the whole dataset; None for an ordinary file.
        It is asked for every file, and must be quick.
        """


KINDS = {
    "files": "coldchain.instruments.files:INSTRUMENT",
    "cellpainting": "coldchain.instruments.cellpainting:INSTRUMENT",
    "cytof": "coldchain.instruments.cytof:INSTRUMENT",
    "ifcb": "coldchain.instruments.ifcb:INSTRUMENT",
    "merscope": "coldchain.instruments.merscope:INSTRUMENT",
    "rig": "coldchain.instruments.rig:INSTRUMENT",
}


def known_instruments() -> dict[str, str]:
    """Every instrument there is, with where it lies: the built-in ones, and those that installed packages offer."""
    from importlib.metadata import entry_points  # takes 10 ms

    offered = {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
    return offered | KINDS


def open_instrument(name: str) -> Instrument:
    """The instrument of that name; raises ConfigurationError with the nearest right spelling."""
    where = KINDS.get(name) or known_instruments().get(name)
    if where is None:
        known = sorted(known_instruments())
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
        raise ConfigurationError(f"no instrument is called {name!r}{hint}")
    module, _, constant = where.partition(":")
    try:
        instrument: Instrument = getattr(import_module(module), constant or "INSTRUMENT")
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the instrument {name!r} cannot be loaded from {where}: {error}") from error
    return instrument
