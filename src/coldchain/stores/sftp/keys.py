"""Which path on the server is which file, and what is known of it?"""

from __future__ import annotations

import stat as stats
from typing import TYPE_CHECKING

from coldchain.errors import NameRefused
from coldchain.model import Entry, Oddity

if TYPE_CHECKING:
    from asyncssh import SFTPAttrs

SECOND_NS = 1_000_000_000
_WHAT = {
    stats.S_ISFIFO: "a named pipe",
    stats.S_ISSOCK: "a socket",
    stats.S_ISCHR: "a device",
    stats.S_ISBLK: "a device",
}


def encoded(key: str, url: str = "") -> bytes:
    """The bytes of a key; raises NameRefused for what is no name below the root."""
    names = key.split("/")
    if "" in names or "." in names or ".." in names or "\0" in key:
        raise NameRefused("not a name below this folder", url=url, key=key)
    try:
        return key.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise NameRefused("the name holds what no bytes stand for", url=url, key=key) from None


def decoded(name: bytes) -> str:
    """The name that stands for these bytes."""
    return name.decode("utf-8", "surrogateescape")


def above(key: str) -> list[str]:
    """The folders above a key, the nearest last; without the root."""
    names = key.split("/")
    return ["/".join(names[:depth]) for depth in range(1, len(names))]


def seen(key: str, attributes: SFTPAttrs) -> Entry | Oddity:
    """What stands there, as version 3 of the protocol says it: whole seconds, no ctime, no inode."""
    mode = attributes.permissions or 0
    if stats.S_ISREG(mode) and attributes.size is not None:
        return Entry(key, attributes.size, (attributes.mtime or 0) * SECOND_NS, mode=mode)
    if stats.S_ISDIR(mode):
        return Oddity(key, "special", "a folder")
    if stats.S_ISLNK(mode):
        return Oddity(key, "symlink", "a symbolic link; links are not followed")
    what = next((word for test, word in _WHAT.items() if test(mode)), "the server does not say what this is")
    return Oddity(key, "special", f"{what}; only plain files are carried")


def is_folder(attributes: SFTPAttrs) -> bool:
    """Whether it is one itself, and no link to one."""
    return stats.S_ISDIR(attributes.permissions or 0)


def is_link(attributes: SFTPAttrs) -> bool:
    """Whether it is a symbolic link."""
    return stats.S_ISLNK(attributes.permissions or 0)
