"""When is it worth another try?"""

from __future__ import annotations

import random
from dataclasses import dataclass

FIRST_S = 1.0
LONGEST_S = 300.0
_JITTER = 0.25


@dataclass(slots=True)
class Backoff:
    """Waits that double, each a little different, so that many watchers do not knock at a server at one moment."""

    tries: int = 0
    due: float = 0.0
    """By the monotonic clock."""
    first_s: float = FIRST_S
    longest_s: float = LONGEST_S

    def failed(self, mono: float) -> None:
        """It did not work, at this moment of the monotonic clock."""
        wait_s = min(self.longest_s, self.first_s * 2.0 ** min(self.tries, 30))
        self.tries += 1
        self.due = mono + wait_s * (1 - _JITTER * random.random())  # noqa: S311 - nothing secret
