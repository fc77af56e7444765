"""How often is trouble borne that may pass, and how long is waited in between?"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from coldchain.errors import ChangedUnderway, FlushFailed, StoreError

T = TypeVar("T")
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 16.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is made again, and how the time in between is spent."""

    retries: int
    sleep: Callable[[float], None] = time.sleep
    share: Callable[[], float] = random.random
    """From 0 to 1; jitter keeps many workers from coming back at once."""

    def outlast(self, deed: Callable[[], T]) -> T:
        """Do a deed that can be done twice without harm; raises what its last try raised."""
        for tried in range(self.retries):
            try:
                return deed()
            except StoreError as error:
                if not passes(error):
                    raise
                self.wait(tried)
        return deed()

    def wait(self, tried: int) -> None:
        """Wait after so many earlier waits: each time up to twice as long."""
        waits: float = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**tried)
        self.sleep(waits * (0.5 + self.share() / 2))


def passes(error: StoreError) -> bool:
    """Whether the same request may succeed in a moment; that a file changed, or may not be durable, is a fact."""
    return error.temporary and not error.ends_store and not isinstance(error, ChangedUnderway | FlushFailed)
