"""Would a destination confuse two names of this job?

A place that folds case or Unicode makes one file of two.  Keys come folder by folder, so only the names in the folders
on the way to the present key are remembered, and those above the datasets for the whole job.
"""

from __future__ import annotations

from collections.abc import Collection

from coldchain.stores.names import NameRules


class Collisions:
    """Remembers, for one destination, under which exact name each folded name came first."""

    def __init__(self, rules: NameRules) -> None:
        self._rules = rules
        self._names: dict[str, dict[str, str]] = {}
        self._region = ""
        self._above: set[str] = set()
        """Folders in which datasets lie that are still to come."""

    def enter(self, region: str, without: Collection[str] = ()) -> None:
        """The next keys lie below this folder of the destination, and not in the folders ``without``."""
        self._forget_below("")
        self._region = region
        self._above.update(*map(_above, without))

    def twin(self, key: str) -> str:
        """Say which earlier name of this job the destination would confuse with ``key``, or ""."""
        folder = ""
        for name in key.split("/"):
            exact = f"{folder}/{name}" if folder else name
            seen = self._names.setdefault(folder, {})
            first = seen.setdefault(self._rules.fold(name), exact)
            if first != exact:
                return first
            folder = exact
        self._forget_below(key)
        return ""

    def _forget_below(self, key: str) -> None:
        """Drop the folders that are neither above the region nor on the way to ``key``."""
        if len(self._names) > 64:
            kept = {""} | _above(key) | _above(self._region) | self._above
            self._names = {folder: names for folder, names in self._names.items() if folder in kept}


def _above(key: str) -> set[str]:
    return {key[:i] for i in range(len(key)) if key[i] == "/"}
