"""What can be done to a request to a bucket, and to the answer?

Where a request is altered as if the client itself had sent it so, it is signed anew; a link that damages it cannot do
that.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.stores.s3.proxy import Act, Exchange
from tests.stores.s3.serving import KEY, SECRET, Server

_CHECKSUMS = re.compile(r"x-amz-checksum-.*|x-amz-sdk-checksum-.*|content-md5|x-amz-mp-object-size")
_IN_PARTS = re.compile(r"[?&](partNumber|uploads)\b")
_CONTENTS = re.compile(rb"<Contents>.*?</Contents>", re.DOTALL)
_PART = re.compile(rb"<Part>.*?</Part>", re.DOTALL)
_TAG = re.compile(rb"<ETag>(?:&#34;|&quot;|\")?(.*?)(?:&#34;|&quot;|\")?</ETag>")


# --- the link --------------------------------------------------------------------------------------------------------


def status(number: int, code: str, **headers: str) -> Act:
    """The server refuses."""
    return lambda exchange: exchange.say(number, code, **headers)


def reset(exchange: Exchange) -> None:
    """The link breaks before the server heard anything."""
    exchange.reset = True


class Stall:
    """Nothing comes back, until the proxy is healed, or for so long."""

    def __init__(self, limit_s: float = 60) -> None:
        self._limit_s = limit_s
        self.outlasted = False
        """Somebody was so patient that the link broke first."""

    def __call__(self, exchange: Exchange) -> None:
        self.outlasted |= not exchange.healed.wait(self._limit_s)
        exchange.reset = True


def lost_reply(exchange: Exchange) -> None:
    """The server did it, and the client never hears."""
    exchange.forward(exchange)
    exchange.reset = True


def flip_up(exchange: Exchange) -> None:
    """A bit flips on the way up."""
    exchange.body = flipped(exchange.body)
    exchange.forward(exchange)


def cut_up(exchange: Exchange) -> None:
    """Half of it arrives, and looks like the whole."""
    exchange.body = exchange.body[: len(exchange.body) // 2]
    exchange.forward(exchange)


def flip_down(exchange: Exchange) -> None:
    """A bit flips on the way down."""
    exchange.forward(exchange)
    exchange.answer = flipped(exchange.answer)


def half_down(exchange: Exchange) -> None:
    """Half of the answer comes, and looks like the whole."""
    exchange.forward(exchange)
    exchange.answer = exchange.answer[: len(exchange.answer) // 2]


def broken_down(exchange: Exchange) -> None:
    """The link breaks in the middle of the answer."""
    exchange.forward(exchange)
    exchange.cut_after = len(exchange.answer) // 2


# --- the store -------------------------------------------------------------------------------------------------------


def phantom(exchange: Exchange) -> None:
    """The store says yes and keeps nothing."""
    exchange.say(200, ETag='"0123456789abcdef0123456789abcdef"')


def keeps_half(exchange: Exchange) -> None:
    """The store says yes and keeps the first half."""
    exchange.body = exchange.body[: len(exchange.body) // 2]
    _unchecked(exchange)
    exchange.forward(exchange)


def drops_a_part(exchange: Exchange) -> None:
    """The store puts all parts but the last one together."""
    parts = _PART.findall(exchange.body)
    exchange.body = exchange.body.replace(parts[-1], b"")
    exchange.body = re.sub(rb"<Checksum[A-Z0-9]+>.*?</Checksum[A-Z0-9]+>", b"", exchange.body)
    _unchecked(exchange)
    exchange.forward(exchange)


def never_minds(exchange: Exchange) -> None:
    """A server that does not know conditions."""
    exchange.without("if-none-match", "if-match")
    _signed(exchange)
    exchange.forward(exchange)


def other_checksum(exchange: Exchange) -> None:
    """The server claims to hold something with another SHA-256."""
    exchange.forward(exchange)
    if exchange.told("x-amz-checksum-sha256"):
        exchange.tell("x-amz-checksum-sha256", "A" * 43 + "=")
    if exchange.told("x-amz-checksum-crc64nvme"):
        exchange.tell("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")


class Rot:
    """A store that says yes, and then a bit of what it keeps flips; its ETag stays what it was.

    ``checksum`` says whether the server computes its checksum anew from what it has.
    """

    def __init__(self, server: Server, bucket: str, key: str, *, checksum: bool = False) -> None:
        self._server, self._bucket, self._key, self._checksum = server, bucket, key, checksum
        self._tags: dict[str, str] = {}
        self._told = ""

    def strike(self) -> None:
        """The bit flips now."""
        name = {"Bucket": self._bucket, "Key": self._key}
        found = self._server.client.get_object(**name, ChecksumMode="ENABLED")
        content, metadata = flipped(found["Body"].read()), found["Metadata"]
        self._told = found.get("ChecksumSHA256", "")
        more = {"ChecksumAlgorithm": "SHA256"} if self._checksum else {}
        new = self._server.client.put_object(**name, Body=content, Metadata=metadata, **more)
        self._tags[new["ETag"].strip('"')] = found["ETag"].strip('"')

    def after(self, exchange: Exchange) -> None:
        """The act for the request that makes the object."""
        exchange.forward(exchange)
        self.strike()

    def hide(self, exchange: Exchange) -> None:
        """The act for requests that ask for the object: the old ETag is told, and means the object that is there."""
        for new, old in self._tags.items():
            exchange.headers = [
                (name, value.replace(old, new) if name.lower() in {"if-match", "if-none-match"} else value)
                for name, value in exchange.headers
            ]
        _signed(exchange)
        exchange.forward(exchange)
        for new, old in self._tags.items():
            exchange.answers = [(name, value.replace(new, old)) for name, value in exchange.answers]
            exchange.answer = exchange.answer.replace(new.encode(), old.encode())
        if exchange.status == 200 and exchange.method in {"PUT", "POST"} and not _IN_PARTS.search(exchange.target):
            self._tags.clear()  # a new object stands there
        if not self._checksum and self._tags:
            exchange.answers = [(n, v) for n, v in exchange.answers if not _CHECKSUMS.fullmatch(n.lower())]
            if self._told:
                exchange.tell("x-amz-checksum-sha256", self._told)


class OddTags:
    """A server whose ETags are no MD5; ``spell`` makes the header (with its quotes, if any) of a real ETag."""

    def __init__(self, spell: Callable[[str, str], str]) -> None:
        self._spell = spell
        self._real: dict[str, str] = {}
        self._lock = threading.Lock()

    def act(self, exchange: Exchange) -> None:
        """The act for every request."""
        with self._lock:
            known = sorted(self._real.items(), key=lambda pair: -len(pair[0]))
        for told, real in known:
            exchange.headers = [
                (name, value.replace(told, f'"{real}"').replace('""', '"') if name.lower() == "if-match" else value)
                for name, value in exchange.headers
            ]
            if exchange.method == "POST":
                exchange.body = exchange.body.replace(told.strip('"').encode(), real.encode())
        _signed(exchange)
        exchange.forward(exchange)
        if real := exchange.told("etag").strip('"'):
            exchange.tell("ETag", self._tell(exchange.method, real))
        exchange.answer = (
            _TAG.sub(lambda found: self._in_xml(exchange.method, found), exchange.answer)
            if exchange.told("content-type").endswith("xml")
            else exchange.answer
        )

    def _tell(self, method: str, real: str) -> str:
        told = self._spell(method, real)
        with self._lock:
            self._real[told] = real
        return told

    def _in_xml(self, method: str, found: re.Match[bytes]) -> bytes:
        told = self._tell(method, found[1].decode())
        return b"<ETag>" + told.replace('"', "&quot;").encode() + b"</ETag>"


# --- listings --------------------------------------------------------------------------------------------------------


def short_list(exchange: Exchange) -> None:
    """The second half of the listing is missing, and it is said to be complete; the count fits."""
    exchange.forward(exchange)
    found = _CONTENTS.findall(exchange.answer)
    for one in found[len(found) // 2 :]:
        exchange.answer = exchange.answer.replace(one, b"")
    exchange.answer = re.sub(rb"<IsTruncated>true", b"<IsTruncated>false", exchange.answer)
    _count(exchange, len(found) // 2)


def short_list_miscounted(exchange: Exchange) -> None:
    """So is it here, but the server says how many there should be."""
    exchange.forward(exchange)
    count = len(_CONTENTS.findall(exchange.answer))
    exchange.answer = exchange.answer.replace(_CONTENTS.findall(exchange.answer)[-1], b"")
    _count(exchange, count)


def small_pages(exchange: Exchange) -> None:
    """The listing comes in pages of three."""
    exchange.target = re.sub(r"&max-keys=\d+|max-keys=\d+&", "", exchange.target) + "&max-keys=3"
    _signed(exchange)
    exchange.forward(exchange)


def missing_page(exchange: Exchange) -> None:
    """A page is jumped over, and its successor comes in its place."""
    small_pages(exchange)
    following = re.search(rb"<NextContinuationToken>(.*?)</NextContinuationToken>", exchange.answer)
    if following:
        token = quote(following[1].decode(), safe="")
        exchange.target = re.sub(r"continuation-token=[^&]*", f"continuation-token={token}", exchange.target)
        _signed(exchange)
        exchange.forward(exchange)


def _count(exchange: Exchange, count: int) -> None:
    exchange.answer = re.sub(rb"<KeyCount>\d+", b"<KeyCount>%d" % count, exchange.answer)


# --- tools of the trade ----------------------------------------------------------------------------------------------


def flipped(content: bytes) -> bytes:
    """One bit in the middle is another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :] if content else content


def _unchecked(exchange: Exchange) -> None:
    """Let the server believe that nobody said a checksum."""
    exchange.headers = [(name, value) for name, value in exchange.headers if not _CHECKSUMS.fullmatch(name.lower())]
    _signed(exchange)


def _signed(exchange: Exchange) -> None:
    """Sign the request as it is now."""
    exchange.without("authorization", "x-amz-content-sha256", "x-amz-date", "content-length")
    host = next(value for name, value in exchange.headers if name.lower() == "host")
    request = AWSRequest(exchange.method, f"http://{host}{exchange.target}", dict(exchange.headers), exchange.body)
    S3SigV4Auth(Credentials(KEY, SECRET), "s3", "us-east-1").add_auth(request)
    exchange.headers = [(name, str(value)) for name, value in request.headers.items()]
