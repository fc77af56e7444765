"""How does a temporary file get its name, so that nobody's file is lost, also when the answer is?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coldchain.errors import Denied, NotFound, Occupied, StoreError, Unreliable
from coldchain.model import Entry
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.looking import look
from coldchain.stores.smb.paths import entry_of
from coldchain.stores.smb.share import WRITING, Share
from coldchain.stores.smb.trouble import (
    ACCESS_DENIED,
    AGAIN,
    IS_A_FOLDER,
    MISSING,
    SESSION_OVER,
    SHARING_VIOLATION,
    Lost,
)

if TYPE_CHECKING:
    from coldchain.stores.smb.sending import Outgoing
    from coldchain.stores.smb.wire import Answer, Sent

_OPTIONS = m.FILE | m.NOT_FOLLOWED


class Renaming:
    """One rename under way; the server does it at once or not at all ([MS-FSCC] 2.4.37.2)."""

    def __init__(self, share: Share, outgoing: Outgoing, *, replace: bool) -> None:
        """Send it; ``replace`` lets the server put it in the place of what stands there."""
        self._share, self._outgoing, self._replace = share, outgoing, replace
        self._temporary, self._key = outgoing.temporary, outgoing.key
        self._sent = self._send()

    def _send(self) -> Sent | None:
        share = self._share
        renaming = m.rename(share.name(self._key, looking=False), replace=self._replace)
        opening = m.create(share.name(self._temporary), m.DELETE | m.READ_ATTRIBUTES, m.OPEN, _OPTIONS)
        try:
            return share.line(WRITING).send(opening, renaming, m.facts(), m.close())
        except Lost:
            return None

    def result(self) -> Entry:
        """What now stands under the name; raises Occupied, NameRefused and the other StoreErrors."""
        for tried in range(1, self._share.patience.tries + 1):
            try:
                answers = self._answers()
            except Lost as error:
                if found := self._look_after_loss(error):
                    return found
            else:
                opened, renamed, facts, _ = answers
                status = opened.status or renamed.status
                if not status:
                    if not facts.status:
                        return entry_of(self._key, m.facts_of(facts.body))
                    return look(self._share, self._key, WRITING)
                if status in SESSION_OVER:
                    self._share.line(WRITING).close()
                elif not self._worth_waiting(status) or tried == self._share.patience.tries:
                    raise self._refusal(status, of_rename=not opened.status)
                self._share.wait(tried)
            self._sent = self._send()
        raise Unreliable("the server does not give the name", url=self._share.url, key=self._key)

    def _answers(self) -> list[Answer]:
        if self._sent is None:
            raise Lost("the connection to the server broke")
        return self._sent.answers()

    def _look_after_loss(self, lost: Lost) -> Entry | None:
        """The answer was lost: when the temporary name is gone and our file has the new one, it was done."""
        share = self._share
        try:
            look(share, self._temporary, WRITING)
        except NotFound:
            try:
                found = look(share, self._key, WRITING)
            except NotFound:
                found = None
            if found is None or not self._outgoing.looks_like(found):
                raise Unreliable(f"{lost}; the file is written again", url=share.url, key=self._key) from lost
            return found
        return None

    def _worth_waiting(self, status: int) -> bool:
        """Windows denies replacing a file that somebody has open; readers are gone in a moment."""
        return status in AGAIN or (self._replace and status in {SHARING_VIOLATION, ACCESS_DENIED})

    def _refusal(self, status: int, *, of_rename: bool) -> StoreError:
        share = self._share
        if of_rename and status == IS_A_FOLDER:
            return Occupied("a folder stands here", url=share.url, key=self._key)
        if of_rename and status in MISSING:
            return Unreliable("the folder went away; the file is written again", url=share.url, key=self._key)
        if of_rename and status == ACCESS_DENIED and self._replace:
            return Denied(
                "the server lets nobody replace it: no right, or somebody has it open", url=share.url, key=self._key
            )
        return share.error(status, self._key)
