"""Which parsers read what servers and other programs answer?"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import Message as Headers
from email.parser import BytesParser
from io import BytesIO
from types import SimpleNamespace

from coldchain.errors import ColdchainError, ConfigurationError, StoreError
from coldchain.stores.azure import trouble as azure
from coldchain.stores.fsspec.facts import mtime_ns
from coldchain.stores.gcs import trouble as gcs
from coldchain.stores.rclone import trouble as rclone
from coldchain.stores.rclone.ear import Ear
from coldchain.stores.rclone.remote import nanoseconds
from coldchain.stores.s3 import trouble as s3
from coldchain.stores.smb import messages as smb
from coldchain.stores.smb.paths import entry_of, text_of
from tests.fuzz.target import Target

# --- errors of object stores: the libraries read HTTP and XML, the headers come to us as they are ---------------------


class Said(Exception):
    """What a client of an object store raises, with the server's answer in it."""

    def __init__(self, response: object, status: int, code: str) -> None:
        super().__init__("the server refused")
        self.response, self.status_code, self.error_code, self.code = response, status, code, status
        self.message = f"{code} https://x/?sig=SECRET"


ANSWER = (
    b"503 SlowDown\r\nRetry-After: 7\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nx-ms-error-code: ServerBusy\r\n"
    b"Content-Type: text/xml\r\n\r\n<Error><Code>SlowDown</Code></Error>"
)
SKEWED = ANSWER.replace(b"503 SlowDown", b"403 RequestTimeTooSkewed").replace(b"ServerBusy", b"AuthenticationFailed")


def answer(content: bytes) -> bool:
    """Status, code and headers of an error, as the three kinds of buckets understand them."""
    first, _, rest = content.partition(b"\n")
    status, _, code = first.decode("latin-1").strip().partition(" ")
    number = int(status) if status.isascii() and status.isdigit() and len(status) < 4 else 0
    parsed: Headers = BytesParser().parsebytes(rest)
    headers = {name: str(value) for name, value in parsed.items()}
    facts = {
        "Error": {"Code": code, "Message": str(parsed.get_payload())},
        "ResponseMetadata": {"HTTPStatusCode": number, "HTTPHeaders": {k.lower(): v for k, v in headers.items()}},
    }
    for kind, error in (
        (s3, Said(facts, number, code)),
        (gcs, Said(SimpleNamespace(headers=headers, status_code=number), number, code)),
        (azure, Said(SimpleNamespace(headers=headers, status_code=number, reason=""), number, code)),
    ):
        try:
            verdict = kind.judge(error, url="s3://bucket", key="k")
        except ColdchainError:
            continue
        assert isinstance(verdict.error, StoreError | ConfigurationError)
        assert verdict.asked_s >= 0
        assert "SECRET" not in str(verdict.error)
    return number >= 400


# --- SMB --------------------------------------------------------------------------------------------------------------


def _body(buffer: bytes, fixed: int = 8) -> bytes:
    return (struct.pack("<HHI", 9, 64 + fixed, len(buffer)) + buffer).ljust(fixed, b"\0")


def _found(name: str, *, last: bool) -> bytes:
    raw = name.encode("utf-16-le")
    size = 80 + len(raw)
    size += -size % 8
    fixed = struct.pack("<I4xqqqqqqIIIIq", 0 if last else size, 1, 2, 3, 4, 5, 8, 0x20, len(raw), 0, 0, 77)
    return (fixed + raw).ljust(0 if last else size, b"\0")


NAMES = b"\0" + _body(_found(".", last=False) + _found("a.tif", last=False) + _found("b", last=True))
FACTS = b"\1" + _body(struct.pack("<qqqqI4xqqIBB2xq", 1, 2, 3, 4, 0x20, 8, 5, 1, 0, 0, 77))
VOLUME = b"\2" + _body(struct.pack("<qIIBB", 1, 0xABCD, 8, 0, 0) + "data".encode("utf-16-le"))
READ = b"\3" + struct.pack("<HBBIII", 17, 80, 0, 5, 0, 0) + b"hello"
OTHER = b"\4" + _body(struct.pack("<qqqII", 1, 2, 3, 4, 512)) + bytes(90)


def _names(body: bytes) -> None:
    found = smb.names_of(body)
    assert sum(len(name) for name, _ in found) <= len(body)
    for name, facts in found:
        text, _ = text_of(name)
        assert "/" not in text
        assert "\0" not in text
        entry_of(text, facts)


_READERS: tuple[Callable[[bytes], object], ...] = (
    _names,
    lambda body: entry_of("k", smb.facts_of(body)),
    smb.volume_of,
    smb.content_of,
    lambda body: (smb.room_of(body), smb.tag_of(body), smb.written(body), smb.opened(body)),
)


def smb_answer(content: bytes) -> bool:
    """The answers of a file server; the first byte says to which request."""
    reader = _READERS[content[0] % len(_READERS)] if content else _names
    try:
        reader(content[1:])
    except StoreError:
        return False
    return True


# --- rclone -----------------------------------------------------------------------------------------------------------

LOG = (
    b'{"level":"notice","msg":"Can\'t follow symlink without -L","object":"a/b","time":"2024"}\n'
    b'{"level":"error","msg":"rc: \\"coldchain/abc\\": couldn\'t find method"}\n'
)


def log(content: bytes) -> bool:
    """The log of rclone, from which it is heard what a listing leaves out."""
    ear = Ear()
    ear.listen(BytesIO(content))
    assert len(ear.last_words()) <= 240
    try:
        ear.left_out("abc")
    except StoreError:
        return False
    return True


SAID = b'{"error": "object not found: a/b https://u:p@h/?token=SECRET&x=1", "status": 404, "path": "a/b"}'


def words(content: bytes) -> bool:
    """What rclone says of an error of the remote, in the remote's words."""
    said = content.decode("utf-8", "replace")
    error = rclone.translate(said, 500, remote="box", url="rclone://box", key="a/b")
    assert len(str(error)) < 1000
    return "404" in said and isinstance(error, StoreError)


# --- times ------------------------------------------------------------------------------------------------------------


def moment(content: bytes) -> bool:
    """When a file was written, as servers of FTP and WebDAV say it, and whatever else fsspec hands on."""
    text = content.decode("latin-1")
    found = [mtime_ns({"modify": text}), mtime_ns({"modified": text}), nanoseconds(text)]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    found.append(mtime_ns({"mtime": value}))
    begin = datetime(1, 1, 1, tzinfo=UTC).timestamp() * 1e9
    assert isinstance(found[0], int)
    assert all(one > 2 * begin for one in found if not isinstance(value, int | float))
    return any(found)


TARGETS = (
    Target("answer", answer, (ANSWER, SKEWED), (b"Retry-After: \xb2", b"Date: Mon, 01 Jan 2024 00:00:00 -0000",
           b"Date: Mon, 01 Jan 99999999999 00:00:00 GMT", b"429 ", b"\r\nRetry-After: ")),
    Target("smb", smb_answer, (NAMES, FACTS, VOLUME, READ, OTHER)),
    Target("rclone-log", log, (LOG,), (b'"coldchain/', b"transfer non file")),
    Target("rclone-words", words, (SAID,), (b"token=", b"//" + b"a" * 50, b"quota", b"/a" * 50, b"bearer ", b'"a/b')),
    Target("moment", moment,
           (b"20240101123456.789", b"2024-01-01T00:00:00+02:00", b"Mon, 01 Jan 2024 00:00:00 GMT", b"1700000000.5"),
           (b"-0000", b"99999999999", b"24:00:00", b"+99:99")),
)  # fmt: skip
