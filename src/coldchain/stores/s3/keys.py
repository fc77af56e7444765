"""Which object is which file?"""

from __future__ import annotations

import hashlib

from coldchain.stores.objects.bucket import Found
from coldchain.stores.objects.keys import fault_in
from coldchain.stores.s3.calling import Facts
from coldchain.stores.s3.checksums import FIELDS

KEY_LIMIT = 1024
"""Bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""
SECOND_NS = 1_000_000_000


def refusal(prefix: str, path: str) -> str:
    """Say why a bucket keeps no such name, as a phrase, or ""."""
    if reason := fault_in(path):
        return reason
    if len(path) + len(prefix) > KEY_LIMIT // 4 and (size_bytes := len((prefix + path).encode())) > KEY_LIMIT:
        return f"the key would be {size_bytes:,} bytes long, a bucket keeps {KEY_LIMIT:,}"
    return ""


def found_in(facts: Facts) -> Found:
    """The object that a listing, a look and an opened object show alike.

    The time is when the object was written, in seconds: the most that all three say.  The ETag is taken for nothing but
    a mark that changes with the object.
    """
    size_bytes = facts["Size"] if "Size" in facts else facts["ContentLength"]
    mark = str(facts.get("ETag", ""))
    number = hashlib.blake2b(mark.strip('"').encode(), digest_size=8).digest()
    version = str(facts.get("VersionId") or "")
    return Found(
        int(size_bytes),
        int(facts["LastModified"].timestamp()) * SECOND_NS,
        mark,
        int.from_bytes(number) >> 1,
        # a name with an underscore is dropped by some servers that stand before others (nginx)
        {name.lower().replace("-", "_"): value for name, value in facts.get("Metadata", {}).items()},
        {name: facts[field] for name, field in FIELDS.items() if facts.get(field)},
        version="" if version == "null" else version,
    )
