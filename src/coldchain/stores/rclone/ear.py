"""What did rclone say about the files that it left out of a listing?"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections import deque
from typing import IO, NamedTuple

from coldchain.errors import Unreliable
from coldchain.stores.rclone.trouble import scrubbed

_log = logging.getLogger(__name__)
_LEFT_OUT = re.compile(r"can't (follow (?P<link>symlink)|transfer non file)", re.IGNORECASE)
"""What the backend ``local`` says of them, as a NOTICE (backend/local/local.go, Storable; seen with 1.75.2)."""
MARK = "coldchain/"
"""Begins the orders that rclone does not know.  It logs each of them, so what it said before has arrived by then."""
_WAIT_S = 30.0


class LeftOut(NamedTuple):
    """Something that is there and that a listing does not show."""

    path: str
    """As the innermost remote calls it."""
    is_link: bool


class Ear:
    """The log of one rclone; thread-safe."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        """Held by whoever lists: lines of the log do not say which listing they belong to."""
        self._said: deque[str] = deque(maxlen=20)
        self._left_out: dict[str, LeftOut] = {}
        self._mark = ""
        self._over = False
        self._news = threading.Condition()

    def last_words(self) -> str:
        """The last line of the log."""
        return self._said[-1] if self._said else "it said nothing"

    def forget(self) -> None:
        """Begin to collect anew."""
        with self._news:
            self._left_out.clear()
            self._mark = ""

    def left_out(self, mark: str) -> list[LeftOut]:
        """What was left out until rclone met the order ``mark``; raises Unreliable when it does not come."""
        until = time.monotonic() + _WAIT_S
        with self._news:
            while not self._over and self._mark != mark and time.monotonic() < until:
                self._news.wait(1)
            if self._mark != mark:
                raise Unreliable("rclone does not say what it left out of a listing")
            return list(self._left_out.values())

    def listen(self, stream: IO[bytes]) -> None:
        """Take in the log until it ends; for a thread of its own."""
        with stream:
            for line in stream:
                self._hear(line)
        with self._news:
            self._over = True
            self._news.notify_all()

    def _hear(self, line: bytes) -> None:
        try:
            facts = json.loads(line)
            message, about = str(facts["msg"]), str(facts.get("object", ""))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            message, about = line.decode(errors="replace").strip(), ""
        if MARK in message:
            with self._news:
                self._mark = message.partition(f'"{MARK}')[2].partition('"')[0]
                self._news.notify_all()
            return
        if about and (found := _LEFT_OUT.match(message)):
            with self._news:
                self._left_out[about] = LeftOut(about, found["link"] is not None)
        self._said.append(scrubbed(message))
        _log.debug("rclone: %s", self._said[-1])
