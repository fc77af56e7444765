"""What can a remote do, and what stands there?"""

from __future__ import annotations

import os
import re
import stat as modes
import threading
import weakref
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

from coldchain.errors import NameRefused, NotAFile, NotFound, StoreError
from coldchain.model import OWN_FOLDER, Entry, Oddity
from coldchain.stores.base import Traits
from coldchain.stores.rclone.calling import Caller, Facts, Patience
from coldchain.stores.rclone.oddities import View, listing, view_of
from coldchain.stores.rclone.where import Where, fault_in

SECOND_NS = 1_000_000_000
_NO_TIMES_NS = 10**18
"""rclone says a hundred years for a remote that keeps no times."""
_USER = re.compile(r"(?<=//)[^/@\s]*:[^/@\s]*@")
_VOUCHING = {
    "box": "sha1",
    "drive": "md5",
    "dropbox": "dropbox",
    "google cloud storage": "md5",
    "onedrive": "quickxor",
    "pcloud": "sha1",
    "yandex": "md5",
}
"""Types whose server computes a hash of the bytes that it keeps.  Of others rclone shows a hash that the uploader sent
along (S3 and B2 in parts, Azure), that rclone itself noted (hasher, chunker), or that it computes here (local) or by a
command in a shell over there (sftp)."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_MOST_FOLDERS = 4096
_MARKER = f"{OWN_FOLDER}/destination.json"


class Remote:
    """A place of a remote; shared by all stores that have it open.  Thread-safe."""

    def __init__(self, where: Where, patience: Patience) -> None:
        self.where = where
        self.call = Caller(where, patience)
        self._lock = threading.Lock()
        self._info: Facts | None = None
        self._traits: Traits | None = None
        self._vouching = ""
        self._view: View | None = None
        self._odd: OrderedDict[str, frozenset[str]] = OrderedDict()

    @property
    def info(self) -> Facts:
        """What rclone says of the remote, see operations/fsinfo."""
        with self._lock:
            if self._info is None:
                self._info = self.call("operations/fsinfo")
            return self._info

    def can(self, feature: str) -> bool:
        """Whether the remote has one of rclone's features."""
        return bool(self.info.get("Features", {}).get(feature))

    @property
    def moves(self) -> bool:
        """Whether the remote itself gives a file another name, so that it can be proved before it has its own."""
        return self.can("Move") and not self.can("BucketBased")

    @property
    def traits(self) -> Traits:
        """What this remote differs in."""
        if self._traits is None:
            step_ns = int(self.info.get("Precision") or 1)
            keeps = step_ns < _NO_TIMES_NS and not self.can("SlowModTime") and not self.can("BucketBased")
            vouching = self._find_vouching()
            self._vouching = vouching
            self._traits = Traits(
                mtime_step_ns=max(1, step_ns) if keeps else SECOND_NS,
                vouches=(vouching,) if vouching else (),
                keeps_mtime=keeps,
                has_folders=not self.can("BucketBased") and not self.can("DuplicateFiles"),
                proves_published=not self.moves,
            )
        return self._traits

    @property
    def vouching(self) -> str:
        """The hash that the server computes of what it keeps, in rclone's word; "" for none."""
        return self._vouching if self.traits.vouches else ""

    def _find_vouching(self) -> str:
        hashes = self.info.get("Hashes") or []
        if not hashes:
            return ""
        # the answer also holds what rclone obscures; only the type is looked at
        kind = str(self._settings(str(self.info.get("Name", ""))).get("type", ""))
        algorithm = _VOUCHING.get(kind, "")
        return algorithm if algorithm in hashes else ""

    def _settings(self, name: str) -> Facts:
        settings = self.call.once("config/get", name=name)
        if settings.get("type") or name != self.where.remote:
            return settings
        # set up in the environment, of which rclone tells nothing
        sftp = str(self.info.get("String", "")).startswith("sftp://")
        return {**settings, "type": "local" if self.can("IsLocal") else "sftp" if sftp else ""}

    # --- looking ---------------------------------------------------------------------------------------------------

    def checked(self, path: str) -> str:
        """The path as rclone takes it; raises NameRefused for what is no name of a file."""
        if reason := fault_in(path):
            raise NameRefused(reason, url=self.where.url, key=path)
        return path

    def item(self, path: str, *, algorithm: str = "", folders: bool = False) -> Facts | None:
        """What rclone says of a file (or of a folder, which costs a listing of the one above); None for nothing."""
        asked: Facts = {"filesOnly": not folders, "noMimeType": True}
        if self.view.told and self.can("ReadMetadata"):
            asked["metadata"] = True  # which says of links and pipes what they are
        if algorithm:
            asked |= {"showHash": True, "hashTypes": [algorithm]}
        try:
            return self.call.item(self.view.plain, self.checked(path), asked)
        except NotFound:
            return None
        except StoreError as error:
            # below a file there is nothing, and some remotes say so by another error
            if isinstance(error, FileExistsError):
                return None
            raise

    @property
    def view(self) -> View:
        """How it is listed."""
        if self._view is None:
            self._view = view_of(self.where, self._settings)
        return self._view

    def lying_in(self, folder: str) -> tuple[list[Facts], list[Oddity]]:
        """What lies directly in a folder, and what of it is no plain file."""
        items, odd = listing(self.call, self.view, folder)
        if self.view.full:
            with self._lock:
                self._odd[folder] = frozenset(one.path for one in odd)
                self._odd.move_to_end(folder)
                while len(self._odd) > _MOST_FOLDERS:
                    self._odd.popitem(last=False)
        return items, odd

    def _is_odd(self, path: str, found: Facts) -> bool:
        """Whether it is a link or a pipe that rclone shows as a file."""
        if mode := str((found.get("Metadata") or {}).get("mode", "")):
            return not modes.S_ISREG(int(mode, 8))
        if not self.view.full:
            return False
        folder = path.rpartition("/")[0]
        with self._lock:
            known = self._odd.get(folder)
        return path in (known if known is not None else {one.path for one in self.lying_in(folder)[1]})

    def stat(self, path: str) -> Entry:
        """Say what stands under a name; raises NotFound, NotAFile."""
        found = self.item(path)
        if found is None:
            raise NotFound("it is not there", url=self.where.url, key=path)
        if found.get("IsDir") or int(found["Size"]) < 0 or self._is_odd(path, found):
            raise NotAFile("it is no plain file", url=self.where.url, key=path)
        return self.entry_of(path, found)

    def entry_of(self, path: str, item: Facts) -> Entry:
        """The entry that a listing, a look and an opened file show alike."""
        step_ns = self.traits.mtime_step_ns
        mtime_ns = nanoseconds(str(item["ModTime"]))
        return Entry(path, int(item["Size"]), mtime_ns if self.traits.keeps_mtime else mtime_ns // step_ns * step_ns)

    def hash_of(self, item: Facts, algorithm: str) -> str:
        """The hash in what rclone said of a file, "" where there is none."""
        hashes: dict[str, Any] = item.get("Hashes") or {}
        return str(hashes.get(algorithm) or "").lower()

    def volume(self) -> str:
        """Name the remote as rclone describes it; raises NotFound when the root of the store is not there."""
        # a small file of ours is found without listing a root that may hold a hundred thousand names
        if not self.where.folder and not self.can("BucketBased"):
            self.call("operations/list", remote="", opt={"dirsOnly": True, "noModTime": True, "noMimeType": True})
        elif self.item(_MARKER) is None:
            self.call("operations/list", remote="", opt={"noModTime": True, "noMimeType": True})
        described = _USER.sub("", str(self.info.get("String", "")))
        return f"{described} (rclone remote {self.where.remote})"


def nanoseconds(said: str) -> int:
    """Read rclone's time (RFC 3339 with up to nine decimals), as nanoseconds since 1970; 0 for what is none."""
    if (found := _TIME.fullmatch(said)) is None:
        return 0
    whole, decimals, zone = found.groups()
    try:
        moment = datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone))
    except ValueError:
        return 0
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return int(seconds) * SECOND_NS + int((decimals or "").ljust(9, "0"))


_open: weakref.WeakValueDictionary[tuple[Where, Patience, int], Remote] = weakref.WeakValueDictionary()
_opening = threading.Lock()


def open_remote(where: Where, patience: Patience) -> Remote:
    """The remote that somebody has open already, or a new one; starts rclone, asks the remote nothing."""
    with _opening:
        remote = _open.get((where, patience, os.getpid()))
        if remote is None or not remote.call.daemon.alive:
            remote = _open[where, patience, os.getpid()] = Remote(where, patience)
        return remote
