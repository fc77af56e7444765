"""How is a file of a share read, without standing in anybody's way?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from coldchain.errors import ChangedUnderway, NotAFile, StoreError, Unreliable
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.paths import entry_of
from coldchain.stores.smb.share import READING, Share
from coldchain.stores.smb.trouble import END_OF_FILE, SESSION_OVER, SHARING_VIOLATION, Lost

if TYPE_CHECKING:
    from coldchain.stores.smb.wire import Answer, Line, Sent

_AHEAD = 4
"""So many pieces of a large file are asked for at once."""
_FIRST_BYTES = 65536
"""What comes together with the answer to opening: it takes one credit, and most small files fit."""
_READ = m.READ_DATA | m.READ_ATTRIBUTES


class SmbReader:
    """One opened file.  It is shared with everybody: others may read, write, rename and delete it meanwhile."""

    def __init__(self, share: Share, key: str, *, past_cache: bool, use: str = READING) -> None:
        self._share, self._key, self._past_cache, self._use = share, key, past_cache, use
        self.how = "smb" if past_cache else "cached"
        self._file = b""
        self._first: bytes | None = None
        self._line: Line
        self.entry = self._open()

    # --- opening ---------------------------------------------------------------------------------------------------

    def _open(self, options: int = m.FILE | m.NOT_FOLLOWED) -> Entry:
        """Open, look and read the beginning, in one go."""
        share = self._share
        name = share.name(self._key)
        if self._past_cache:
            options |= m.UNBUFFERED

        def ask() -> list[Answer]:
            self._line = share.line(self._use)
            unbuffered = self._past_cache and self._line.reads_unbuffered
            return self._line.send(
                m.create(name, _READ, m.OPEN, options), m.facts(), m.read(0, _FIRST_BYTES, unbuffered=unbuffered)
            ).answers()

        opened, facts, first = share.again(self._key, ask, self._use)
        if opened.status:
            raise share.error(opened.status, self._key)
        self._file = m.opened(opened.body)
        if facts.status or first.status not in {0, END_OF_FILE}:
            self.close()
            raise share.error(facts.status or first.status, self._key)
        found = m.facts_of(facts.body)
        if found.attributes & m.IS_REPARSE and options & m.NOT_FOLLOWED:
            self._refuse_link()
            return self._open(options & ~m.NOT_FOLLOWED)
        self._first = b"" if first.status else m.content_of(first.body)
        return entry_of(self._key, found)

    def _refuse_link(self) -> None:
        """A link is not followed; what only looks like one (deduplicated files) is opened as what it shows."""
        try:
            answer = self._line.send(m.tag(self._file)).answers()[0]
        except Lost as error:
            raise Unreliable(str(error), url=self._share.url, key=self._key) from error
        self.close()
        if answer.status or m.tag_of(answer.body) & 0x20000000:
            raise NotAFile("a symbolic link stands there; links are not followed", url=self._share.url, key=self._key)

    # --- reading ---------------------------------------------------------------------------------------------------

    def chunks(self) -> Iterator[bytes | memoryview]:
        """Read to the end of the file as it then is; several pieces are under way at once."""
        first, self._first = self._first, None
        if first is not None and len(first) < _FIRST_BYTES and len(first) >= self.entry.size_bytes:
            if first:
                yield first
            return
        waiting: deque[tuple[int, Sent | None]] = deque()
        offset = 0
        try:
            while True:
                while len(waiting) < _AHEAD and (not waiting or offset <= self.entry.size_bytes):
                    waiting.append((offset, self._ask(offset, CHUNK_BYTES)))
                    offset += CHUNK_BYTES
                at, sent = waiting.popleft()
                chunk = self._take(at, sent, CHUNK_BYTES)
                if chunk:
                    yield chunk
                if len(chunk) < CHUNK_BYTES:
                    return
        finally:
            for _, sent in waiting:
                self._drop(sent)

    def piece(self, offset: int, length: int) -> bytes:
        """By position."""
        pieces = []
        while length > 0:
            wanted = min(length, CHUNK_BYTES)
            pieces.append(self._take(offset, self._ask(offset, wanted), wanted))
            if len(pieces[-1]) < wanted:
                break
            offset, length = offset + wanted, length - wanted
        return b"".join(pieces)

    def _ask(self, offset: int, length: int) -> Sent | None:
        """Ask for a range; None when the connection broke, which is noticed when the answer is taken."""
        unbuffered = self._past_cache and self._line.reads_unbuffered
        try:
            return self._line.send(m.read(offset, min(length, self._line.largest), self._file, unbuffered=unbuffered))
        except Lost:
            return None

    def _take(self, offset: int, sent: Sent | None, length: int) -> bytes:
        """The whole range, however little the server gives at once; shorter only at the end of the file."""
        content = self._answered(offset, sent, length)
        while content and len(content) < length:
            more = self._answered(offset + len(content), None, length - len(content), fresh=True)
            if not more:
                break
            content += more
        return content

    def _answered(self, offset: int, sent: Sent | None, length: int, *, fresh: bool = False) -> bytes:
        """What one request brings; after a broken connection the same file is opened anew, once."""
        if fresh:
            sent = self._ask(offset, length)
        for again in (True, False):
            try:
                if sent is None:
                    raise Lost("the connection to the server broke")
                answer = sent.answers()[0]
            except Lost as error:
                if not again:
                    raise Unreliable(str(error), url=self._share.url, key=self._key) from error
            else:
                if answer.status == END_OF_FILE:
                    return b""
                if not answer.status:
                    return m.content_of(answer.body)
                if answer.status not in SESSION_OVER or not again:
                    raise self._share.error(answer.status, self._key)
                self._line.close()
            self._open_again()
            sent = self._ask(offset, length)
        raise AssertionError("the second try ends in an answer or an error")

    def _open_again(self) -> None:
        """Go on with the very file that was opened, or not at all.  Others may have done so for this reader already."""
        if self._line.alive and self._line is self._share.line(self._use) and self._still_open():
            return
        entry = self._open()
        self._first = None
        if entry != self.entry:
            raise ChangedUnderway(
                "the connection broke, and it is another file now", url=self._share.url, key=self._key
            )

    def _still_open(self) -> bool:
        try:
            return self._line.send(m.facts(self._file)).answers()[0].status == 0
        except Lost:
            return False

    @staticmethod
    def _drop(sent: Sent | None) -> None:
        """Take answers that nobody wants any more, so that they are not kept."""
        if sent is not None:
            try:
                sent.answers()
            except Lost:
                return

    # --- looking ---------------------------------------------------------------------------------------------------

    def look_again(self) -> Entry:
        """The opened file, not the name."""
        for again in (True, False):
            try:
                answer = self._line.send(m.facts(self._file)).answers()[0]
            except Lost as error:
                if not again:
                    raise Unreliable(str(error), url=self._share.url, key=self._key) from error
            else:
                if not answer.status:
                    return entry_of(self._key, m.facts_of(answer.body))
                if answer.status not in SESSION_OVER or not again:
                    raise self._share.error(answer.status, self._key)
                self._line.close()
            self._open_again()
        raise AssertionError("the second try ends in an answer or an error")

    def being_written(self) -> bool:
        """Only where the configuration allows to ask, see ``has_writer``."""
        return self._share.where.ask_writers and has_writer(self._share, self._key)

    def close(self) -> None:
        """Let go; nobody waits for the server to say so."""
        file, self._file = self._file, b""
        if file and self._line.alive:
            self._line.forget(m.close(file))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def has_writer(share: Share, key: str) -> bool:
    """Open for a moment without letting others write: who has it open for writing makes that fail.

    A program that opens it for writing in that very moment is refused, so a configuration must ask for this (P18).
    """
    chain = (m.create(share.name(key), _READ, m.OPEN, m.FILE | m.NOT_FOLLOWED, m.SHARE_READERS), m.close())
    try:
        return share.attempt(key, *chain, use=READING)[0].status == SHARING_VIOLATION
    except StoreError:
        return False
