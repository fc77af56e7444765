"""Do two places lie in one another?"""

from __future__ import annotations

import ntpath
import os
import posixpath
from enum import Enum, auto
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from coldchain.config.places import is_windows_path


class Relation(Enum):
    """How one place lies to another."""

    APART = auto()
    SAME = auto()
    INSIDE = auto()
    """The first lies in the second."""
    AROUND = auto()
    """The second lies in the first."""


def relation(first: str, second: str) -> Relation:
    """Compare two URLs or absolute paths: by name, and by identity where the folders exist (links, case, mounts)."""
    one, other = _located(first), _located(second)
    if _is_same(one, other):
        return Relation.SAME
    if any(_is_same(above, other) for above in one.parents):
        return Relation.INSIDE
    if any(_is_same(above, one) for above in other.parents):
        return Relation.AROUND
    return Relation.APART


def _located(url: str) -> PurePath:
    if "://" not in url:
        return _resolved(url)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _resolved(unquote(parts.path))
    return PurePosixPath(f"{parts.scheme}:", parts.netloc.lower(), posixpath.normpath("/" + parts.path).lstrip("/"))


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
