"""How is a folder on an SSH server a store?"""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from coldchain.errors import ConfigurationError, NotAFile, NotFound, StoreError, StoreGone
from coldchain.model import Entry, Oddity, Secret
from coldchain.stores.base import Traits
from coldchain.stores.names import NameRules
from coldchain.stores.sftp.where import PATIENT, Patience, patience_of, where

if TYPE_CHECKING:
    from coldchain.stores.sftp.channel import Channel
    from coldchain.stores.sftp.line import Line
    from coldchain.stores.sftp.looking import Ways
    from coldchain.stores.sftp.reading import SftpReader
    from coldchain.stores.sftp.staging import SftpStaging

_TRAITS = Traits(mtime_step_ns=1_000_000_000)
_LEFTOVER = re.compile(r"\.~([0-9a-z]*)-[0-9a-f]{8}\.coldchain")


class SftpStore:
    """Files below one folder of a server; implements ``coldchain.stores.base.Store``."""

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
            url: ``sftp://user@host:port/folder``, or ``/~/folder`` for one in the user's home.
            options: See docs/stores/sftp.md; raises ConfigurationError for others.
            patience: How long is waited for what, where the options do not say it.
            secret: The password that stood in the URL; goes before all other means.
        """
        self._where = replace(where(url, options or {}), secret=secret)
        self.url = self._where.url
        self._patience = patience_of(options or {}, patience)
        self._opened: tuple[Line, Ways] | None = None

    @property
    def traits(self) -> Traits:
        """The protocol shows whole seconds, no inode and no ctime, and has no checksums."""
        return _TRAITS

    def _open(self) -> tuple[Line, Ways]:
        opened = self._opened
        if opened is None:
            try:
                import asyncssh  # noqa: F401
            except ImportError:
                raise ConfigurationError('sftp:// needs packages: pip install "coldchain[sftp]"') from None
            from coldchain.stores.sftp.line import line_to
            from coldchain.stores.sftp.looking import Ways

            opened = self._opened = line_to(self._where, self._patience), Ways(self.url)
        return opened

    # --- the place itself ------------------------------------------------------------------------------------------

    def volume(self) -> str:
        """Name the server's key, the file system and the folder; raises NotFound when the folder is not there."""
        line, _ = self._open()

        async def deed(channel: Channel) -> str:
            from coldchain.stores.sftp.place import volume_of

            return await volume_of(channel, self.url)

        return line.call(deed)

    def free_bytes(self) -> int | None:
        """Room left for this account, None where the server does not say."""
        from coldchain.stores.sftp.place import free_bytes

        try:
            return self._open()[0].call(free_bytes)
        except StoreError:
            return None

    def probe_names(self) -> NameRules:
        """See ``sftp.probe``."""
        line, _ = self._open()
        from coldchain.stores.sftp.probe import Probe

        return line.call(Probe().names)

    def make(self) -> None:
        """Make the folder itself; the one above it must be there, else a missing mount would go unnoticed."""
        line, _ = self._open()
        from coldchain.stores.sftp.place import make

        try:
            line.call(lambda channel: make(channel, self.url))
        except StoreGone:
            raise
        except StoreError as error:
            raise StoreGone(f"cannot make the folder: {error.reason}", url=self.url) from error

    def close(self) -> None:
        """Let go of the connection, unless somebody else has the same place open."""
        self._opened = None

    # --- looking ---------------------------------------------------------------------------------------------------

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Walk one folder at a time; its names and those of a few that come next are in memory."""
        line, ways = self._open()
        ways.forget()
        from coldchain.stores.sftp.listing import listed

        yield from listed(line, ways, prefix, without)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The folders directly below ``prefix``."""
        line, ways = self._open()
        ways.forget()
        from coldchain.stores.sftp.listing import rows_of

        rows: builtins.list[str] = [name[:-1] for name, item in rows_of(line, ways, prefix) if item is None]
        yield from rows

    def stat(self, key: str) -> Entry:
        """Look at one name."""
        line, ways = self._open()
        return line.call(lambda channel: ways.entry(channel, key), key)

    def busy(self, key: str) -> str:
        """Nobody can tell from afar."""
        return ""

    def is_leftover(self, key: str, owner: str) -> bool:
        """Temporary names carry their owner."""
        match = _LEFTOVER.fullmatch(key.rpartition("/")[2])
        return match is not None and match[1] == owner

    # --- reading and writing ---------------------------------------------------------------------------------------

    def read(self, key: str, *, past_cache: bool = False) -> SftpReader:
        """Open a plain file."""
        line, ways = self._open()
        from coldchain.stores.sftp.reading import FROM_SERVER, Opened, SftpReader, opened

        async def deed(channel: Channel) -> Opened:
            await ways.check(channel, key)
            return await opened(channel, channel.path(key), key, self.url)

        return SftpReader(line, key, line.call(deed, key), FROM_SERVER if past_cache else "cached")

    def stage(self, owner: str = "") -> SftpStaging:
        """Begin to write."""
        line, ways = self._open()
        ways.forget()
        from coldchain.stores.sftp.staging import SftpStaging

        return SftpStaging(line, owner)

    def delete(self, key: str) -> None:
        """Remove one name, and make that durable; a folder is none."""
        line, ways = self._open()
        from coldchain.stores.sftp.folders import flush_folder
        from coldchain.stores.sftp.looking import look

        async def deed(channel: Channel) -> None:
            await ways.check(channel, key)
            path = channel.path(key)
            found = await ways.see(channel, key)
            if isinstance(found, Oddity) and found.reason == "a folder":
                raise NotAFile(found.reason, url=self.url, key=key)
            await channel.ask(channel.client.remove(path))
            if await look(channel, path) is not None:
                raise NotFound("it is still there", url=self.url, key=key)
            await flush_folder(channel, key.rpartition("/")[0], self.url)

        line.call(deed, key)
