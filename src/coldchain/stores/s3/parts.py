"""How does a large file get to a bucket while it is read?

Its parts are sent as they come, a few at once; the object appears when they are put together.  What a killed run began
would lie in the bucket for ever, unseen and paid for, so a small object in coldchain's own folder says of each upload
whose it is; it is made before the upload and removed after it.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from coldchain.errors import NotFound, StoreError
from coldchain.stores.objects.bucket import Found
from coldchain.stores.objects.held import Held
from coldchain.stores.s3.abilities import InParts
from coldchain.stores.s3.calling import Caller, Facts
from coldchain.stores.s3.checksums import STREAMED
from coldchain.stores.s3.where import Where

_MOST_PARTS = 10_000
_PLANNED_PARTS = 8_000
"""A file that grows while it is read has room left."""
_IN_MEMORY_BYTES = 32 << 20
"""A part that is larger waits in an unnamed temporary file."""
_REFUSED = (400,)
"""A whole that does not fit its checksum fits it no better the next time: the file must begin anew."""
_IN_FLIGHT_BYTES = 64 << 20
_MOST_IN_FLIGHT = 4


def abort_noted(call: Caller, where: Where, note: str) -> None:
    """Abort the uploads that the object ``note`` tells of: those for its key that were begun after it.

    Raises NotFound when there is no such object.
    """
    facts = call("get_object", note, Key=note)
    try:
        path = str(json.loads(facts["Body"].read(1 << 16))["key"])
    except (ValueError, KeyError, TypeError, RecursionError):  # of a trial, which is made under the name of its note
        abort_begun(call, note, datetime.min.replace(tzinfo=UTC))
        return
    abort_begun(call, where.prefix + path, facts["LastModified"] - timedelta(seconds=1))


def abort_begun(call: Caller, key: str, since: datetime) -> None:
    """Abort all uploads for exactly this key that were begun since then, by the server's clock."""
    begun: list[str] = []
    more: Facts = {}
    while True:
        page = call("list_multipart_uploads", Prefix=key, **more)
        begun += [
            upload["UploadId"]
            for upload in page.get("Uploads", ())
            if upload["Key"] == key and upload["Initiated"] >= since
        ]
        markers = {"KeyMarker": page.get("NextKeyMarker"), "UploadIdMarker": page.get("NextUploadIdMarker")}
        following = {name: value for name, value in markers.items() if value}
        if not page.get("IsTruncated") or following == more:
            break
        more = following
    for upload in begun:
        with contextlib.suppress(NotFound):
            call("abort_multipart_upload", key, Key=key, UploadId=upload)


class Plan(NamedTuple):
    """How a file shall go in parts."""

    call: Caller
    where: Where
    in_parts: InParts
    note: str
    """The path of what says whose the upload is."""
    announced_bytes: int
    """What the file is said to hold."""


class _Part(NamedTuple):
    number: int
    body: Held
    checksum: int


class Parts:
    """One upload in parts; used by one thread, while a few parts travel in others."""

    def __init__(self, plan: Plan, path: str, on_create: Facts) -> None:
        """Begin the upload of a file."""
        self._call, self._where, self._in_parts = plan.call, plan.where, plan.in_parts
        self._path, self._key = path, plan.where.prefix + path
        least = -(-plan.announced_bytes // _PLANNED_PARTS)
        self._part_bytes = max(plan.where.manner.part_bytes, -(-least // (1 << 20)) << 20)
        self._at_once = max(1, min(_MOST_IN_FLIGHT, _IN_FLIGHT_BYTES // self._part_bytes))
        self._pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="s3")
        self._sent: deque[Future[Facts]] = deque()
        self._parts: list[Facts] = []
        self._part, self._part_size, self._part_checksum = self._buffer(), 0, 0
        self._size_bytes = 0
        self._note = plan.where.prefix + plan.note
        self._upload, self._strays = "", False
        self._call("put_object", path, Key=self._note, Body=json.dumps({"key": path}).encode())
        try:
            self._begin(on_create)
        except BaseException:
            self.close(published=False)
            raise

    def _begin(self, on_create: Facts) -> None:
        checksums = STREAMED.on_create() if self._in_parts.checksums else {}
        created, tries = self._call.counted(
            "create_multipart_upload", self._path, Key=self._key, **on_create, **checksums
        )
        self._upload = created["UploadId"]
        self._strays = tries > 1  # the reply of an earlier try may be lost, and its upload stand open

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next piece; waits while too many parts are on their way."""
        view = memoryview(chunk)
        while view:
            piece = view[: self._part_bytes - self._part_size]
            self._part.write(piece)
            self._part_size += len(piece)
            self._size_bytes += len(piece)
            if self._in_parts.checksums:
                self._part_checksum = STREAMED.update(piece, self._part_checksum)
            view = view[len(piece) :]
            if self._part_size == self._part_bytes:
                self._send()

    def finish(self) -> None:
        """Send the last part, and wait until all have arrived."""
        if self._part_size or not self._parts:
            self._send()
        while self._sent:
            self._await_one()

    def _send(self) -> None:
        number = len(self._parts) + len(self._sent) + 1
        if number > _MOST_PARTS:
            raise StoreError("it grew beyond 10,000 parts while it was read", url=self._where.url, key=self._path)
        part = _Part(number, self._part, self._part_checksum)
        self._part, self._part_size, self._part_checksum = self._buffer(), 0, 0
        self._sent.append(self._pool.submit(self._upload_part, part))
        while len(self._sent) > self._at_once:
            self._await_one()

    def _await_one(self) -> None:
        self._parts.append(self._sent.popleft().result())

    def _upload_part(self, part: _Part) -> Facts:
        checksums = STREAMED.on_part(part.checksum) if self._in_parts.checksums else {}
        try:
            facts = self._call(
                "upload_part",
                self._path,
                Key=self._key,
                UploadId=self._upload,
                PartNumber=part.number,
                Body=part.body.body(),
                **checksums,
            )
        finally:
            part.body.close()
        return {"PartNumber": part.number, "ETag": facts["ETag"], **checksums}

    def _buffer(self) -> Held:
        return Held(on_disk=self._part_bytes > _IN_MEMORY_BYTES)

    def publish(self, expected: Found | None, sums: Mapping[str, str]) -> None:
        """Put the parts together; the object appears whole, or not at all."""
        checksum = STREAMED.on_complete(sums[STREAMED.name], self._size_bytes) if self._in_parts.checksums else {}
        self._call(
            "complete_multipart_upload",
            self._path,
            _REFUSED,
            Key=self._key,
            UploadId=self._upload,
            MultipartUpload={"Parts": self._parts},
            **checksum,
            **self._in_parts.condition(expected),
        )

    def close(self, *, published: bool) -> None:
        """Let nothing of the upload lie about; what cannot be removed now is left to the next run."""
        for future in self._sent:
            future.cancel()
        for future in self._sent:
            with contextlib.suppress(BaseException):
                future.result()
        self._pool.shutdown()
        self._part.close()
        with contextlib.suppress(StoreError):
            if self._upload and not published:
                with contextlib.suppress(NotFound):
                    self._call("abort_multipart_upload", self._path, Key=self._key, UploadId=self._upload)
            if self._strays or not self._upload:
                abort_noted(self._call, self._where, self._note)
            self._call("delete_object", Key=self._note)
