"""What does a store hold after a power cut?

A name that was published before its bytes were flushed comes back empty or not at all, which is what ext4 did to 34
of 40 files that other programs had reported as copied.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from coldchain.errors import NotFound, StoreError, StoreGone
from coldchain.model import Entry
from coldchain.stores.base import Staging, Store
from coldchain.testing.wrapping import Call, WrappedStaging, WrappedStore

T = TypeVar("T")


class ForgetfulStore(WrappedStore):
    """Any store, of which ``power_cut`` takes away what was not made durable."""

    def __init__(self, inner: Store, *, leaves_empty: bool = False, flush_lies: bool = False) -> None:
        """Wrap a store.

        Args:
            inner: The store.
            leaves_empty: Files that were not flushed come back with their name and time but empty (ext4), instead of
                not at all.
            flush_lies: ``flush`` reports success and makes nothing durable, as disks do that ignore it.
        """
        super().__init__(inner, self._straight)
        self.flush_lies = flush_lies
        self.boots = 0
        """How often the power was cut."""
        self._leaves_empty = leaves_empty
        self._at_risk: set[str] = set()
        self._lock = threading.Lock()

    def stage(self, owner: str = "") -> Staging:
        """Begin to write; the staging is dead after a power cut."""
        return _ForgetfulStaging(self.inner.stage(owner), self)

    def delete(self, key: str) -> None:
        """Remove one file, durably."""
        super().delete(key)
        self.mark({key}, at_risk=False)

    def power_cut(self) -> list[str]:
        """Cut the power and start again: say which keys lost their content, ascending.

        What was staged and not published is left behind as a killed run leaves it.  Everything else stays usable.
        """
        with self._lock:
            self.boots += 1
            lost, self._at_risk = sorted(self._at_risk), set()
        for key in lost:
            try:
                found = self.inner.stat(key)
            except NotFound:
                continue
            if self._leaves_empty:
                _empty(self.inner, found)
            else:
                self.inner.delete(key)
        return lost

    def mark(self, keys: set[str], *, at_risk: bool) -> None:
        """Say which files would not survive; a test may so mark what somebody else wrote a moment ago."""
        with self._lock:
            self._at_risk = self._at_risk | keys if at_risk else self._at_risk - keys

    def _straight(self, _call: Call, deed: Callable[[], T], /) -> T:
        return deed()


class _ForgetfulStaging(WrappedStaging):
    def __init__(self, inner: Staging, store: ForgetfulStore) -> None:
        super().__init__(inner, self._watch)
        self._store = store
        self._boot = store.boots
        self._volatile: set[str] = set()
        self._published: set[str] = set()
        self._settling: set[str] = set()

    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        """Publish, and remember which names have bytes that were not flushed."""
        results = super().publish(keys)
        appeared = {key for key, result in results.items() if isinstance(result, Entry)}
        self._store.mark(appeared - self._volatile, at_risk=False)
        self._store.mark(appeared & self._volatile, at_risk=True)
        self._published |= appeared & self._volatile
        return results

    def _watch(self, call: Call, deed: Callable[[], T], /) -> T:
        if self._boot != self._store.boots:
            raise StoreGone("the power was cut", url=self._store.url, key=call.key)
        result = deed()
        if call.verb == "sink.close":
            self._volatile.add(call.key)
        elif call.verb == "staging.settle":
            self._settling.add(call.key)
        elif call.verb == "staging.flush" and not self._store.flush_lies:
            self._store.mark(self._published | self._settling, at_risk=False)
            self._volatile, self._published, self._settling = set(), set(), set()
        return result


def _empty(store: Store, found: Entry) -> None:
    staging = store.stage()
    staging.open(found.path, found).close()
    staging.flush()
    result = staging.publish({found.path: found})[found.path]
    staging.close()
    if isinstance(result, StoreError):
        raise result
