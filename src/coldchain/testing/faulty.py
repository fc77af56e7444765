"""How does a store behave whose calls fail?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from coldchain.errors import StoreError, Unreliable
from coldchain.stores.base import Store
from coldchain.testing.wrapping import Call, Verb, WrappedStore

T = TypeVar("T")


@dataclass(slots=True)
class _Fault:
    verb: Verb
    error: type[StoreError]
    nth: int
    forever: bool
    keys: frozenset[str] | None
    done_first: bool = False
    seen: int = 0

    def strikes(self, call: Call) -> bool:
        """Count a call that fits, and say whether it is the one that fails."""
        if call.verb != self.verb or (self.keys is not None and call.key not in self.keys):
            return False
        self.seen += 1
        return self.seen == self.nth or (self.forever and self.seen > self.nth)


class FaultyStore(WrappedStore):
    """Any store, whose chosen calls raise; ``calls`` is every call that came, in order."""

    def __init__(self, inner: Store) -> None:
        """Wrap a store; without a fault it behaves as the store does."""
        super().__init__(inner, self._strike)
        self.calls: list[Call] = []
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()

    def fail(
        self,
        verb: Verb,
        error: type[StoreError],
        *,
        nth: int = 1,
        forever: bool = False,
        keys: Collection[str] | None = None,
    ) -> None:
        """Let the n-th call from now on raise, without anything being done.

        Args:
            verb: Which calls; an error at ``publish.key`` becomes the result of that key.
            error: What is raised, with the URL and the key of the call.
            nth: Which of the calls that fit, counted from 1.
            forever: Let all later ones fail too.
            keys: Only calls with one of these keys fit; None for all.
        """
        self._add(_Fault(verb, error, nth, forever, None if keys is None else frozenset(keys)))

    def lose_reply(
        self,
        verb: Verb,
        error: type[StoreError] = Unreliable,
        *,
        nth: int = 1,
        forever: bool = False,
        keys: Collection[str] | None = None,
    ) -> None:
        """Let the n-th call be done, and raise all the same: what a connection does that breaks too late."""
        self._add(_Fault(verb, error, nth, forever, None if keys is None else frozenset(keys), done_first=True))

    def heal(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def _add(self, fault: _Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def _strike(self, call: Call, deed: Callable[[], T], /) -> T:
        with self._lock:
            self.calls.append(call)
            struck = [fault for fault in self._faults if fault.strikes(call)]
        if not struck:
            return deed()
        fault = struck[0]
        if fault.done_first:
            deed()
        reason = f"FaultyStore plays {fault.error.__name__} at {call.verb}"
        raise fault.error(reason, url=self.url, key=call.key)
