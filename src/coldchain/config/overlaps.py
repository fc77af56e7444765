"""Do two places lie in one another?"""

from __future__ import annotations

import ntpath
import os
import posixpath
from enum import Enum, auto
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from coldchain.config.places import is_windows_path
from coldchain.model import Place


class Relation(Enum):
    """How one place lies to another."""

    APART = auto()
    SAME = auto()
    INSIDE = auto()
    """The first lies in the second."""
    AROUND = auto()
    """The second lies in the first."""


def relation(first: Place, second: Place) -> Relation:
    """Compare two places: by name, and by identity where the folders exist (links, case, mounts).

    What a name hides is not seen: two addresses of one server, a bucket behind two endpoints, an alias of rclone.
    """
    one, other = _located(first, beside=second), _located(second, beside=first)
    if _is_same(one, other):
        return Relation.SAME
    if any(_is_same(above, other) for above in one.parents):
        return Relation.INSIDE
    if any(_is_same(above, one) for above in other.parents):
        return Relation.AROUND
    return Relation.APART


def _located(place: Place, *, beside: Place) -> PurePath:
    """Where a place is, as a path that can be compared with that of ``beside``."""
    if "://" not in place.url:
        return _resolved(place.url)
    scheme, _, rest = place.url.removeprefix("fsspec+").partition("://")
    host, _, path = rest.partition("/")
    match scheme:
        case "file":
            return _resolved(unquote(urlsplit(place.url).path))
        case "smb":  # a mounted share is written \\server\share, and neither tells capitals apart
            server = _host(host).removesuffix(":445")
            return PureWindowsPath(ntpath.normpath(f"//{server}/{unquote(path)}"))
        case "s3" | "gs" | "az":
            return PurePosixPath(f"{scheme}:", _service(place, beside), host.lower(), _plain(path))
        case "sftp":
            host = f"{_host(host).removesuffix(':22')}"
        case "rclone":
            pass  # names of remotes differ in capitals
        case _:
            host = _host(host)
    return PurePosixPath(f"{scheme}:", f"{host}:", _plain(path))


def _host(text: str) -> str:
    """A host without its user: two users of one server mostly see the same folders."""
    return text.rpartition("@")[2].lower()


def _plain(path: str) -> str:
    return posixpath.normpath("/" + path).lstrip("/")


def _service(place: Place, beside: Place) -> str:
    """What owns the names of buckets: an endpoint, an account; ":" where nothing is said.

    An account that only one of two places names counts as the same: the other's comes from the environment.
    """
    mine, others = dict(place.options), dict(beside.options)
    account = mine.get("account", "") if "account" in others else ""
    return f"{mine.get('endpoint', '').lower().rstrip('/').replace('/', ':')}:{account}"


def _resolved(path: str) -> PurePath:
    if is_windows_path(path) and os.name != "nt":
        return PureWindowsPath(ntpath.normpath(path))
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, or nothing that a file system could hold
        return Path(path)


def _is_same(one: PurePath, other: PurePath) -> bool:
    if one == other:
        return True
    if not (isinstance(one, Path) and isinstance(other, Path)):
        return False
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False
