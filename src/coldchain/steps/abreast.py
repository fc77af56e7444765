"""How do several destinations take the same read without waiting for the slowest of them?

Each lane works in a thread of its own, fed through a short queue.  A lane that makes the batch take more than three
times as long as the others need, and at least ``patience_s`` longer, drops out: what it was doing is taken back, and
its files get a read of their own later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from threading import Event, Thread

from coldchain.model import Digest, Entry, Outcome, Target
from coldchain.steps.lane import Lane

PATIENCE_S = 10.0
_SHARE = 2 / 3
_QUEUED = 16
"""Pieces of content, or steps, that may wait for a lane: at most 16 MiB."""
_LOOK_S = 0.5


class LaneThread:
    """A lane in a thread; has the same verbs, and ``settle`` in two halves."""

    def __init__(self, lane: Lane, patience_s: float | None, done: Callable[[], None]) -> None:
        """``done`` is called in the thread when it needs its store no more, which may be long after it dropped out."""
        self.name = lane.name
        self._done = done
        self.lane = lane
        self._patience_s = patience_s
        self._begun = time.monotonic()
        self._waited_s = 0.0
        self._dropped = Event()
        self._outcomes: list[Outcome] = []
        self._error: BaseException | None = None
        self._queue: Queue[Callable[[], None] | None] = Queue(_QUEUED)
        self._thread = Thread(target=self._work, name=f"coldchain-{lane.name}", daemon=True)
        self._thread.start()

    def begin(self, entry: Entry, target: Target) -> None:
        """See ``Lane.begin``."""
        self._put(lambda: self.lane.begin(entry, target))

    def take(self, chunk: bytes | memoryview) -> None:
        """See ``Lane.take``; the piece is copied if the reader would reuse it."""
        piece = bytes(chunk)
        self._put(lambda: self.lane.take(piece))

    def finish(self, digest: Digest) -> None:
        """See ``Lane.finish``."""
        self._put(lambda: self.lane.finish(digest))

    def cancel(self) -> None:
        """See ``Lane.cancel``."""
        self._put(self.lane.cancel)

    def begin_to_settle(self) -> None:
        """Let the lane settle while the others do the same."""
        self._put(None)

    def settle(self) -> list[Outcome] | None:
        """Wait for the outcomes; None when the lane dropped out."""
        self._wait(self._joined)
        if self._error is not None:
            raise self._error
        return None if self._dropped.is_set() else self._outcomes

    def close(self) -> None:
        """Let the lane take back what was not settled, if it did not settle."""
        if self._thread.is_alive():
            self._dropped.set()
            with suppress(Full):
                self._queue.put_nowait(None)

    def _joined(self) -> bool:
        self._thread.join(_LOOK_S)
        return not self._thread.is_alive()

    def _put(self, step: Callable[[], None] | None) -> None:
        def put() -> bool:
            try:
                self._queue.put(step, timeout=_LOOK_S)
            except Full:
                return False
            return True

        self._wait(put)

    def _wait(self, attempt: Callable[[], bool]) -> None:
        if self._dropped.is_set():
            return
        begun = time.monotonic()
        while not attempt():
            now = time.monotonic()
            waited_s, elapsed_s = self._waited_s + now - begun, now - self._begun
            if self._patience_s is not None and waited_s > max(self._patience_s, _SHARE * elapsed_s):
                self._dropped.set()
                break
        self._waited_s += time.monotonic() - begun

    def _work(self) -> None:
        step: Callable[[], None] | None = self._nothing
        try:
            while step is not None and not self._dropped.is_set():
                step()
                step = self._queue.get()
            if self._dropped.is_set():
                self.lane.cancel()
            else:
                self._outcomes = self.lane.settle()
        except BaseException as error:  # handed to the reader, who raises it
            self._error = error
            while step is not None and not self._dropped.is_set():
                step = self._queue.get()
        finally:
            self.lane.close()
            self._done()

    def _nothing(self) -> None:
        """The step before the first."""
