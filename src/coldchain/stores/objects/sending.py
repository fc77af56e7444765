"""How does one file wait for its name, and get it?

An object store has no rename: what is sent under a name is visible under it.  So a small file waits here, and is sent
when its name shall appear; a large one is sent piece by piece before, and only becomes an object then.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import NamedTuple

from coldchain.errors import FlushFailed, NameRefused, NotFound, Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.objects.bucket import Abilities, Bucket, Found, Upload
from coldchain.stores.objects.held import Held

_MARK = "coldchain_write"
"""Metadata: which act of writing made an object.  Where a reply was lost, it tells whose object stands there.  The
underscore is for Azure, whose names of metadata must be those of C#; a bucket of S3 makes it a hyphen."""
_DIGEST = "coldchain_sha256"
_PIECE_BYTES = 1 << 20
_MTIME = "mtime"
"""Metadata: the time of the source, as rclone writes and reads it: seconds since 1970, nine decimals."""


class Published(NamedTuple):
    """What stands under a name since it was published."""

    found: Found
    mark: str
    vouched: str


class Outgoing:
    """One file on its way; used by one thread at a time."""

    def __init__(self, bucket: Bucket, path: str, entry: Entry, whole_bytes: int, owner: str) -> None:
        """Begin; raises NameRefused at once."""
        if reason := bucket.refusal(path):
            raise NameRefused(reason, url=bucket.url, key=path)
        self._bucket, self._path, self._entry = bucket, path, entry
        self._whole_bytes, self._owner = whole_bytes, owner
        self._mark = secrets.token_hex(12)
        self._waiting = Held()
        self._digest = hashlib.sha256()
        self._sums = bucket.sums()
        self._upload: Upload | None = None
        self.size_bytes = 0

    @property
    def held_bytes(self) -> int:
        """How much waits here."""
        return 0 if self._upload is not None else self.size_bytes

    def spill(self) -> None:
        """Let what waits in memory wait on disk."""
        self._waiting.spill()

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece; what no longer counts as small begins to travel."""
        self.size_bytes += len(chunk)
        self._sums.update(chunk)
        if self._upload is None and self.size_bytes <= self._whole_bytes:
            self._digest.update(chunk)
            self._waiting.write(chunk)
            return
        if self._upload is None:
            announced = max(self._entry.size_bytes, self.size_bytes)
            self._upload = self._bucket.begin(self._path, announced, self._metadata(), self._owner)
            for piece in self._waiting.pieces(_PIECE_BYTES):
                self._upload.write(piece)
            self._waiting.close()
        self._upload.write(chunk)

    def finish(self) -> None:
        """All was written."""
        if self._upload is not None:
            self._upload.finish()

    def forget(self) -> None:
        """Leave nothing behind."""
        self._waiting.close()
        if self._upload is not None:
            self._upload.close(published=False)
            self._upload = None

    # --- the name appears ------------------------------------------------------------------------------------------

    def send(self, expected: Entry | None) -> str:
        """Let the name appear (see ``Staging.publish``); returns the mark that the server gave to it, if it said so."""
        there = self._there(expected)
        try:
            return self._send(there)
        except StoreError as error:
            # the reply of an earlier try may have been lost: what stands there may be ours
            if error.ends_store or not self._is_ours():
                raise
            return ""

    def arrived(self, mark: str, found: Found | None) -> Published:
        """Look at what stands there since; ``found`` is what a listing showed, if it showed anything."""
        if mark and (found is None or found.mark != mark):
            found = self._bucket.seen([self._path]).get(self._path)
        if mark and found is not None and (found.mark, found.size_bytes) == (mark, self.size_bytes):
            # the very mark that the server gave to what it was sent; all else is asked in full
            published = Published(found, self._mark, self._abilities().vouches)
        else:
            published = self._seen()
        if self._upload is not None:
            self._upload.close(published=True)
            self._upload = None
        self._waiting.close()
        return published

    def _abilities(self) -> Abilities:
        return self._bucket.abilities(self._owner, large=self._upload is not None)

    def _there(self, expected: Entry | None) -> Found | None:
        """What may be replaced; where the server does not heed conditions, this look is the best there is."""
        if expected is None:
            if not self._abilities().heeds and self._stands():
                raise self._occupied("something stands here already")
            return None
        found = self._bucket.look(self._path)
        there = found.entry(self._path)
        seen = (expected.size_bytes, expected.mtime_ns, expected.inode or there.inode)
        if (there.size_bytes, there.mtime_ns, there.inode) != seen:
            raise self._occupied("what stands here is not what was expected")
        return found

    def _send(self, there: Found | None) -> str:
        if self._upload is not None:
            self._upload.publish(there, self._ours())
            return ""
        metadata = {**self._metadata(), _DIGEST: self._digest.hexdigest()}
        return self._bucket.put(self._path, self._waiting, metadata, self._ours(), there)

    def _ours(self) -> Mapping[str, str]:
        """The checksums of what was written."""
        if self._upload is not None:
            return self._sums.values()
        return {**self._sums.values(), "sha256": b64encode(self._digest.digest()).decode()}

    def _seen(self) -> Published:
        """Ask what the server has: that it did not complain proves nothing."""
        try:
            found = self._bucket.look(self._path, sums=True)
        except NotFound as error:
            raise self._lost("the server took it, and does not have it") from error
        if found.metadata.get(_MARK) != self._mark:
            raise self._occupied("another writer was quicker")
        ours = self._ours()
        both = found.sums.keys() & ours.keys()
        if found.size_bytes != self.size_bytes or any(found.sums[name] != ours[name] for name in both):
            take_back(self._bucket, self._path, self._mark)
            raise self._lost("the server keeps other bytes than it was sent")
        vouched = self._abilities().vouches
        return Published(found, self._mark, vouched if vouched in both else "")

    def _metadata(self) -> dict[str, str]:
        seconds, nanoseconds = divmod(self._entry.mtime_ns, 1_000_000_000)
        mtime = {_MTIME: f"{seconds}.{nanoseconds:09d}"} if self._entry.mtime_ns else {}
        return {**mtime, _MARK: self._mark}

    def _stands(self) -> bool:
        try:
            self._bucket.look(self._path)
        except NotFound:
            return False
        return True

    def _is_ours(self) -> bool:
        try:
            return self._bucket.look(self._path).metadata.get(_MARK) == self._mark
        except StoreError:
            return False

    def _occupied(self, reason: str) -> Occupied:
        return Occupied(reason, url=self._bucket.url, key=self._path)

    def _lost(self, reason: str) -> FlushFailed:
        return FlushFailed(reason, url=self._bucket.url, key=self._path)


def take_back(bucket: Bucket, path: str, mark: str) -> None:
    """Remove an object that turned out wrong, if it is still the one that was written under ``mark``."""
    try:
        found = bucket.look(path)
        if found.metadata.get(_MARK) == mark:
            bucket.delete(path, found)
    except (NotFound, Occupied):
        return
