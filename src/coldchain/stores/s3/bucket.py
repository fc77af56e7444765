"""Which requests does a server of S3 answer, and with what?"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence

from coldchain.errors import NameRefused, NotFound, StoreError
from coldchain.model import OWN_FOLDER
from coldchain.stores.objects.bucket import Abilities, Found
from coldchain.stores.objects.held import Held
from coldchain.stores.objects.keys import note_of
from coldchain.stores.objects.patience import Patience
from coldchain.stores.s3.abilities import InParts, Seen, find_abilities, find_in_parts
from coldchain.stores.s3.calling import Facts
from coldchain.stores.s3.checksums import STREAMED, WHOLE, S3Sums, encoded
from coldchain.stores.s3.connection import connect
from coldchain.stores.s3.keys import KEY_LIMIT, found_in, refusal
from coldchain.stores.s3.listing import objects, pages, together
from coldchain.stores.s3.parts import Parts, Plan, abort_noted
from coldchain.stores.s3.quick import Quick
from coldchain.stores.s3.reading import first_of, piece_of
from coldchain.stores.s3.where import Where


class S3Bucket:
    """One bucket from its root folder on; see ``objects.bucket``.

    Two libraries make the requests: obstore the small ones that go well (``quick``), botocore all others.
    """

    def __init__(self, where: Where, patience: Patience) -> None:
        """Find credentials; the server is asked nothing."""
        self._where, self.url = where, where.url
        self._connection = connect(where, patience)
        self.call = self._connection.call
        self.in_order = self._connection.in_order
        self.key_bytes = KEY_LIMIT - len(where.prefix.encode())
        self._lock = threading.Lock()
        weakref.finalize(self, self._connection.client.close)
        self._whole: Seen | None = None
        self._in_parts: InParts | None = None

    def refusal(self, path: str) -> str:
        """What is no name of a file, or too long; a server may keep less, see ``ObjectStore.probe_names``."""
        return refusal(self._where.prefix, path)

    def _key(self, path: str) -> str:
        if reason := self.refusal(path):
            raise NameRefused(reason, url=self.url, key=path)
        return self._where.prefix + path

    # --- reading -----------------------------------------------------------------------------------------------------

    def look(self, path: str, *, sums: bool = False) -> Found:
        """What stands there; to see checksums, one may need the right to use the bucket's encryption key."""
        more: Facts = {"ChecksumMode": "ENABLED"} if sums else {}
        facts = self.call("head_object", path, Key=self._key(path), **more)
        if facts.get("DeleteMarker"):
            raise NotFound("it was deleted", url=self.url, key=path)
        return found_in(facts)

    def first(self, path: str, length: int) -> tuple[Found, bytes | memoryview]:
        """In one request; an empty object has no first byte, and some servers say so by an error (RFC 9110, 416)."""
        try:
            return first_of(self.call, path, self._key(path), length)
        except StoreError as refusal:
            if isinstance(refusal, NotFound) or refusal.ends_store:
                raise
            found = self.look(path)
            if found.size_bytes:
                raise
            return found, b""

    def get(self, path: str, offset: int, length: int, found: Found) -> bytes | memoryview:
        """A piece of the object with this ETag."""
        return piece_of(self.call, path, self._key(path), (offset, offset + length), found.mark)

    def objects(self, folder: str, without: Collection[str] = ()) -> Iterator[tuple[str, Found]]:
        """A page of a thousand after the other."""
        left_out = tuple(f"{self._where.prefix}{other}/" for other in without)
        for facts in objects(self.call, self._start(folder), left_out, jump=self.in_order):
            yield facts["Key"][len(self._where.prefix) :], found_in(facts)

    def folders(self, folder: str) -> Iterator[str]:
        """The server itself cuts at the slash."""
        start = self._start(folder)
        for page in pages(self.call, {"Prefix": start, "Delimiter": "/"}):
            for found in page.get("CommonPrefixes", ()):
                yield found["Prefix"][len(start) : -1]

    def _start(self, folder: str) -> str:
        return self._where.prefix + (f"{folder}/" if folder else "")

    # --- writing -----------------------------------------------------------------------------------------------------

    def sums(self) -> S3Sums:
        """The one of objects that are sent in parts."""
        return S3Sums()

    def put(
        self, path: str, content: Held, metadata: Mapping[str, str], sums: Mapping[str, str], expected: Found | None
    ) -> str:
        """The SHA-256 travels with it, and the server compares, if it is one that does."""
        key, given = self._key(path), self._given(path, metadata)
        condition = self.whole("").condition(expected)
        quick = self.call.quick
        if quick and (sent := _sent_quickly(quick, key, content, given, condition, sums[WHOLE])):
            return str(sent["ETag"])
        self.call("put_object", path, Key=key, Body=content.body(), ChecksumSHA256=sums[WHOLE], **given, **condition)
        return ""

    def seen(self, paths: Sequence[str]) -> Mapping[str, Found]:
        """By a few listings; one alone by a quick look."""
        keys = {self._where.prefix + path: path for path in paths}
        if len(keys) > 1:
            return {keys[facts["Key"]]: found_in(facts) for facts in together(self.call, keys)}
        looks = ((path, self.call.quick.look(key)) for key, path in keys.items() if self.call.quick)
        return {path: found_in(facts) for path, facts in looks if facts}

    def _given(self, path: str, metadata: Mapping[str, str]) -> Facts:
        """What the new object is given.  coldchain's own files must stay readable, whatever tier the data go to."""
        given: Facts = dict(self._where.manner.on_write)
        if path.startswith(f"{OWN_FOLDER}/"):
            given.pop("StorageClass", None)
        return {**given, "Metadata": {name.replace("_", "-"): value for name, value in metadata.items()}}

    def begin(self, path: str, announced_bytes: int, metadata: Mapping[str, str], owner: str) -> Parts:
        """In parts; a note says whose the upload is."""
        self._key(path)
        plan = Plan(self.call, self._where, self.in_parts(owner), note_of(owner), announced_bytes)
        return Parts(plan, path, self._given(path, metadata))

    def delete(self, path: str, found: Found | None) -> None:
        """Where the bucket keeps versions, of ``found`` only this version goes, so that an older one shows again."""
        only: Facts = {"VersionId": found.version} if found and found.version else {}
        self.call("delete_object", path, Key=self._key(path), **only)

    def abort_noted(self, note: str) -> None:
        """Abort the upload that a note tells of; raises NotFound when there is no such note."""
        abort_noted(self.call, self._where, self._key(note))

    # --- what was seen of the server ---------------------------------------------------------------------------------

    def abilities(self, owner: str, *, large: bool) -> Abilities:
        """What the server does with conditions and checksums."""
        if large:
            seen = self.in_parts(owner)
            return Abilities(seen.creates_only, STREAMED.name if seen.verifies else "")
        whole = self.whole(owner)
        return Abilities(whole.creates_only, WHOLE if whole.verifies else "")

    def whole(self, owner: str) -> Seen:
        """What it does with objects that are sent whole; found out once, by writing."""
        with self._lock:
            if self._whole is None:
                self._whole = find_abilities(self.call, self._where.prefix + note_of(owner))
            return self._whole

    def in_parts(self, owner: str) -> InParts:
        """What it does with objects that are sent in parts; the same."""
        with self._lock:
            if self._in_parts is None:
                self._in_parts = find_in_parts(self.call, self._where.prefix + note_of(owner))
            return self._in_parts

    def volume(self) -> str:
        """A listing is asked for, because its refusals say in words what a HEAD says by a bare status."""
        self.call("list_objects_v2", Prefix=self._where.prefix, MaxKeys=1)
        return f"bucket {self._where.bucket} of {self._connection.server}"


def _sent_quickly(quick: Quick, key: str, content: Held, given: Facts, condition: Facts, sha256: str) -> Facts | None:
    """obstore computes the checksum of what it is given, so what comes back from a disk is compared here."""
    if content.size_bytes > quick.limit_bytes:
        return None
    body = content.content()
    if content.on_disk and encoded(hashlib.sha256(body).digest()) != sha256:
        return None
    return quick.put(key, body, given["Metadata"], condition)
