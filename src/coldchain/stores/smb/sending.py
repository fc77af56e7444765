"""How does one file get to the share under a temporary name, durably?"""

from __future__ import annotations

import secrets
from collections import deque
from typing import TYPE_CHECKING

from coldchain.errors import FlushFailed, NotFound, Occupied, StoreError, Unreliable
from coldchain.model import Entry
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.paths import entry_of, filetime, parents
from coldchain.stores.smb.share import WRITING, Share
from coldchain.stores.smb.trouble import COLLISION, MISSING, NO_FLUSH, NO_FOLDER, NOT_A_FOLDER, NOT_IN_CHAIN, Lost

if TYPE_CHECKING:
    from coldchain.stores.smb.wire import Line, Sent

_SMALL_BYTES = 65536
"""Files up to this size go in one chain; each of its requests takes one credit."""
_WRITES_AT_ONCE = 16
_WRITE = m.WRITE_DATA | m.READ_ATTRIBUTES | m.WRITE_ATTRIBUTES
_MAKE = m.FILE | m.NOT_FOLLOWED


class Outgoing:
    """One file on its way: held while it is small, then written piece by piece; at the end made durable."""

    def __init__(self, share: Share, key: str, owner: str, entry: Entry) -> None:
        self._share, self.key, self._entry = share, key, entry
        folder, slash, _ = key.rpartition("/")
        self.temporary = f"{folder}{slash}{temporary_name(owner)}"
        self._wire_name = share.name(self.temporary, looking=False)
        self._held = bytearray()
        self._offset = 0
        self._line: Line | None = None
        self._file = b""
        self._writes: deque[tuple[Sent, int]] = deque()
        self._last: Sent | None = None
        self._facts: m.Facts | None = None
        """What the server said of the file when it was closed."""
        self._flush_at = -1
        """Which answer of the last chain is that to the flush."""
        self.failed: StoreError | None = None
        self.made = False
        """Whether there may be a temporary file."""

    # --- content ---------------------------------------------------------------------------------------------------

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece; it is copied, for it is valid only now."""
        self._held += chunk
        if len(self._held) > _SMALL_BYTES:
            self._begin()
            self._send_held()

    def _begin(self) -> None:
        if self._file:
            return
        self.made = True
        making = m.create(self._wire_name, _WRITE, m.NEW, _MAKE)
        try:
            self._line = self._share.line(WRITING)
            answer = self._line.send(making).answers()[0]
        except Lost as error:
            raise self._broken(error) from error
        if answer.status:
            raise self._share.error(answer.status, self.key)
        self._file = m.opened(answer.body)

    def _send_held(self) -> None:
        line = self._line
        if line is None:
            raise AssertionError("writing begins with opening")
        content, self._held = bytes(self._held), bytearray()
        step = line.largest
        for start in range(0, len(content), step):
            piece = content[start : start + step]
            while len(self._writes) >= _WRITES_AT_ONCE:
                self._take_write()
            try:
                self._writes.append((line.send(m.write(self._offset, piece, self._file)), len(piece)))
            except Lost as error:
                raise self._broken(error) from error
            self._offset += len(piece)

    def _take_write(self) -> None:
        sent, length = self._writes.popleft()
        try:
            answer = sent.answers()[0]
        except Lost as error:
            raise self._broken(error) from error
        if answer.status:
            raise self._share.error(answer.status, self.key)
        if m.written(answer.body) != length:
            raise Unreliable("the server took only a part of what it was sent", url=self._share.url, key=self.key)

    def _broken(self, error: Lost) -> StoreError:
        """What the handle held is in doubt, so the file is written again from its start."""
        self._file = b""
        return Unreliable(f"{error}; the file is written again", url=self._share.url, key=self.key)

    # --- the end ---------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Set the time, flush and close; a small file is made and written as well, all in one chain.

        Nobody waits for the flush here: the server works on those of many files at once.  See ``settled``.
        """
        share = self._share
        chain: list[m.Message] = []
        same = m.SAME_FILE
        if self._file:
            if self._held:
                self._send_held()
            while self._writes:
                self._take_write()
            same = self._file
        else:
            chain = [m.create(self._wire_name, _WRITE, m.NEW, _MAKE)]
            if self._held:
                chain.append(m.write(0, bytes(self._held)))
        chain.append(m.set_mtime(filetime(self._entry.mtime_ns), same))
        if share.flushes_in_chain:
            self._flush_at = len(chain)
            chain.append(m.flush(same))
        chain += [m.facts(same), m.close(same)]
        self.made = True
        try:
            line = self._line if self._file and self._line else share.line(WRITING)
            self._last = line.send(*chain)
        except Lost as error:
            raise self._broken(error) from error
        self._held = bytearray()
        share.started(self._last)

    def looks_like(self, found: Entry) -> bool:
        """Whether this is our file: a name is ours, after a lost answer, only when number, size and time are too."""
        ours = entry_of(self.key, self._facts) if self._facts else None
        return ours is not None and found[:3] == ours[:3] and found.inode == ours.inode

    def settled(self) -> None:
        """Wait until the file is whole and durable; what went wrong is kept in ``failed``."""
        last, self._last = self._last, None
        if last is None:
            return
        share = self._share
        try:
            answers = last.answers(share.patience.flush_s)
        except Lost as error:
            self.failed = FlushFailed(f"{error}; the file is written again", url=share.url, key=self.key)
            return
        finally:
            share.ended(last)
        if not answers[-2].status:
            self._facts = m.facts_of(answers[-2].body)
        for number, answer in enumerate(answers):
            if not answer.status:
                continue
            if self._flush_at < 0 or number < self._flush_at:
                self.failed = share.error(answer.status, self.key)
            elif answer.status in NOT_IN_CHAIN:
                share.flushes_in_chain = False
                self._flush_alone()
            else:  # a flush that failed is never tried again: the server may have dropped the bytes
                self.failed = self._unflushed(share.error(answer.status, self.key))
            return
        if self._flush_at < 0:
            self._flush_alone()

    def _flush_alone(self) -> None:
        """Samba before 4.17.4 cannot flush in the middle of a chain (its bug 15172)."""
        try:
            flush_file(self._share, self.temporary)
        except StoreError as error:
            self.failed = self._unflushed(error)

    def _unflushed(self, error: StoreError) -> StoreError:
        kind = type(error) if error.ends_store else FlushFailed
        return kind(f"the flush failed: {error.reason}", url=self._share.url, key=self.key)

    def forget(self) -> None:
        """Remove the temporary file, if there may be one."""
        self.settled()
        if self._file and self._line is not None and self._line.alive:
            self._line.forget(m.close(self._file))
        self._file = b""
        if self.made:
            chain = remover(self._share.name(self.temporary))
            self._share.attempt(self.key, *chain, use=WRITING)
            self.made = False


