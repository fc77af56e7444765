"""How does one file get to a remote, and to its name?

Where the remote can move, the file is sent under a temporary name, proved there, and moved.  Elsewhere (buckets) it
waits here and is sent straight to its name, which a bucket shows only when it has the whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from typing import NamedTuple

from coldchain.errors import FlushFailed, NameRefused, NotFound, Occupied, StoreError, Unreliable
from coldchain.model import Entry
from coldchain.stores.rclone.calling import Facts
from coldchain.stores.rclone.reading import RcloneReader
from coldchain.stores.rclone.remote import Remote
from coldchain.stores.rclone.spool import Waiting

_LEFTOVER = re.compile(r"\.~([0-9a-z]*)-[0-9a-f]{8}\.coldchain")
_PARTIAL = re.compile(r".*\.~([0-9a-z]*)\.part", re.DOTALL)
"""What rclone calls a file while it sends it over another one, see ``Outgoing._replace``."""
_TRIES = 3


class Published(NamedTuple):
    """What stands under a name since it was published."""

    entry: Entry
    mark: str
    """A hash that the remote shows of it, so that another file of the same size and time is told apart."""
    vouched: str


def owner_of(key: str) -> str | None:
    """Whose temporary name ``key`` is; None when it is none."""
    name = key.rpartition("/")[2]
    found = _LEFTOVER.fullmatch(name) or _PARTIAL.fullmatch(name)
    return found[1] if found else None


class Outgoing:
    """One closed file on its way; used by one thread at a time."""

    def __init__(self, remote: Remote, path: str, owner: str, waiting: Waiting) -> None:
        self._remote, self._call, self._url = remote, remote.call, remote.where.url
        self._path, self._owner, self._waiting = path, owner, waiting
        folder = path.rpartition("/")[0]
        name = f".~{owner}-{secrets.token_hex(4)}.coldchain"
        self.temporary = f"{folder}/{name}" if folder else name
        self._sent = False
        self.error: StoreError | None = None
        """Why it could not be sent."""
        self.vouched = ""

    # --- before the name appears -----------------------------------------------------------------------------------

    def send(self) -> None:
        """Bring it under its temporary name; trouble is kept for whoever asks for the file."""
        try:
            self._carry(self.temporary, {"Inplace": True})
            self._sent = True
            self.vouched = self._compare(self.temporary)[0]
        except StoreError as error:
            self.error = self._naming(error)

    def forget(self) -> None:
        """Leave nothing behind; what cannot be removed now is removed by the next run."""
        self._waiting.forget()
        if self._sent or self.error is not None:
            with contextlib.suppress(StoreError):
                self._call.once("operations/deletefile", self._path, fs=self._remote.where.fs, remote=self.temporary)
            self._sent = False

    # --- the name appears ------------------------------------------------------------------------------------------

    def publish(self, expected: Entry | None) -> Published:
        """Let the name appear, and look at what stands there then; see ``Staging.publish``."""
        if self.error is not None:
            raise self.error
        with self._call.daemon.alone_with(f"{self._url}/{self._path}"):
            try:
                if expected is None:
                    self._appear()
                else:
                    self._replace(expected)
            except StoreError as error:
                raise self._naming(error) from error
            return self._seen()

    def _appear(self) -> None:
        if self._remote.item(self._path) is not None:
            raise self._occupied("something stands here already")
        if not self._remote.moves:
            if not self._carry(self._path, {"IgnoreExisting": True}):
                raise self._occupied("something else took this name meanwhile")
            return
        order = {"srcRemote": self.temporary, "dstFs": self._remote.where.fs, "dstRemote": self._path}
        try:
            moved = self._counted("operations/movefile", self._remote.where.fs, order, {"IgnoreExisting": True})
        except StoreError:
            # the answer of a move that was carried out may have been lost
            if not self._was_moved():
                raise
            moved = True
        if not moved:
            raise self._occupied("something else took this name meanwhile")
        self._sent = False

    def _was_moved(self) -> bool:
        with contextlib.suppress(StoreError):
            found = self._remote.item(self._path)
            return (
                found is not None
                and int(found["Size"]) == self._waiting.size_bytes
                and self._remote.item(self.temporary) is None
            )
        return False

    def _replace(self, expected: Entry) -> None:
        """Send it once more, over what stands there: to move it there, rclone would first remove the old one."""
        there = self._remote.stat(self._path)
        if (there.size_bytes, there.mtime_ns) != (expected.size_bytes, expected.mtime_ns):
            raise self._occupied("what stands here is not what was expected")
        self._carry(self._path, {"PartialSuffix": f".~{self._owner}.part"})
        if self._remote.moves and not self._compare(self._path)[0]:
            self._read_again()

    def _read_again(self) -> None:
        """What was proved was the temporary file, not this one."""
        digest = hashlib.sha256()
        with RcloneReader(self._remote, self._path, "get") as reader:
            for chunk in reader.chunks():
                digest.update(chunk)
        if digest.hexdigest() != self._waiting.sha256:
            raise FlushFailed("what the remote keeps is not what it was sent", url=self._url, key=self._path)

    def _seen(self) -> Published:
        vouched, found = self._compare(self._path)
        if found is None:
            raise FlushFailed("the remote took it, and does not show it", url=self._url, key=self._path)
        entry = self._remote.entry_of(self._path, found)
        return Published(entry, _mark(found), vouched or ("" if not self._remote.moves else self.vouched))

    # --- orders ----------------------------------------------------------------------------------------------------

    def _carry(self, target: str, manner: Facts) -> bool:
        """Send the waiting file; False when ``manner`` let rclone leave alone what stands there."""
        order = {"srcRemote": self._waiting.name, "dstFs": self._remote.where.fs, "dstRemote": target}
        for tried in range(1, _TRIES + 1):
            try:
                return self._counted("operations/copyfile", self._waiting.folder, order, manner)
            except Unreliable:
                if tried == _TRIES:
                    raise
                self._call.pause(tried)
        raise AssertionError("at least one try is made")

    def _counted(self, order: str, source: str, values: Facts, manner: Facts) -> bool:
        """Give an order and say whether anything was carried: to leave alone what is there is a success for rclone."""
        group = f"coldchain/{secrets.token_hex(8)}"
        size_bytes = self._waiting.size_bytes
        # the hash of a local disk costs reading it again; that of sftp runs a command over there, which was seen to
        # hang on odd names
        manner = {"IgnoreTimes": True, "IgnoreChecksum": self._remote.can("SlowHash"), **manner}
        try:
            self._call.once(
                order, self._path, size_bytes=size_bytes, srcFs=source, _group=group, _config=manner, **values
            )
            return int(self._call.once("core/stats", self._path, group=group).get("transfers", 0)) > 0
        finally:
            with contextlib.suppress(StoreError):
                self._call.once("core/stats-delete", self._path, group=group)

    def _compare(self, path: str) -> tuple[str, Facts | None]:
        """Compare the remote's own hash with that of what was written; returns its name where they agree."""
        algorithm = self._remote.vouching
        found = self._remote.item(path, algorithm=algorithm or _any_hash(self._remote))
        if found is None:
            return "", None
        theirs = self._remote.hash_of(found, algorithm) if algorithm else ""
        if not theirs:
            return "", found
        asked = {"showHash": True, "hashTypes": ["sha256", algorithm], "filesOnly": True}
        spooled = self._call.about(
            self._waiting.folder, "operations/stat", self._path, remote=self._waiting.name, opt=asked
        )
        item = spooled.get("item") or {}
        if self._remote.hash_of(item, "sha256") != self._waiting.sha256:
            raise FlushFailed("the disk on which it waited does not give it back", url=self._url, key=self._path)
        if theirs != self._remote.hash_of(item, algorithm):
            raise FlushFailed(f"the {algorithm} that the remote shows is another one", url=self._url, key=self._path)
        return algorithm, found

    # --- trouble ---------------------------------------------------------------------------------------------------

    def _naming(self, error: StoreError) -> StoreError:
        """Find out what an error that says little is about: a file above it, a folder in its place, its length."""
        if isinstance(error, Occupied | NotFound | NameRefused) or error.ends_store:
            return error
        with contextlib.suppress(StoreError):
            above = self._path
            while above := above.rpartition("/")[0]:
                if self._remote.traits.has_folders and self._remote.item(above) is not None:
                    return self._occupied("a file stands where a folder is needed")
            if self._remote.traits.has_folders and (found := self._remote.item(self._path, folders=True)):
                return self._occupied("a folder stands here" if found.get("IsDir") else "something stands here already")
        return error

    def _occupied(self, reason: str) -> Occupied:
        return Occupied(reason, url=self._url, key=self._path)


def take_back(remote: Remote, path: str, published: Published) -> None:
    """Remove what turned out wrong, if it is still what was published."""
    found = remote.item(path, algorithm=_any_hash(remote))
    if found is not None and remote.entry_of(path, found) == published.entry and _mark(found) == published.mark:
        remote.call.once("operations/deletefile", path, fs=remote.where.fs, remote=path)


def _any_hash(remote: Remote) -> str:
    """A hash that costs the remote nothing, for buckets show one anyway."""
    hashes = remote.info.get("Hashes") or []
    return str(hashes[0]) if hashes and remote.can("BucketBased") and not remote.can("SlowHash") else ""


def _mark(item: Facts) -> str:
    return "".join(f"{name}:{value};" for name, value in sorted((item.get("Hashes") or {}).items()))
