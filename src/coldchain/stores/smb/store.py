"""How is a folder of a share a store?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from coldchain.errors import NotAFile, NotFound, Occupied, StoreError, StoreGone
from coldchain.model import Entry, Oddity, Secret
from coldchain.stores.base import Traits
from coldchain.stores.names import NameRules
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.listing import folders_in, listed
from coldchain.stores.smb.looking import look
from coldchain.stores.smb.reading import SmbReader, has_writer
from coldchain.stores.smb.sending import flush_folder, remover
from coldchain.stores.smb.share import READING, WRITING, Share, share_of
from coldchain.stores.smb.staging import SmbStaging
from coldchain.stores.smb.where import PATIENT, Patience, patience_of, where

_LEFTOVER = re.compile(r"\.~([0-9a-z]*)-[0-9a-f]{8}\.coldchain")
_TRAITS = Traits(mtime_step_ns=100, stable_inodes=True)


class SmbStore:
    """A folder of a share of a Windows or Samba server."""

    def __init__(
        self,
        url: str,
        *,
        options: Mapping[str, str] | None = None,
        patience: Patience = PATIENT,
        secret: Secret | None = None,
    ) -> None:
        """Name the place; nothing is asked and no package imported until it is used.

        Args:
            url: ``smb://[user@]server[:port]/share/folder``.
            options: See docs/stores/smb.md; raises ConfigurationError for others.
            patience: How long answers are waited for, where the options do not say it.
            secret: The password that stood in the URL; goes before all other means.
        """
        self._where = replace(where(url, options or {}), secret=secret)
        self.url = self._where.url
        self._patience = patience_of(options or {}, patience)
        self._opened: Share | None = None

    @property
    def traits(self) -> Traits:
        """Times in steps of 100 ns; the number of a file stays with it on NTFS, ReFS and Samba."""
        return _TRAITS

    @property
    def _share(self) -> Share:
        share = self._opened
        if share is None:
            share = self._opened = share_of(self._where, self._patience)
        return share

    @property
    def agreed(self) -> str:
        """Dialect and protection of the connection, in words."""
        return self._share.line(READING).agreed

    # --- looking ---------------------------------------------------------------------------------------------------

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Walk one folder at a time."""
        self._share.settled()
        yield from listed(self._share, prefix, without)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The folders directly below ``prefix``."""
        self._share.settled()
        yield from folders_in(self._share, prefix)

    def stat(self, key: str) -> Entry:
        """Look at one name."""
        return look(self._share, key)

    def read(self, key: str, *, past_cache: bool = False) -> SmbReader:
        """Open a file, shared with everybody."""
        try:
            return SmbReader(self._share, key, past_cache=past_cache)
        except Occupied as error:  # a file stands where a folder would have to be: nothing stands below it
            raise NotFound("not there", url=self.url, key=key) from error

    def busy(self, key: str) -> str:
        """Only where the configuration allows to ask: asking can get in the way of the instrument (P18)."""
        if self._where.ask_writers and has_writer(self._share, key):
            return "still being written (a program has it open on the share)"
        return ""

    # --- writing ---------------------------------------------------------------------------------------------------

    def stage(self, owner: str = "") -> SmbStaging:
        """Begin to write."""
        return SmbStaging(self._share, owner)

    def delete(self, key: str) -> None:
        """Remove one file, and make that durable."""
        share = self._share
        opened, removed, _ = share.attempt(key, *remover(share.name(key)), use=WRITING)
        if status := opened.status or removed.status:
            error = share.error(status, key)
            raise NotFound("not there", url=self.url, key=key) if isinstance(error, Occupied) else error
        flush_folder(share, key.rpartition("/")[0])

    def is_leftover(self, key: str, owner: str) -> bool:
        """Temporary names carry their owner."""
        match = _LEFTOVER.fullmatch(key.rpartition("/")[2])
        return match is not None and match[1] == owner

    def probe_names(self) -> NameRules:
        """See ``smb.probe``."""
        from coldchain.stores.smb.probe import probe_names  # needed by init and doctor only

        return probe_names(self._share)

    # --- the place -------------------------------------------------------------------------------------------------

    def _root(self) -> m.Message:
        return m.create(self._share.name(""), m.READ_ATTRIBUTES, m.OPEN, m.FOLDER)

    def volume(self) -> str:
        """Serial number and label of the volume, and the name of the share; raises NotFound when it is not there.

        The server is not in it: it may be reached by several names.  Samba's serial number is made of the names of
        server and share unless its configuration sets one.
        """
        try:
            answers = self._share.ask("", self._root(), m.volume(), m.close())
        except Occupied:
            raise NotAFile("not a folder", url=self.url) from None
        if answers[1].status:
            raise self._share.error(answers[1].status, "")
        serial, label = m.volume_of(answers[1].body)
        return f"smb:{serial:08x}:{label}:{self._where.share.lower()}"

    def free_bytes(self) -> int | None:
        """What is left for this user; quotas count where the server says so."""
        try:
            answers = self._share.ask("", self._root(), m.room(), m.close())
        except StoreError:
            return None
        return None if answers[1].status else m.room_of(answers[1].body)

    def make(self) -> None:
        """Make the folder itself; the one above it must be there."""
        share = self._share
        making = m.create(share.name("", looking=False), m.READ_ATTRIBUTES, m.OPEN_OR_NEW, m.FOLDER)
        try:
            share.ask("", making, m.close(), use=WRITING)
        except NotFound as error:
            raise StoreGone("cannot make the folder: the one above it is not there", url=self.url) from error
        except Occupied as error:
            raise StoreGone("cannot make the folder: a file stands there", url=self.url) from error

    def close(self) -> None:
        """Let go of the connections, unless somebody else has the same place open."""
        self._opened = None
