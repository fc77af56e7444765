"""May a file that says that others are whole be sent yet?"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from coldchain.instruments.base import Instrument
from coldchain.model import Dataset, Outcome, Send, State, Target, Trouble

_REMEMBERED = 10_000
"""So many files in trouble are remembered per destination; with more of them every marker waits."""


class _Decided(Protocol):
    def add(self, outcomes: Iterable[Outcome]) -> None: ...


class Following:
    """Watches the troubles of one dataset: a marker goes only where nothing that it vouches for is in trouble."""

    def __init__(self, instrument: Instrument, dataset: Dataset) -> None:
        self._scope: Callable[[str], str | None] = lambda path: instrument.marker(dataset, path)
        self._troubled: dict[str, list[str]] = {}

    def heed(self, outcomes: Sequence[Outcome]) -> None:
        """Remember what is not verified."""
        for outcome in outcomes:
            if isinstance(outcome, Trouble):
                paths = self._troubled.setdefault(outcome.destination, [])
                if len(paths) < _REMEMBERED:
                    insort(paths, outcome.path)

    def allowed(self, sends: Iterable[Send], decided: _Decided) -> Iterator[Send]:
        """Let markers through, each to the destinations that hold what it vouches for; it is held at the others."""
        for send in sends:
            path = send.entry.path
            scope = self._scope(path) or ""
            held = tuple(target for target in send.targets if self._blocks(target.destination, scope))
            decided.add(self._held(send, target, scope) for target in held)
            if len(held) < len(send.targets):
                yield send._replace(targets=tuple(target for target in send.targets if target not in held))

    def _blocks(self, destination: str, scope: str) -> str:
        """A file below the scope that is not verified there, or ""."""
        paths = self._troubled.get(destination, [])
        if len(paths) >= _REMEMBERED:
            return paths[0]
        place = bisect_left(paths, scope)
        return paths[place] if place < len(paths) and paths[place].startswith(scope) else ""

    def _held(self, send: Send, target: Target, scope: str) -> Trouble:
        reason = f"travels last; not verified there yet: {self._blocks(target.destination, scope)}"
        return Trouble(target.destination, send.entry.path, send.entry.size_bytes, State.HELD, reason)
