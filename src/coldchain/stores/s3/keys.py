"""Which object is which file?"""

from __future__ import annotations

import hashlib
import secrets

from coldchain.errors import NameRefused
from coldchain.model import OWN_FOLDER, Entry
from coldchain.stores.s3.calling import Facts
from coldchain.stores.s3.where import Where

_KEY_LIMIT = 1024
"""Bytes of UTF-8 (Amazon S3 User Guide, "Naming Amazon S3 objects")."""
SECOND_NS = 1_000_000_000
_FOLDER = f"{OWN_FOLDER}/uploads"


def object_key(where: Where, path: str) -> str:
    """The key of a file; raises NameRefused for what is no name of a file, or too long."""
    reason = fault_in(path)
    if not reason and len(path) + len(where.prefix) > _KEY_LIMIT // 4:
        size_bytes = len((where.prefix + path).encode())
        if size_bytes > _KEY_LIMIT:
            reason = f"the key would be {size_bytes:,} bytes long, a bucket keeps {_KEY_LIMIT:,}"
    if reason:
        raise NameRefused(reason, url=where.url, key=path)
    return where.prefix + path


def fault_in(path: str) -> str:
    """Say why ``path`` can be no file anywhere else, as a phrase, or ""."""
    if not path.isascii() and any("\ud800" <= character <= "\udfff" for character in path):
        return "the name holds bytes that are not UTF-8, which a bucket cannot keep"
    if "\0" in path:
        return "a name cannot hold the character 0"
    if "" in (names := path.split("/")):
        return "a folder without a name is in this key, which no file system can keep"
    if "." in names or ".." in names:
        return "'.' or '..' is in this key, which would lead to another folder"
    return ""


def entry_of(path: str, facts: Facts) -> Entry:
    """The entry that a listing, a look and an opened object show alike.

    The time is when the object was written, in seconds: the most that all three say.  The inode stands for the ETag,
    which is taken for nothing but a mark that changes with the object.
    """
    size_bytes = facts["Size"] if "Size" in facts else facts["ContentLength"]
    mark = hashlib.blake2b(str(facts.get("ETag", "")).strip('"').encode(), digest_size=8).digest()
    return Entry(
        path, int(size_bytes), int(facts["LastModified"].timestamp()) * SECOND_NS, inode=int.from_bytes(mark) >> 1
    )


def note_of(owner: str) -> str:
    """A new name for the small object that says whose an upload is."""
    return f"{_FOLDER}/{owner or '_'}/{secrets.token_hex(8)}"


def is_note(key: str, owner: str = "") -> bool:
    """Whether ``key`` is such a name; with ``owner``, of uploads of that owner only."""
    return key.startswith(f"{_FOLDER}/{owner}/" if owner else f"{_FOLDER}/")
