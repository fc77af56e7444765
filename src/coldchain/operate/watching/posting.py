"""Who sends messages while a watcher carries?

A mail server may take half a minute to say nothing, so they are sent in a thread of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread

from coldchain.operate.watching.once import Once

_EVERY_S = 30.0
_LAST_S = 3.0
"""Whoever asked the watcher to end does not wait for a mail server; the rest goes with the next one."""


class Posting:
    """Sends what is due, now and then and after each look; nothing that becomes of it ends a watcher."""

    def __init__(self, post: Callable[[], None], once: Once) -> None:
        """``post`` sends what is due, and is called in one thread at a time; ``once`` hears what went wrong."""
        self._post, self._once = post, once
        self._thread: Thread | None = None
        self._due = 0.0
        self._why = ""

    def soon(self) -> None:
        """Something new may be in the spool."""
        self._due = 0.0

    def go_on(self) -> None:
        """Begin to send when it is time and nobody does; returns at once."""
        if self._is_sending() or time.monotonic() < self._due:
            return
        if self._why:
            self._once.say("post", self._why)
        else:
            self._once.forget("post")
        self._due = time.monotonic() + _EVERY_S
        self._thread = Thread(target=self._send, name="posting", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Send what was spooled last; returns after three seconds at most."""
        ends = time.monotonic() + _LAST_S
        self._wait_until(ends)
        self.go_on()
        self._wait_until(ends)

    def _is_sending(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _wait_until(self, ends: float) -> None:
        if self._thread is not None:
            self._thread.join(max(0.0, ends - time.monotonic()))

    def _send(self) -> None:
        try:
            self._post()
            self._why = ""
        except Exception as error:
            self._why = f"messages could not be sent: {type(error).__name__}: {error}"
