"""Was this said already?"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_MOST = 10_000


class Once:
    """Says a sentence about a matter when it is another one than last time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: OrderedDict[str, str] = OrderedDict()

    def say(self, matter: str, sentence: str) -> None:
        """Say it, unless it was the last thing said of the matter."""
        if self._said.get(matter) == sentence:
            self._said.move_to_end(matter)
            return
        self._said[matter] = sentence
        while len(self._said) > _MOST:
            self._said.popitem(last=False)
        self._say(sentence)

    def over(self, matter: str, sentence: str) -> None:
        """Say that a matter is over, if it was one."""
        if self._said.pop(matter, None) is not None:
            self._say(sentence)

    def forget(self, matter: str) -> None:
        """The next sentence about it is news."""
        self._said.pop(matter, None)
