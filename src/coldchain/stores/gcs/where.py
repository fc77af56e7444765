"""Which bucket does a URL name, and in which manner shall it be used?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from coldchain.errors import ConfigurationError
from coldchain.stores.objects import wording

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_QUANTUM_BYTES = 256 << 10
"""Each piece of a resumable upload but the last is a multiple of it (Cloud Storage, "Resumable uploads")."""
_NAMES = (
    *("endpoint", "storage_class", "kms_key", "requester_pays", "project", "anonymous"),
    *("part_size", "whole_size"),
)


@dataclass(frozen=True, slots=True)
class Where:
    """A bucket, the folder in it that is the root of the store, and how it is used."""

    url: str
    bucket: str
    prefix: str
    """ "" or ends in a slash."""
    endpoint: str
    """ "" for Google's, or what STORAGE_EMULATOR_HOST says."""
    storage_class: str
    """ "" for what the bucket says."""
    kms_key: str
    pays: str
    """The project that pays for requests to a bucket whose requester pays."""
    anonymous: bool
    part_bytes: int
    whole_bytes: int


def where(url: str, options: Mapping[str, str]) -> Where:
    """Read a URL ``gs://bucket/folder`` and its options; raises ConfigurationError."""
    bucket, folder = wording.split(url, "gs")
    if not url.startswith("gs://") or not _BUCKET.fullmatch(bucket):
        raise ConfigurationError(f"{url}: no bucket has this name; the form is gs://bucket or gs://bucket/folder")
    plain = f"gs://{bucket}/{folder}" if folder else f"gs://{bucket}"
    wording.only(plain, options, _NAMES)
    part_bytes = wording.part_bytes(plain, options, _QUANTUM_BYTES, 1 << 30)
    return Where(
        plain,
        bucket,
        f"{folder}/" if folder else "",
        wording.endpoint(plain, options.get("endpoint", "")),
        options.get("storage_class", "").upper(),
        options.get("kms_key", ""),
        _payer(plain, options),
        wording.truth(plain, options, "anonymous"),
        part_bytes - part_bytes % _QUANTUM_BYTES,
        wording.whole_bytes(plain, options),
    )


def _payer(url: str, options: Mapping[str, str]) -> str:
    if not wording.truth(url, options, "requester_pays"):
        return ""
    if not (project := options.get("project", "")):
        raise ConfigurationError(f"{url}: requester_pays needs `project`: the one that pays")
    return project
