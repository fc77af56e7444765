"""How does one file wait for its name, and get it?

An object store has no rename: what is sent under a name is visible under it.  So a small file waits here, and is sent
when its name shall appear; of a large one the parts are sent before, and put together then.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple

from coldchain.errors import FlushFailed, NotFound, Occupied, StoreError
from coldchain.model import OWN_FOLDER, Entry
from coldchain.stores.s3.calling import Facts
from coldchain.stores.s3.checksums import STREAMED, WHOLE, encoded
from coldchain.stores.s3.held import Held
from coldchain.stores.s3.keys import entry_of, object_key
from coldchain.stores.s3.parts import Hands, Parts
from coldchain.stores.s3.quick import LIMIT_BYTES
from coldchain.stores.s3.reading import look

_MARK = "coldchain-write"
"""Metadata: which act of writing made an object.  Where a reply was lost, it tells whose object stands there."""
_DIGEST = "coldchain-sha256"
_QUICKLY = "quickly"
_MTIME = "mtime"
"""Metadata: the time of the source, as rclone writes and reads it: seconds since 1970, with nine decimals."""


class Published(NamedTuple):
    """What stands under a name since it was published."""

    entry: Entry
    mark: str
    version: str
    vouched: str
    """The checksum that the server compared with what it received, and still has; "" for none."""


class Outgoing:
    """One file on its way; used by one thread at a time."""

    def __init__(self, hands: Hands, path: str, entry: Entry) -> None:
        """Begin; raises NameRefused at once."""
        self._hands, self._where, self._call = hands, hands.where, hands.connection.call
        self._path, self._entry = path, entry
        self._key = object_key(hands.where, path)
        self._mark = secrets.token_hex(12)
        self._waiting = Held()
        self._digest = hashlib.sha256()
        self._parts: Parts | None = None
        self.size_bytes = 0

    @property
    def held_bytes(self) -> int:
        """How much waits in memory."""
        return 0 if self._parts is not None else self.size_bytes

    def spill(self) -> None:
        """Let what waits in memory wait on disk."""
        self._waiting.spill()

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece; what no longer counts as small begins to travel."""
        self.size_bytes += len(chunk)
        if self._parts is not None:
            self._parts.write(chunk)
            return
        if self.size_bytes <= self._where.manner.whole_bytes:
            self._digest.update(chunk)
            self._waiting.write(chunk)
            return
        announced = max(self._entry.size_bytes, self.size_bytes)
        self._parts = Parts(self._hands, self._path, announced, self._on_write({}))
        for piece in self._waiting.pieces(1 << 20):
            self._parts.write(piece)
        self._waiting.close()
        self._parts.write(chunk)

    def finish(self) -> None:
        """All was written; of a large file all parts have arrived."""
        if self._parts is not None:
            self._parts.finish()

    def forget(self) -> None:
        """Leave nothing behind."""
        self._waiting.close()
        if self._parts is not None:
            self._parts.close(completed=False)
            self._parts = None

    # --- the name appears ------------------------------------------------------------------------------------------

    def publish(self, expected: Entry | None) -> Published:
        """Let the name appear, and look at what stands there then; see ``Staging.publish``."""
        condition = self._condition(expected)
        try:
            sent = self._send(condition)
        except StoreError as error:
            # the reply of an earlier try may have been lost: what stands there may be ours
            if error.ends_store or not self._is_ours():
                raise
            sent = {}
        published = self._seen_quickly(sent) or self._seen(str(sent.get("VersionId", "")))
        if self._parts is not None:
            self._parts.close(completed=True)
            self._parts = None
        self._waiting.close()
        return published

    def _condition(self, expected: Entry | None) -> Facts:
        """What the server shall see to; where it does not, a look beforehand is the best there is."""
        if self._parts is not None:
            creates_only, replaces_only = self._parts.heeds
        else:
            abilities = self._hands.connection.abilities(self._hands.owner)
            creates_only, replaces_only = abilities.creates_only, abilities.replaces_only
        if expected is None:
            if creates_only:
                return {"IfNoneMatch": "*"}
            if self._stands():
                raise self._occupied("something stands here already")
            return {}
        facts = look(self._call, self._where, self._path)
        there = entry_of(self._path, facts)
        seen = expected._replace(path=self._path, inode=expected.inode or there.inode)
        if (there.size_bytes, there.mtime_ns, there.inode) != (seen.size_bytes, seen.mtime_ns, seen.inode):
            raise self._occupied("what stands here is not what was expected")
        return {"IfMatch": facts["ETag"]} if replaces_only else {}

    def _send(self, condition: Facts) -> Facts:
        if self._parts is not None:
            return self._parts.complete(condition)
        digest = self._digest.digest()
        given = self._on_write({_DIGEST: digest.hex()})
        if (quick := self._call.quick) and self.size_bytes <= LIMIT_BYTES:
            body = self._waiting.whole(digest)
            if body is not None and (sent := quick.put(self._key, body, given["Metadata"], condition)):
                return {**sent, _QUICKLY: True}
        return self._call(
            "put_object",
            self._path,
            Key=self._key,
            Body=self._waiting.body(),
            ChecksumSHA256=encoded(digest),
            **given,
            **condition,
        )

    def _seen_quickly(self, sent: Facts) -> Published | None:
        """Ask what the server has: the very ETag that it gave to what it was sent.  All else is asked in full."""
        if not sent.get(_QUICKLY) or self._call.quick is None:
            return None
        facts = self._call.quick.look(self._key)
        if facts is None or (facts["ETag"], facts["ContentLength"]) != (sent["ETag"], self.size_bytes):
            return None
        vouched = WHOLE if self._hands.connection.abilities(self._hands.owner).verifies else ""
        return Published(entry_of(self._path, facts), self._mark, sent["VersionId"], vouched)

    def _seen(self, version: str) -> Published:
        """Ask what the server has: that it did not complain proves nothing."""
        try:
            facts = look(self._call, self._where, self._path, ChecksumMode="ENABLED")
        except NotFound as error:
            raise self._lost("the server took it, and does not have it") from error
        if facts.get("Metadata", {}).get(_MARK) != self._mark:
            raise self._occupied("another writer was quicker")
        entry = entry_of(self._path, facts)
        field, ours, verifies = self._checksum()
        theirs = str(facts.get(field, ""))
        if entry.size_bytes == self.size_bytes and (not theirs or theirs == ours):
            vouched = (WHOLE if self._parts is None else STREAMED.name) if verifies and theirs == ours else ""
            return Published(entry, self._mark, version or str(facts.get("VersionId", "")), vouched)
        take_back(self._hands, self._path, self._mark, version)
        raise self._lost("the server keeps other bytes than it was sent")

    def _checksum(self) -> tuple[str, str, bool]:
        """The name of the field, what it should hold, and whether the server compares it by itself."""
        if self._parts is not None:
            value = STREAMED.on_part(self._parts.checksum)[STREAMED.field]
            return STREAMED.field, str(value) if self._parts.has_checksum else "", self._parts.verifies
        return (
            "ChecksumSHA256",
            encoded(self._digest.digest()),
            self._hands.connection.abilities(self._hands.owner).verifies,
        )

    def _on_write(self, metadata: dict[str, str]) -> Facts:
        """What the new object is given.  coldchain's own files must stay readable, whatever tier the data go to."""
        seconds, nanoseconds = divmod(self._entry.mtime_ns, 1_000_000_000)
        if self._entry.mtime_ns:
            metadata[_MTIME] = f"{seconds}.{nanoseconds:09d}"
        given: Facts = dict(self._where.manner.on_write)
        if self._path.startswith(f"{OWN_FOLDER}/"):
            given.pop("StorageClass", None)
        return {**given, "Metadata": {**metadata, _MARK: self._mark}}

    def _stands(self) -> bool:
        try:
            look(self._call, self._where, self._path)
        except NotFound:
            return False
        return True

    def _is_ours(self) -> bool:
        try:
            return bool(look(self._call, self._where, self._path).get("Metadata", {}).get(_MARK) == self._mark)
        except StoreError:
            return False

    def _occupied(self, reason: str) -> Occupied:
        return Occupied(reason, url=self._where.url, key=self._path)

    def _lost(self, reason: str) -> FlushFailed:
        return FlushFailed(reason, url=self._where.url, key=self._path)


def take_back(hands: Hands, path: str, mark: str, version: str) -> None:
    """Remove an object that turned out wrong, if it is still the one that was written under ``mark``.

    In a bucket with versions only this version goes, so that an older one shows again.
    """
    call, where = hands.connection.call, hands.where
    try:
        facts = look(call, where, path)
    except NotFound:
        return
    if facts.get("Metadata", {}).get(_MARK) == mark:
        only = {"VersionId": version} if version and version != "null" else {}
        call("delete_object", path, Key=object_key(where, path), **only)
