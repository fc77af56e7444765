"""What shall a run do, in all, before its first byte is sent?

Collisions, the brake and the totals concern the whole job, so everything is planned first.  What is to be done waits
in a spool; what is kept is only counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from coldchain.content.spool import Spool
from coldchain.model import (
    Action,
    Dataset,
    Digest,
    Entry,
    Hold,
    Keep,
    Manner,
    Refuse,
    Send,
    State,
    Tally,
    Target,
)


@dataclass(slots=True)
class DatasetDraft:
    """One dataset of the draft."""

    dataset: Dataset
    selected: Tally = Tally()
    kept: dict[str, Tally] = field(default_factory=dict)
    """Files that are verified already, per destination; of those that are not kept everywhere as well."""
    looks: dict[str, tuple[Entry, int]] = field(default_factory=dict)
    gone: int = 0


@dataclass(slots=True)
class Draft:
    """The plan of a whole job."""

    destinations: tuple[str, ...]
    datasets: list[DatasetDraft] = field(default_factory=list)
    to_read: Tally = Tally()
    _actions: Spool[tuple[int, Action]] = field(default_factory=lambda: Spool(_encode, _decode))

    def begin(self, dataset: Dataset) -> DatasetDraft:
        """The next actions belong to this dataset."""
        self.datasets.append(DatasetDraft(dataset, kept=dict.fromkeys(self.destinations, Tally())))
        return self.datasets[-1]

    def add(self, action: Action, *, first_of_entry: bool = True) -> None:
        """Take the next action; ``first_of_entry`` is False for a further action about the same file."""
        draft = self.datasets[-1]
        if isinstance(action, Refuse):
            size_bytes = action.size_bytes
        else:
            size_bytes = action.entry.size_bytes
            for name in action.kept:
                draft.kept[name] += Tally(1, size_bytes)
        if first_of_entry:
            draft.selected += Tally(1, size_bytes)
        if isinstance(action, Send):
            self.to_read += Tally(1, size_bytes)
        if not isinstance(action, Keep):
            self._actions.append((len(self.datasets) - 1, action))

    @property
    def selected(self) -> Tally:
        """Everything that the job selects."""
        return sum((draft.selected for draft in self.datasets), Tally())

    def actions(self) -> Iterator[tuple[DatasetDraft, Action]]:
        """What is to be done, dataset by dataset, each ascending by path."""
        return ((self.datasets[number], action) for number, action in self._actions)

    def by_dataset(self) -> Iterator[tuple[DatasetDraft, Iterator[Action]]]:
        """Every dataset, also one with nothing to do, with its actions; read each to its end before the next."""
        rest = iter(self._actions)
        waiting = next(rest, None)

        def of(number: int) -> Iterator[Action]:
            nonlocal waiting
            while waiting is not None and waiting[0] == number:
                yield waiting[1]
                waiting = next(rest, None)

        for number, draft in enumerate(self.datasets):
            yield draft, of(number)

    def close(self) -> None:
        """Let go of the temporary file, if there is one."""
        self._actions.close()


_KINDS: dict[str, type[Send] | type[Hold] | type[Refuse]] = {"s": Send, "h": Hold, "r": Refuse}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}


def _encode(item: tuple[int, Action]) -> object:
    number, action = item
    return [number, _LETTERS[type(action)], *action]  # type: ignore[index]


def _decode(values: list[object]) -> tuple[int, Action]:
    number, letter, *rest = cast("tuple[int, str, list[object]]", values)
    match letter, rest:
        case "s", [_, _, _]:
            return number, decode_send(cast("list[object]", rest))
        case "h", [entry, reason, destinations, kept]:
            return number, Hold(_entry(entry), str(reason), _names(destinations), _names(kept))
        case _, [path, size_bytes, reason, destination, state]:
            size = cast("int", size_bytes)
            return number, Refuse(str(path), size, str(reason), str(destination), State(str(state)))
    raise AssertionError(letter)


def encode_send(send: Send) -> object:
    """Plain values, for a spool."""
    return list(send)


def decode_send(values: list[object]) -> Send:
    """Read ``encode_send`` back."""
    entry, targets, kept = values
    return Send(_entry(entry), tuple(map(_target, cast("list[object]", targets))), _names(kept))


def _entry(values: object) -> Entry:
    return Entry(*cast("list[int]", values))  # type: ignore[arg-type]


def _names(values: object) -> tuple[str, ...]:
    return tuple(cast("list[str]", values))


def _target(values: object) -> Target:
    destination, key, manner, reason, digest, old_key, unsure = cast("list[str]", values)
    return Target(destination, key, Manner(manner), reason, Digest(*digest) if digest else None, old_key, bool(unsure))
