"""How does a store behave that takes its time?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from coldchain.errors import Unreliable
from coldchain.stores.base import Store
from coldchain.testing.wrapping import Call, Verb, WrappedStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stall:
    """A call that hangs: wait for ``reached``, do what shall happen meanwhile, then ``release``."""

    verb: Verb
    keys: frozenset[str] | None
    longest_s: float
    reached: threading.Event = field(default_factory=threading.Event)
    """Set as soon as a call hangs."""
    released: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Let all hanging calls go on, and no later one hang."""
        self.released.set()


class SlowStore(WrappedStore):
    """Any store, with a delay for each call and each byte, and with calls that hang until a test lets them go."""

    def __init__(
        self,
        inner: Store,
        *,
        per_call_s: float = 0.0,
        per_byte_s: float = 0.0,
        verbs: Collection[Verb] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Wrap a store.

        Args:
            inner: The store.
            per_call_s: Delay before each call.
            per_byte_s: Delay for each byte written or read.
            verbs: Which calls are slow; None for all.
            sleep: What waits; a test that gives its own has the seconds added up instead of waiting.
        """
        super().__init__(inner, self._wait)
        self._per_call_s, self._per_byte_s = per_call_s, per_byte_s
        self._verbs = verbs
        self._sleep = sleep
        self._stalls: list[Stall] = []

    def stall(self, verb: Verb, *, keys: Collection[str] | None = None, longest_s: float = 60.0) -> Stall:
        """Let calls hang until the returned stall is released; after ``longest_s`` they raise Unreliable."""
        stall = Stall(verb, None if keys is None else frozenset(keys), longest_s)
        self._stalls = [*self._stalls, stall]
        return stall

    def _wait(self, call: Call, deed: Callable[[], T], /) -> T:
        for stall in self._stalls:
            if stall.verb == call.verb and (stall.keys is None or call.key in stall.keys):
                self._hang(stall, call)
        slow = self._verbs is None or call.verb in self._verbs
        self._pause(slow, self._per_call_s + self._per_byte_s * call.size_bytes)
        result = deed()
        if isinstance(result, bytes | memoryview):
            self._pause(slow, self._per_byte_s * len(result))
        return result

    def _hang(self, stall: Stall, call: Call) -> None:
        stall.reached.set()
        if not stall.released.wait(stall.longest_s):
            raise Unreliable(f"{call.verb} hung for {stall.longest_s:g} s", url=self.url, key=call.key)

    def _pause(self, slow: bool, seconds: float) -> None:
        if slow and seconds > 0:
            self._sleep(seconds)
