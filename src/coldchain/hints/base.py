"""How does a watcher hear that something may have changed at a source?

What it hears is a hint: one may be lost, late or wrong, so whoever listens looks at everything now and then all the
same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from coldchain.model import Entry, Oddity

Listing = Callable[[], Iterable[Entry | Oddity]]
"""Everything at a source; raises ColdchainError where it cannot be listed."""


@dataclass(frozen=True, slots=True)
class Hints:
    """Where something may have changed."""

    paths: frozenset[str] = frozenset()
    """Below the source, as everywhere; one that ends in a slash is a whole folder, "" is the source's own."""
    everywhere: str = ""
    """Why everything must be looked at, as a phrase; "" where the paths are enough."""


NOTHING = Hints()


class Ear(Protocol):
    """Listens to one source."""

    how: str
    """The means, as a phrase for people: "events" or "a look every 30 s"."""

    def wait(self, timeout_s: float, stopping: Callable[[], bool]) -> Hints:
        """Return what was heard, after ``timeout_s`` at the latest; never raises for trouble of the source.

        A source that cannot be listened to is a hint at everything: the look that follows says what is wrong.
        """

    def close(self) -> None:
        """Stop listening."""


def places_of(paths: frozenset[str], start: str) -> bool:
    """Whether one of the paths may lie where every path begins with ``start``, or a whole folder around it changed."""
    return any(path.startswith(start) or (path.endswith("/") and start.startswith(path)) or not path for path in paths)


def open_ear(listing: Listing, folder: str | None, *, poll_s: float | None) -> Ear:
    """The best way to listen to a source: events for a local folder that has them, else looks.

    Args:
        listing: for looks.
        folder: where the source is a folder of this machine, its path.
        poll_s: how often to look where somebody insists on looks; None for events where there are any.
    """
    from coldchain.hints.mounts import without_events
    from coldchain.hints.polling import Polling

    if poll_s is not None or folder is None:
        return Polling(listing, poll_s)
    if without_events(folder):
        return Polling(listing, None)
    from coldchain.hints.events import Events

    return Events(folder, lambda: Polling(listing, None))
