"""How often is a request made that meets temporary trouble, and how long is waited in between?"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from coldchain.errors import StoreError
from coldchain.stores.away import AWAY_S

_T = TypeVar("_T")
_LONGEST_ASKED_S = 60.0


class Verdict(NamedTuple):
    """What an exception of a provider's library means."""

    error: StoreError
    again: bool = False
    """The same request may succeed in a moment."""
    asked_s: float = 0.0
    """How long the server asks to wait."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a request is tried, and how long is waited in between (with jitter)."""

    tries: int = 8
    first_wait_s: float = 0.25
    longest_wait_s: float = 16.0
    connect_s: float = 15.0
    """So long a connection may take ..."""
    read_s: float = 120.0
    """... and so long nothing may come: then the request counts as one whose link broke."""
    away_s: float = AWAY_S

    def keep_trying(self, deed: Callable[[], _T], judge: Callable[[Exception], Verdict]) -> _T:
        """Do it until it succeeds; raises the StoreError that ``judge`` makes of the last exception."""
        tried = 0
        while True:
            tried += 1
            try:
                return deed()
            except StoreError:
                raise
            except Exception as error:
                verdict = judge(error)
                if not verdict.again or tried >= self.tries:
                    raise verdict.error from error
            time.sleep(self.wait_s(tried, verdict.asked_s))

    def wait_s(self, tried: int, asked_s: float) -> float:
        """How long to wait after so many tries; the server's Retry-After counts, up to a minute."""
        # jitter keeps many workers from coming back at once; no secret hangs on it
        waits: float = min(self.longest_wait_s, self.first_wait_s * 2 ** (tried - 1))
        return max(waits * random.uniform(0.5, 1), min(asked_s, _LONGEST_ASKED_S))  # noqa: S311


PATIENT = Patience()
