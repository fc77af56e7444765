"""Which hints have waited for long enough?"""

from __future__ import annotations

from collections.abc import Iterable

from coldchain.hints.base import Hints, places_of
from coldchain.model import REST, Dataset

_MOST_PATHS = 5000
_LONGEST_WAITS = 10
"""A path that is hinted at for ever is looked at after so many times ``settle``."""
_LEAST_S = 0.3
"""A new folder is listened to a moment after it was made; what was written into it before is seen by then."""


class Pending:
    """Hints by path, and datasets that are due at a moment; moments are of the monotonic clock."""

    def __init__(self, settle_s: float) -> None:
        self._wait_s = settle_s + _LEAST_S
        self._paths: dict[str, tuple[float, float]] = {}
        self._datasets: dict[str, float] = {}
        self.all_at: float | None = None
        """When everything is due."""

    def take(self, hints: Hints, mono: float) -> None:
        """Remember hints; so many that they are worth no memory become one at everything."""
        if hints.everywhere:
            self.look_at_all(mono)
        for path in hints.paths:
            first, _ = self._paths.get(path, (mono, mono))
            self._paths[path] = first, mono
        if len(self._paths) > _MOST_PATHS:
            self._paths.clear()
            self.look_at_all(mono + self._wait_s)

    def look_at_all(self, mono: float) -> None:
        """Everything is due then, or before."""
        self.all_at = mono if self.all_at is None else min(self.all_at, mono)

    def look_at(self, dataset: str, mono: float) -> None:
        """One dataset is due then, or before."""
        self._datasets[dataset] = min(mono, self._datasets.get(dataset, mono))

    def due_paths(self, mono: float) -> frozenset[str]:
        """Take out the paths whose newest hint is old enough for what is there to have settled."""
        longest_s = max(60.0, _LONGEST_WAITS * self._wait_s)
        due = {
            path for path, (first, last) in self._paths.items() if min(last + self._wait_s, first + longest_s) <= mono
        }
        for path in due:
            del self._paths[path]
        return frozenset(due)

    def due_datasets(self, mono: float) -> frozenset[str]:
        """Take out the datasets that are due."""
        due = {name for name, at in self._datasets.items() if at <= mono}
        for name in due:
            del self._datasets[name]
        return frozenset(due)

    def begin_all(self) -> None:
        """Everything is looked at now, and the datasets with it; a path that is hinted at still has to settle."""
        self.all_at = None
        self._datasets.clear()


def datasets_of(paths: frozenset[str], datasets: Iterable[Dataset]) -> frozenset[str]:
    """The names of the datasets in which paths may lie; what lies in none belongs to ``REST``."""
    names, inside = set(), set()
    datasets = list(datasets)
    for dataset in datasets:
        for part in dataset.parts:
            start = part.start if part.begins or not part.root else f"{part.root}/"
            if dataset.name == REST:
                continue
            mine = {p for p in paths if places_of(frozenset({p, f"{p}/"} if p else {p}), start)}
            if mine:
                names.add(dataset.name)
                inside |= {path for path in mine if path.startswith(start)}
    if (paths - inside) and any(dataset.name == REST for dataset in datasets):
        names.add(REST)
    return frozenset(names)
