"""Must each of 100,000 files wait for a server that was not there a moment ago?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from coldchain.errors import StoreError, StoreGone

T = TypeVar("T")
AWAY_S = 5.0
"""So long a server that could not be reached is left alone; whoever asks meanwhile hears why at once."""
_WAITED_S = 0.5


class Away:
    """Remembers why a server could not be reached; thread-safe.

    Without it a run whose server is switched off would be patient with each file anew: minutes, times the number of
    files.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._found: tuple[StoreError, float] | None = None
        self._answered = 0.0

    def ask(self, deed: Callable[[], T]) -> T:
        """Do it, unless the server was away a moment ago; what was long waited for in vain is remembered.

        What a server refuses at once, as a password, is its answer: nobody has waited for that.  Nor is one away that
        has served somebody else meanwhile.
        """
        self.recall()
        begun = time.monotonic()
        try:
            answer = deed()
        except StoreGone as error:
            if time.monotonic() - begun >= min(_WAITED_S, self._seconds) and self._answered < begun:
                self.remember(error)
            raise
        self.forget()
        return answer

    def recall(self) -> None:
        """Raise it once more, while it is fresh."""
        if (found := self._found) is not None and time.monotonic() - found[1] < self._seconds:
            raise type(found[0])(found[0].reason, url=found[0].url)

    def remember(self, error: StoreError) -> None:
        """Begin to leave the server alone."""
        self._found = type(error)(error.reason, url=error.url), time.monotonic()

    def forget(self) -> None:
        """It is there, whatever others have just heard."""
        self._found, self._answered = None, time.monotonic()
