"""Which of its promises does a server keep?

"No error" does not mean that a condition was heeded or that a checksum was compared: older servers ignore headers that
they do not know.  So what must be refused is tried once, with small objects in coldchain's own folder.
"""

from __future__ import annotations

import contextlib
import hashlib
from base64 import b64encode
from dataclasses import dataclass

from coldchain.errors import StoreError
from coldchain.stores.objects.bucket import Found
from coldchain.stores.s3.calling import Caller, Facts
from coldchain.stores.s3.checksums import STREAMED, encoded
from coldchain.stores.s3.trouble import status_of

_CONTENT, _OTHER = b"probe", b"other"
_ANSWERS = (400, 412, 501)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen with objects that are sent whole, or with those that are sent in parts."""

    creates_only: bool
    """Heeds ``If-None-Match: *``: a new object never takes the place of another one."""
    replaces_only: bool
    """Heeds ``If-Match``: only the object that was seen is replaced."""
    verifies: bool
    """Refuses content that does not fit its checksum."""

    def condition(self, expected: Found | None) -> Facts:
        """What to ask, of what the server heeds: no object may stand there, or only the one that is expected."""
        if expected is None:
            return {"IfNoneMatch": "*"} if self.creates_only else {}
        return {"IfMatch": expected.mark} if self.replaces_only else {}


@dataclass(frozen=True, slots=True)
class InParts(Seen):
    """What was seen with objects that are sent in parts."""

    checksums: bool
    """Takes checksums of parts and of the whole object."""


def find_abilities(call: Caller, key: str) -> Seen:
    """Try with objects under ``key``; raises StoreError when nothing can be written."""
    probing = _Probing(call, key)
    try:
        right = encoded(hashlib.sha256(_CONTENT).digest())
        wrong = encoded(hashlib.sha256(_OTHER).digest())
        verifies = probing.refused("put_object", Body=_CONTENT, ChecksumSHA256=wrong)
        call("put_object", Key=probing.key, Body=_CONTENT, ChecksumSHA256=right)
        creates_only = probing.refused("put_object", 412, Body=_CONTENT, IfNoneMatch="*")
        replaces_only = probing.refused("put_object", 412, Body=_CONTENT, IfMatch=f'"{"0" * 32}"')
        return Seen(creates_only, replaces_only, verifies)
    finally:
        probing.clear()


def find_in_parts(call: Caller, key: str) -> InParts:
    """Try with objects under ``key``; raises StoreError when nothing can be written."""
    probing = _Probing(call, key)
    try:
        call("put_object", Key=probing.key, Body=_CONTENT)  # what a killed run leaves is found by it
        checksums = not probing.refused("create_multipart_upload", **STREAMED.on_create())
        right = _whole(_CONTENT) if checksums else {}
        wrong = _whole(_OTHER)
        verifies = checksums and probing.completion_refused(wrong, {})
        creates_only = probing.completion_refused(right, {"IfNoneMatch": "*"}, 412)
        replaces_only = probing.completion_refused(right, {"IfMatch": f'"{"0" * 32}"'}, 412)
        return InParts(creates_only, replaces_only, verifies, checksums)
    finally:
        probing.clear()


class _Probing:
    """One key, and all that was begun for it."""

    def __init__(self, call: Caller, key: str) -> None:
        self._call, self.key = call, key
        self._uploads: list[str] = []

    def refused(self, operation: str, status: int = 0, **arguments: object) -> bool:
        """Whether the server says no, with this status where one is given; raises StoreError for other trouble."""
        try:
            facts = self._call(operation, self.key, _ANSWERS, Key=self.key, **arguments)
        except StoreError as error:
            said = status_of(error.__cause__)
            if said not in _ANSWERS:
                raise
            # a header that the server cannot bear is no condition that it heeds
            return said == status if status else True
        if upload := facts.get("UploadId"):
            self._uploads.append(upload)
        return False

    def completion_refused(self, checksum: Facts, condition: Facts, status: int = 0) -> bool:
        """Send one part, and complete under a condition."""
        created = self._call("create_multipart_upload", Key=self.key, **(STREAMED.on_create() if checksum else {}))
        self._uploads.append(created["UploadId"])
        name = {"Key": self.key, "UploadId": created["UploadId"]}
        sent = STREAMED.on_part(STREAMED.update(_CONTENT, 0)) if checksum else {"ContentMD5": md5_of(_CONTENT)}
        part = self._call("upload_part", **name, PartNumber=1, Body=_CONTENT, **sent)
        sent.pop("ContentMD5", None)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], **sent}]}
        return self.refused(
            "complete_multipart_upload",
            status,
            UploadId=created["UploadId"],
            MultipartUpload=parts,
            **checksum,
            **condition,
        )

    def clear(self) -> None:
        """Leave nothing behind, as far as the server lets us."""
        for upload in self._uploads:
            with contextlib.suppress(StoreError):
                self._call("abort_multipart_upload", Key=self.key, UploadId=upload)
        with contextlib.suppress(StoreError):
            self._call("delete_object", Key=self.key)


def _whole(content: bytes) -> Facts:
    return STREAMED.on_complete(STREAMED.encoded(STREAMED.update(content, 0)), len(content))


def md5_of(content: bytes) -> str:
    """What even the oldest server compares on arrival."""
    return b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
