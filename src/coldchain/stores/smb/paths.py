"""What is a key called on a share, and what does the share's answer say in our words?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coldchain.errors import NameRefused, NotFound
from coldchain.model import Entry
from coldchain.stores.smb.messages import Facts

_EPOCH = 116_444_736_000_000_000
"""1970-01-01 in units of 100 ns since 1601 ([MS-DTYP] 2.3.3)."""
_NAME_SURROGATE = 0x20000000
_NEVER = re.compile(r"[\x00:\\]")
_NO_TEXT = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of UTF-16 pairs that do not stand for a byte (PEP 383)."""


def wire_name(root: str, key: str, *, url: str) -> bytes:
    r"""The name below the share, as UTF-16; raises NameRefused for what would lead elsewhere.

    ``\`` parts folders, and ``a:b`` names a hidden stream of ``a``: they are never sent, whatever a server makes of
    them.
    """
    for name in key.split("/") if key else ():
        if name in {"", ".", ".."}:
            raise NameRefused("not a name below this folder", url=url, key=key)
        if bad := _NEVER.search(name):
            raise NameRefused(f"no share keeps the character {bad[0]!r} in a name", url=url, key=key)
    path = "\\".join(part for part in (root, key.replace("/", "\\")) if part)
    encoded = path.encode("utf-16-le", "surrogatepass")
    if len(encoded) > 65_000:
        raise NameRefused("the path is too long for the protocol (32,500 characters)", url=url, key=key)
    return encoded


def looking_name(root: str, key: str, *, url: str) -> bytes:
    """The same for what is only looked for: a name that cannot be is not there."""
    try:
        return wire_name(root, key, url=url)
    except NameRefused as error:
        raise NotFound(error.reason, url=url, key=key) from None


def text_of(name: bytes) -> tuple[str, bool]:
    """A name of the share as text, and whether it can be kept as it is in a key."""
    text = name.decode("utf-16-le", "surrogatepass") if not len(name) % 2 else "\0"
    if _NO_TEXT.search(text) or "/" in text or "\0" in text:
        return name.decode("utf-16-le", "replace").replace("/", "\ufffd").replace("\0", "\ufffd"), False
    return text, True


def entry_of(key: str, facts: Facts) -> Entry:
    """A plain file as the share shows it; there is no mode."""
    return Entry(key, facts.size_bytes, to_ns(facts.mtime), to_ns(facts.ctime), facts.number & (2**63 - 1), 0)


def to_ns(filetime: int) -> int:
    """Nanoseconds since 1970."""
    return (filetime - _EPOCH) * 100


def filetime(mtime_ns: int) -> int:
    """Units of 100 ns since 1601; 0, which changes nothing, for a time that is unknown or before 1601."""
    return max(0, mtime_ns // 100 + _EPOCH) if mtime_ns else 0


def is_link(facts: Facts) -> bool:
    """A symbolic link or junction; other reparse points (deduplication, cloud files) are what they look like."""
    return bool(facts.attributes & 0x400 and facts.tag & _NAME_SURROGATE)


def parents(key: str) -> Iterator[str]:
    """The folders above a key, from the inside, without the root."""
    while key := key.rpartition("/")[0]:
        yield key
