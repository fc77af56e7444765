"""Which bucket does a URL name, and in which manner shall it be used?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from coldchain.errors import ConfigurationError
from coldchain.model import Secret
from coldchain.stores.objects import wording

_LEAST_PART_BYTES = 5 << 20
"""No part but the last may be smaller (Amazon S3 User Guide, "multipart upload limits")."""
_MOST_PART_BYTES = 5 << 30
PATIENCE_S = 120
_MOST_PATIENCE_S = 3600
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_SECONDS = re.compile(r"(\d{1,4})\s*s")
_NAMES = (
    *("endpoint", "region", "profile", "storage_class", "sse", "kms_key", "tags"),
    *("requester_pays", "anonymous", "addressing", "part_size", "whole_size", "patience"),
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a bucket is used; the credentials are not in it."""

    endpoint: str = ""
    """The server, ``https://host:port``; "" for Amazon's, or what AWS_ENDPOINT_URL and the profile say."""
    region: str = ""
    profile: str = ""
    requester_pays: bool = False
    anonymous: bool = False
    addressing: str = ""
    """``path``, ``virtual``, or "": path for an endpoint of one's own."""
    part_bytes: int = wording.PART_BYTES
    """The least size of a part of a large file."""
    whole_bytes: int = wording.PART_BYTES
    """Files up to this size are sent in one request, larger ones in parts."""
    on_write: tuple[tuple[str, str], ...] = field(default=())
    """What every new object of data is given: storage class, encryption, tags, in the words of the protocol."""
    patience_s: int = PATIENCE_S
    """A request that makes no progress for so long is given up, and counts as a link that broke."""


@dataclass(frozen=True, slots=True)
class Where:
    """A bucket and the folder in it that is the root of the store."""

    url: str
    bucket: str
    prefix: str
    """ "" or ends in a slash."""
    manner: Manner
    secret: Secret | None = field(default=None, compare=False)
    """``KEY:SECRET``, as it stood in the URL; goes before what the provider's own chain would find."""


def where(url: str, options: Mapping[str, str]) -> Where:
    """Read a URL ``s3://bucket/folder`` and its options; raises ConfigurationError, which never repeats a secret."""
    bucket, _, folder = url.removeprefix("s3://").partition("/")
    if "@" in bucket:
        raise ConfigurationError(
            "s3://…@…: no key belongs into a URL. Put it into the environment, ~/.aws/credentials, or name a profile"
        )
    if not url.startswith("s3://") or not _BUCKET.fullmatch(bucket):
        raise ConfigurationError(f"{url}: no bucket has this name; the form is s3://bucket or s3://bucket/folder")
    folder = folder.rstrip("/")
    if folder and any(name in {"", ".", ".."} for name in folder.split("/")):
        raise ConfigurationError(f"{url}: '{folder}' is no folder")
    wording.only(url, options, _NAMES)
    plain = f"s3://{bucket}/{folder}" if folder else f"s3://{bucket}"
    return Where(plain, bucket, f"{folder}/" if folder else "", _manner(plain, options))


def _manner(url: str, options: Mapping[str, str]) -> Manner:
    endpoint = wording.endpoint(url, options.get("endpoint", ""))
    addressing = options.get("addressing", "")
    if addressing not in {"", "path", "virtual"}:
        raise ConfigurationError(f'{url}: addressing is "path" or "virtual", not {addressing!r}')
    return Manner(
        endpoint,
        options.get("region", ""),
        options.get("profile", ""),
        wording.truth(url, options, "requester_pays"),
        wording.truth(url, options, "anonymous"),
        addressing,
        wording.part_bytes(url, options, _LEAST_PART_BYTES, _MOST_PART_BYTES),
        wording.whole_bytes(url, options, _MOST_PART_BYTES),
        tuple(_on_write(url, options)),
        _patience_s(url, options),
    )


def _on_write(url: str, options: Mapping[str, str]) -> list[tuple[str, str]]:
    given: list[tuple[str, str]] = []
    if storage_class := options.get("storage_class", ""):
        given.append(("StorageClass", storage_class))
    sse, kms_key = options.get("sse", ""), options.get("kms_key", "")
    if sse not in {"", "AES256", "aws:kms"}:
        raise ConfigurationError(f'{url}: sse is "AES256" or "aws:kms", not {sse!r}')
    if kms_key and sse != "aws:kms":
        raise ConfigurationError(f'{url}: kms_key needs sse = "aws:kms"')
    if sse:
        given.append(("ServerSideEncryption", sse))
    if kms_key:
        given.append(("SSEKMSKeyId", kms_key))
    if tags := options.get("tags", ""):
        pairs = [tag.strip().partition("=") for tag in tags.split(",")]
        if not all(name and equals for name, equals, _ in pairs):
            raise ConfigurationError(f'{url}: tags look like "project=atlas, retention=10y", not {tags!r}')
        given.append(("Tagging", urlencode([(name.strip(), value.strip()) for name, _, value in pairs])))
    return given


def _patience_s(url: str, options: Mapping[str, str]) -> int:
    said = options.get("patience", f"{PATIENCE_S} s")
    found = _SECONDS.fullmatch(said.strip())
    if not found or not 1 <= int(found[1]) <= _MOST_PATIENCE_S:
        raise ConfigurationError(f'{url}: patience is between "1 s" and "3600 s", not {said!r}')
    return int(found[1])
