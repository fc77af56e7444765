"""How is a share asked, also after the server dropped the connection?"""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from coldchain.errors import ConfigurationError, NotFound, StoreError, StoreGone, Unreliable
from coldchain.stores.away import Away
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.credentials import login
from coldchain.stores.smb.paths import looking_name, wire_name
from coldchain.stores.smb.trouble import AGAIN, SESSION_OVER, Broken, Lost, Refused, translate
from coldchain.stores.smb.where import Patience, Where

if TYPE_CHECKING:
    from coldchain.stores.smb.wire import Answer, Line, Sent

READING, WRITING = "reading", "writing"


class Share:
    """The connections to one place, shared by all stores that have it open; thread-safe.

    There are two of them, made when they are needed: Samba refuses to rename a file over one that is open on the same
    connection (``rename_internals_fsp``), and readers must not stand in the way of those who replace.
    """

    def __init__(self, where: Where, patience: Patience) -> None:
        self.where, self.patience, self.url = where, patience, where.url
        self.flushes_in_chain = self.flushes_folders = True
        """Until a server is seen that does not."""
        self._lines: dict[str, Line] = {}
        self._away = Away(patience.gone_s)
        self._lock = threading.Lock()
        self._on_the_way: set[Sent] = set()

    # --- connecting ------------------------------------------------------------------------------------------------

    def line(self, use: str) -> Line:
        """The connection for reading or for writing; a broken one is made anew.  Raises StoreGone, NotFound."""
        with self._lock:
            line = self._lines.get(use)
            if line is None or not line.alive:
                line = self._lines[use] = self._dial_unless_gone()
            return line

    def _dial_unless_gone(self) -> Line:
        self._away.recall()
        try:
            line = self._dial_patiently()
        except StoreError as error:
            self._away.remember(error)
            raise
        self._away.forget()
        return line

    def _dial_patiently(self) -> Line:
        """Once more where the connection broke, and while the server has too much to do.

        One that was just started lets nobody in for a moment.
        """
        tried = 1
        while True:
            try:
                return self._dial()
            except Lost as error:
                if not isinstance(error, Broken) or tried >= self.patience.tries:
                    raise StoreGone(str(error), url=self.url) from error
            except Refused as error:
                if error.status not in AGAIN or tried >= self.patience.tries:
                    found = translate(error.status, url=self.url, key="")
                    known = found.ends_store or isinstance(found, NotFound)
                    raise (found if known else StoreGone(found.reason, url=self.url)) from error
            self.wait(tried)
            tried += 1

    def _dial(self) -> Line:
        try:
            wire = import_module("coldchain.stores.smb.wire")
        except ImportError:
            raise ConfigurationError('smb:// needs a package: pip install "coldchain[smb]"') from None
        line: Line = wire.Line(self.where, login(self.where), self.patience)
        return line

    def close(self) -> None:
        """Hang up; what is asked next connects anew."""
        with self._lock:
            lines = list(self._lines.values())
            self._lines.clear()
        for line in lines:
            line.close()

    # --- asking ----------------------------------------------------------------------------------------------------

    def name(self, key: str, *, looking: bool = True) -> bytes:
        """The name on the wire; raises NotFound when only looking, else NameRefused."""
        where = self.where
        root = where.root
        if prefix := self.line(READING if looking else WRITING).dfs_prefix:
            root = f"{prefix}\\{root}".rstrip("\\")
        return (looking_name if looking else wire_name)(root, key, url=self.url)

    def ask(self, key: str, *chain: m.Message, use: str = READING) -> list[Answer]:
        """Ask what may be asked twice: by name, in one chain; the first answer is a success.

        Signs in anew once when the connection broke, and waits where the server has too much to do.
        """
        answers = self.attempt(key, *chain, use=use)
        if answers[0].status:
            raise translate(answers[0].status, url=self.url, key=key)
        return answers

    def attempt(self, key: str, *chain: m.Message, use: str = READING) -> list[Answer]:
        """The same, but every status is left to the caller."""
        return self.again(key, lambda: self.line(use).send(*chain).answers(), use)

    def again(self, key: str, deed: Callable[[], list[Answer]], use: str) -> list[Answer]:
        """Do it once more where that can help."""
        redialled = False
        for tried in range(1, self.patience.tries + 1):
            try:
                answers = deed()
            except Lost as error:
                if redialled:
                    raise Unreliable(str(error), url=self.url, key=key) from error
                redialled = True
                continue
            status = next((answer.status for answer in answers if answer.status), 0)
            if status in SESSION_OVER and not redialled:
                redialled = True
                self.line(use).close()
            elif status in AGAIN and tried < self.patience.tries:
                self.wait(tried)
            else:
                return answers
        raise Unreliable("the server does not do what it is asked, also after several tries", url=self.url, key=key)

    def wait(self, tried: int) -> None:
        """Wait longer each time, and not as long as others; no secret hangs on the chance."""
        wait_s: float = min(self.patience.longest_wait_s, self.patience.first_wait_s * 2 ** (tried - 1))
        time.sleep(wait_s * random.uniform(0.5, 1))  # noqa: S311

    def error(self, status: int, key: str) -> StoreError:
        """The error of the tree for a status."""
        return translate(status, url=self.url, key=key)

    # --- what is on its way ----------------------------------------------------------------------------------------

    def started(self, sent: Sent) -> None:
        """Note a file that was closed and whose answers nobody has waited for yet."""
        with self._lock:
            self._on_the_way.add(sent)

    def ended(self, sent: Sent) -> None:
        """Forget it."""
        with self._lock:
            self._on_the_way.discard(sent)

    def settled(self) -> None:
        """Wait until what was closed is there, so that a listing on the other connection shows it."""
        with self._lock:
            waiting = list(self._on_the_way)
        for sent in waiting:
            sent.wait()


# A run opens a place anew for every batch.  Whoever still has it open lends the others its connections.
_open: weakref.WeakValueDictionary[tuple[Where, Patience], Share] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def share_of(where: Where, patience: Patience) -> Share:
    """The share that somebody has open already, or a new one; asks the server nothing."""
    with _opening:
        share = _open.get((where, patience))
        if share is None:
            share = _open[where, patience] = Share(where, patience)
            weakref.finalize(share, _hang_up, share._lines)
        return share


def _hang_up(lines: dict[str, Line]) -> None:
    for line in list(lines.values()):
        line.close()
