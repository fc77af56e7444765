"""What shall a run do, in all, before its first byte is sent?

Collisions, the brake and the totals concern the whole job, so everything is planned first.  What is to be done waits
in a spool; what is kept is only counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from coldchain.config.values import Incomplete
from coldchain.content.spool import Spool
from coldchain.model import (
    Action,
    Dataset,
    Entry,
    Hold,
    Keep,
    Refuse,
    Send,
    State,
    Tally,
)
from coldchain.steps.encoding import decode_send
from coldchain.steps.judge import OPEN, Judged
from coldchain.steps.settle import NONE_RECENT, Recent
from coldchain.verdict import Condition

if TYPE_CHECKING:
    from coldchain.ledger.settling import Look

T = TypeVar("T")

WAVES = 3
"""Ordinary files; markers of something within a dataset; markers of the whole dataset."""


class _Count:
    """A tally that grows: a million files are counted by adding numbers."""

    __slots__ = ("files", "size_bytes")

    def __init__(self) -> None:
        self.files = self.size_bytes = 0

    def add(self, size_bytes: int) -> None:
        self.files += 1
        self.size_bytes += size_bytes

    def add_all(self, tally: Tally) -> None:
        self.files += tally.files
        self.size_bytes += tally.size_bytes

    @property
    def tally(self) -> Tally:
        return Tally(self.files, self.size_bytes)


@dataclass(slots=True)
class DatasetDraft:
    """One dataset of the draft."""

    dataset: Dataset
    destinations: tuple[str, ...] = ()
    _selected: _Count = field(default_factory=_Count)
    _kept: dict[tuple[str, ...], _Count] = field(default_factory=lambda: defaultdict(_Count))
    """By all the destinations that keep a file together, of which there are few."""
    recent: Recent = NONE_RECENT
    looks: Iterable[Look] = ()
    """What the ledger shall remember of files whose stamps lie in the future; read it once, dataset by dataset."""
    gone: int = 0
    unsettled: int = 0
    """Files that wait because they are, or may be, still being written."""
    sending: _Count = field(default_factory=_Count)
    judged: Judged = field(default_factory=Judged)

    @property
    def selected(self) -> Tally:
        """What the job selects of it."""
        return self._selected.tally

    @property
    def to_read(self) -> Tally:
        """At most: an instrument may hold some of it back."""
        return self.sending.tally

    @property
    def kept(self) -> dict[str, Tally]:
        """Files that are verified already, per destination; of those that are not kept everywhere as well."""
        return {
            name: sum((count.tally for names, count in self._kept.items() if name in names), Tally())
            for name in self.destinations
        }

    def count(self, size_bytes: int, kept: tuple[str, ...], *, first_of_entry: bool) -> None:
        """Count the next action."""
        if first_of_entry:
            self._selected.add(size_bytes)
        if kept:
            self._kept[kept].add(size_bytes)


@dataclass(slots=True)
class Draft:
    """The plan of a whole job."""

    destinations: tuple[str, ...]
    incomplete: Incomplete = Incomplete.SEND
    datasets: list[DatasetDraft] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    """Datasets that the job names and the source does not hold."""
    sending: _Count = field(default_factory=_Count)
    disturbing: str = ""
    """The dataset that is being acquired, while which nothing of the source is to be read."""
    _looks: Spool[tuple[int, Look]] = field(default_factory=lambda: Spool(_encode_look, _decode_look))
    _waves: list[Spool[tuple[int, Action]]] = field(default_factory=lambda: [_spool() for _ in range(WAVES)])

    def begin(self, dataset: Dataset) -> DatasetDraft:
        """The next actions belong to this dataset."""
        self.datasets.append(DatasetDraft(dataset, self.destinations))
        return self.datasets[-1]

    def add(self, action: Action, *, first_of_entry: bool = True, wave: int = 0) -> None:
        """Take the next action; ``first_of_entry`` is False for a further action about the same file."""
        draft = self.datasets[-1]
        if isinstance(action, Refuse):
            draft.count(action.size_bytes, (), first_of_entry=first_of_entry)
        else:
            draft.count(action.entry.size_bytes, action.kept, first_of_entry=first_of_entry)
            if isinstance(action, Keep):
                return
        draft.unsettled += isinstance(action, Hold)
        if isinstance(action, Send):
            self.sending.add(action.entry.size_bytes)
            draft.sending.add(action.entry.size_bytes)
        self._waves[wave].append((len(self.datasets) - 1, action))

    def remember(self, look: Look) -> None:
        """Take what the ledger shall remember of a file of this dataset."""
        self._looks.append((len(self.datasets) - 1, look))

    def seal(self, *, undisturbed: bool = False) -> None:
        """Everything was added and judged: count again what is to be read, if instruments hold something back.

        ``undisturbed``: while one dataset is being acquired nothing is read.
        """
        if undisturbed:
            acquiring = (d.dataset.name for d in self.datasets if d.judged.verdict.condition is Condition.ACQUIRING)
            self.disturbing = next(acquiring, "")
        if any(draft.judged.verdict.unwhole or draft.judged.verdict.condition in OPEN for draft in self.datasets):
            self.sending = _Count()
            for _, action in self.actions():
                if isinstance(action, Send):
                    self.sending.add(action.entry.size_bytes)

    @property
    def to_read(self) -> Tally:
        """What is to be read of the source."""
        return self.sending.tally

    @property
    def selected(self) -> Tally:
        """Everything that the job selects."""
        return sum((draft.selected for draft in self.datasets), Tally())

    def actions(self) -> Iterator[tuple[DatasetDraft, Action]]:
        """What is to be done, dataset by dataset, in the order in which it is done."""
        for draft, waves in self.by_dataset():
            for wave in waves:
                for action in wave:
                    yield draft, action

    def by_dataset(self) -> Iterator[tuple[DatasetDraft, list[Iterator[Action]]]]:
        """Every dataset, also one with nothing to do, with its waves of actions, each ascending by path.

        Of each dataset read each wave to its end before the next; and each wave of a dataset before the same wave of
        the next dataset.
        """
        readings, looks = [_Reading(iter(spool)) for spool in self._waves], _Reading(iter(self._looks))
        for number, draft in enumerate(self.datasets):
            draft.looks = looks.of(number)
            yield draft, [self._decided(draft, reading.of(number)) for reading in readings]

    def _decided(self, draft: DatasetDraft, actions: Iterator[Action]) -> Iterator[Action]:
        """What the instrument says of a file is known only when the whole dataset was seen, so it is heeded here."""
        hold = draft.judged.reason_to_hold
        undisturbed = f"the instrument is acquiring: {self.disturbing}" if self.disturbing else ""
        for action in actions:
            if isinstance(action, Send) and (reason := hold(action.entry.path, self.incomplete) or undisturbed):
                yield Hold(action.entry, reason, tuple(t.destination for t in action.targets), action.kept)
            else:
                yield action

    def close(self) -> None:
        """Let go of the temporary files, if there are any."""
        for spool in self._waves:
            spool.close()
        self._looks.close()


class _Reading(Generic[T]):
    """Reads one spool dataset by dataset."""

    def __init__(self, rest: Iterator[tuple[int, T]]) -> None:
        self._rest = rest
        self._waiting = next(rest, None)

    def of(self, number: int) -> Iterator[T]:
        while self._waiting is not None and self._waiting[0] == number:
            yield self._waiting[1]
            self._waiting = next(self._rest, None)


def _spool() -> Spool[tuple[int, Action]]:
    return Spool(_encode, _decode)


_KINDS: dict[str, type[Send] | type[Hold] | type[Refuse]] = {"s": Send, "h": Hold, "r": Refuse}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}


def _encode(item: tuple[int, Action]) -> object:
    number, action = item
    return [number, _LETTERS[type(action)], *action]  # type: ignore[index]


def _decode(values: list[object]) -> tuple[int, Action]:
    number, letter, *rest = cast("tuple[int, str, list[object]]", values)
    match letter, rest:
        case "s", [_, _, _, _]:
            return number, decode_send(cast("list[object]", rest))
        case "h", [entry, reason, destinations, kept]:
            return number, Hold(_entry(entry), str(reason), _names(destinations), _names(kept))
        case _, [path, size_bytes, reason, destination, state]:
            size = cast("int", size_bytes)
            return number, Refuse(str(path), size, str(reason), str(destination), State(str(state)))
    raise AssertionError(letter)


def _entry(values: object) -> Entry:
    return Entry(*cast("list[int]", values))  # type: ignore[arg-type]


def _names(values: object) -> tuple[str, ...]:
    return tuple(cast("list[str]", values))


def _encode_look(item: tuple[int, Look]) -> object:
    number, (entry, since_us) = item
    return [number, entry, since_us]


def _decode_look(values: list[object]) -> tuple[int, Look]:
    number, entry, since_us = values
    return cast("int", number), (_entry(entry), cast("int", since_us))
