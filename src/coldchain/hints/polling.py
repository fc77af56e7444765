"""What do looks show that has changed, where nobody tells of it?"""

from __future__ import annotations

import time
from collections.abc import Callable

from coldchain.errors import ColdchainError
from coldchain.hints.base import NOTHING, Hints, Listing

_USUAL_S = 30.0
_SHARE = 100
"""A look that nobody asked for at a certain pace takes at most this part of the time."""
_ASKED_EVERY = 500
_NAP_S = 0.25


class Polling:
    """Lists a source again and again; keeps one number for each folder, so memory grows with folders, not with files.

    The first look finds nothing: whoever listens has just looked.
    """

    def __init__(self, listing: Listing, every_s: float | None) -> None:
        self._listing, self._asked_s = listing, every_s
        self._every_s = _USUAL_S if every_s is None else every_s
        self._folders: dict[str, int] | None = None
        self._last = -self._every_s
        self.how = f"a look every {self._every_s:g} s"

    def wait(self, timeout_s: float, stopping: Callable[[], bool]) -> Hints:
        """See ``Ear``."""
        ends = time.monotonic() + timeout_s
        due = self._last + self._every_s
        while (now := time.monotonic()) < due:
            if now >= ends or stopping():
                return NOTHING
            time.sleep(max(0.0, min(_NAP_S, ends - now, due - now)))
        return self._look(stopping)

    def close(self) -> None:
        """See ``Ear``; nothing is open between looks."""

    def _look(self, stopping: Callable[[], bool]) -> Hints:
        begun = time.monotonic()
        try:
            found = self._numbers(stopping)
        except ColdchainError as error:
            self._last, self._folders = time.monotonic(), None
            return Hints(everywhere=f"the source cannot be listed ({type(error).__name__})")
        self._last = time.monotonic()
        if found is None:
            return NOTHING
        if self._asked_s is None:
            self._every_s = max(_USUAL_S, _SHARE * (self._last - begun))
        before, self._folders = self._folders, found
        if before is None:
            return Hints(everywhere="this is the first look")
        changed = {folder for folder, number in found.items() if before.get(folder) != number}
        return Hints(frozenset(f"{folder}/" if folder else "" for folder in changed | (before.keys() - found.keys())))

    def _numbers(self, stopping: Callable[[], bool]) -> dict[str, int] | None:
        """For each folder the sum of what its files look like: the order of a listing does not matter to it."""
        found: dict[str, int] = {}
        for number, entry in enumerate(self._listing()):
            folder = entry.path.rpartition("/")[0]
            found[folder] = (found.get(folder, 0) + hash(entry)) & 0xFFFF_FFFF_FFFF_FFFF
            if not number % _ASKED_EVERY and stopping():
                return None
        return found
