"""How is a folder of one of rclone's remotes a store?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from coldchain.errors import NotFound, StoreError, StoreGone
from coldchain.model import Entry, Oddity
from coldchain.stores.base import Traits
from coldchain.stores.names import NameRules
from coldchain.stores.rclone import probe
from coldchain.stores.rclone.calling import PATIENT, Patience
from coldchain.stores.rclone.listing import folders_in, listed
from coldchain.stores.rclone.reading import RcloneReader
from coldchain.stores.rclone.remote import Remote, open_remote
from coldchain.stores.rclone.sending import owner_of
from coldchain.stores.rclone.staging import RcloneStaging
from coldchain.stores.rclone.where import where


class RcloneStore:
    """A folder of Box, OneDrive, Drive, Dropbox or whatever else the user's rclone has a remote for."""

    def __init__(self, url: str, *, options: Mapping[str, str] | None = None, patience: Patience = PATIENT) -> None:
        """Name the place; rclone is started when it is first used.

        Args:
            url: ``rclone://remote`` or ``rclone://remote/folder``.
            options: See docs/stores/rclone.md; raises ConfigurationError for others.
            patience: How often an order is given.
        """
        self._where = where(url, options or {})
        self.url = self._where.url
        self._patience = patience
        self._opened: Remote | None = None

    @property
    def traits(self) -> Traits:
        """What this very remote can do; asks rclone."""
        return self._remote.traits

    @property
    def _remote(self) -> Remote:
        remote = self._opened
        if remote is None or not remote.call.daemon.alive:
            remote = self._opened = open_remote(self._where, self._patience)
        return remote

    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        """Yield what lies below ``prefix``, folder by folder; two files of one name are an Oddity."""
        yield from listed(self._remote, prefix, without)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of the folders directly below ``prefix``."""
        yield from folders_in(self._remote, prefix)

    def stat(self, key: str) -> Entry:
        """Say what stands under ``key``."""
        return self._remote.stat(key)

    def read(self, key: str, *, past_cache: bool = False) -> RcloneReader:
        """Open a file; rclone keeps nothing of it, so no cache of ours lies between."""
        return RcloneReader(self._remote, key, "get" if past_cache else "cached")

    def busy(self, key: str) -> str:
        """Nobody can tell."""
        return ""

    def stage(self, owner: str = "") -> RcloneStaging:
        """Begin to write."""
        return RcloneStaging(self._remote, owner)

    def delete(self, key: str) -> None:
        """Remove one file; where the remote has a bin, it goes there."""
        self._remote.stat(key)
        self._remote.call("operations/deletefile", key, remote=key)

    def is_leftover(self, key: str, owner: str) -> bool:
        """Temporary names carry their owner."""
        return owner_of(key) == owner

    def volume(self) -> str:
        """Name the remote as rclone describes it; raises NotFound when the folder is not there."""
        return self._remote.volume()

    def free_bytes(self) -> int | None:
        """Ask the remote; many cannot tell."""
        if not self._remote.can("About"):
            return None
        try:
            free = self._remote.call("operations/about").get("free")
        except StoreError:
            return None
        return int(free) if isinstance(free, int) and free >= 0 else None

    def probe_names(self) -> NameRules:
        """Find out what the remote does to names by writing, listing and removing files in coldchain's own folder."""
        return probe.probe_names(self._remote)

    def make(self) -> None:
        """Make the folder itself; the one above it must be there, else another account would go unnoticed."""
        folder = self._where.folder
        above, _, name = folder.rpartition("/")
        remote = self._remote
        if not name or remote.can("BucketBased"):
            self.volume()
            return
        try:
            self.volume()
        except NotFound:
            fs = f"{self._where.remote}:{above or ('/' if folder.startswith('/') else '')}"
            asked = {"dirsOnly": True, "noModTime": True, "noMimeType": True}
            try:
                remote.call.about(fs, "operations/list", remote="", opt=asked)
            except NotFound as error:
                raise StoreGone(f"the folder above it is not there: {above}", url=self.url) from error
            remote.call("operations/mkdir", remote="")

    def close(self) -> None:
        """Let go of rclone, which ends unless somebody else has a place with the same configuration open."""
        self._opened = None