def temporary_name(owner: str) -> str:
    """A name that no other writer uses, and that ``SmbStore.is_leftover`` recognises by its owner."""
    return f".~{owner}-{secrets.token_hex(4)}.coldchain"


def remover(name: bytes) -> tuple[m.Message, ...]:
    """The chain that removes a file; a folder or what a link points to is never removed by it."""
    return m.create(name, m.DELETE | m.READ_ATTRIBUTES, m.OPEN, _MAKE), m.remove(), m.close()


def flush_file(share: Share, key: str) -> None:
    """Make durable what stands under a name; who may only read it has to take it as it is."""

    def flush(access: int) -> int:
        line = share.line(WRITING)
        opened = line.send(m.create(share.name(key), access, m.OPEN, _MAKE)).answers()[0]
        if opened.status:
            return opened.status
        handle = m.opened(opened.body)
        status = line.send(m.flush(handle)).answers(share.patience.flush_s)[0].status
        line.forget(m.close(handle))
        return status

    try:
        status = flush(m.WRITE_DATA | m.READ_ATTRIBUTES)
    except Lost as error:
        raise FlushFailed(str(error), url=share.url, key=key) from error
    if status in MISSING or status not in {0, *NO_FLUSH}:
        raise share.error(status, key)
    if status:  # it is there, but not ours to write
        share.ask(key, m.create(share.name(key), m.READ_ATTRIBUTES, m.OPEN, _MAKE), m.close())


def flush_folder(share: Share, folder: str) -> None:
    """Make the names in a folder durable ([MS-SMB2] 3.3.5.11 lets folders be flushed); not every server does."""
    if not share.flushes_folders:
        return
    try:
        line = share.line(WRITING)
        opening = m.create(share.name(folder), m.ADD_FILE | m.READ_ATTRIBUTES, m.OPEN, m.FOLDER)
        opened = line.send(opening).answers()[0]
        status = opened.status
        if not status:
            handle = m.opened(opened.body)
            status = line.send(m.flush(handle)).answers(share.patience.flush_s)[0].status
            line.forget(m.close(handle))
    except (Lost, StoreError) as error:
        raise FlushFailed(f"the flush of names failed: {error}", url=share.url) from error
    if status in NO_FLUSH:
        share.flushes_folders = False
    elif status:
        raise FlushFailed(f"the flush of names failed: {share.error(status, folder).reason}", url=share.url)


def make_folders(share: Share, key: str, known: set[str]) -> set[str]:
    """Make the folders above ``key``; returns those that were not known, which are to be flushed."""
    missing: list[str] = []
    for folder in parents(key):
        if folder in known:
            break
        missing.append(folder)
    met: set[str] = set()
    while missing:
        tried = next((n for n, folder in enumerate(missing) if _make_folder(share, folder, key)), None)
        if tried is None:
            raise NotFound("the share or the folder in it is gone", url=share.url, key=key)
        met.update(missing[tried:])
        missing = missing[:tried]
    known |= met
    return met


def _make_folder(share: Share, folder: str, key: str) -> bool:
    """Make one folder, or find it there; False when the one above it is missing."""
    name = share.name(folder, looking=False)
    making = m.create(name, m.READ_ATTRIBUTES, m.OPEN_OR_NEW, m.FOLDER)
    status = share.attempt(key, making, m.close(), use=WRITING)[0].status
    if status in {NOT_A_FOLDER, COLLISION}:
        raise Occupied("a file stands where a folder is needed", url=share.url, key=key)
    if status == NO_FOLDER:
        return False
    if status:
        raise share.error(status, key)
    return True
