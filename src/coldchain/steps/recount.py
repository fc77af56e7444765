"""What lies in a place, as code says that neither carried nor recorded it?

Local folders are listed by a walk of its own, which raises where ``os.walk`` would leave out what it cannot read;
remote places by the plain listing of their provider.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from coldchain.errors import StoreError, from_os_error
from coldchain.model import Entry, Place, Tally
from coldchain.stores.base import open_store, scheme_of

NAMED = 50
"""So many differences are named; all are counted."""
_TEMPORARY = re.compile(r"\.~[0-9a-z]*-[0-9a-f]{8}\.coldchain$")

Sized = tuple[str, int]


class Range(NamedTuple):
    """A part of a place: what lies below a folder under names that begin so."""

    folder: str = ""
    begins: str = ""
    without: Collection[str] = ()
    """Folders in it that are left out, whole."""


class Comparison(NamedTuple):
    """A fresh listing beside what was expected."""

    found: Tally
    differences: tuple[str, ...]
    """The first ``NAMED``, each a sentence."""
    more: int
    others: Tally
    """What lies there and was not expected."""


def listed(place: Place, where: Range) -> Iterator[Sized]:
    """Yield the key and size of each plain file, in any order; raises StoreError when a folder cannot be read."""
    start = f"{where.folder}/{where.begins}" if where.folder else where.begins
    found = _walk(place, where) if scheme_of(place.url) == "file" else _remote(place, where)
    for key, size_bytes in found:
        if key.startswith(start) and not _TEMPORARY.search(key):
            yield key, size_bytes


def compare(expected: Mapping[str, int], found: Iterator[Sized]) -> Comparison:
    """Look for what is missing or has another size."""
    total, others, left = Tally(), Tally(), dict(expected)
    differences: list[str] = []
    count = 0
    for key, size_bytes in found:
        wanted = left.pop(key, None)
        if wanted is None:
            others += Tally(1, size_bytes)
            continue
        total += Tally(1, size_bytes)
        if wanted != size_bytes:
            count += 1
            if len(differences) < NAMED:
                differences.append(f"{key}: {size_bytes:,} bytes, should be {wanted:,}")
    for key in sorted(left)[: NAMED - len(differences)]:
        differences.append(f"{key}: not there, should have {left[key]:,} bytes")
    return Comparison(total, tuple(differences), count + len(left) - len(differences), others)


def local_folder(place: Place) -> str | None:
    """The folder of a local place; None for any other."""
    if scheme_of(place.url) != "file":
        return None
    if not place.url.startswith("file://"):
        return place.url
    path = os.fsdecode(unquote_to_bytes(urlsplit(place.url).path))
    return path[1:] if sys.platform == "win32" and re.match(r"/[A-Za-z]:", path) else path


def _walk(place: Place, where: Range) -> Iterator[Sized]:
    root = local_folder(place) or place.url
    waiting = [where.folder]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(root, folder) if folder else root) as entries:  # noqa: PTH118 - bytes-faithful
                there = list(entries)
        except FileNotFoundError:
            if folder == "":
                raise from_os_error(FileNotFoundError(2, "not there"), url=place.url, key=folder) from None
            continue  # a dataset that has nothing here, or a folder that went meanwhile
        except OSError as error:
            raise from_os_error(error, url=place.url, key=folder) from error
        for one in there:
            key = f"{folder}/{one.name}" if folder else one.name
            found = _look_at(one, place, key)
            if found is not None and stat.S_ISDIR(found.st_mode) and key not in where.without:
                waiting.append(key)
            elif found is not None and stat.S_ISREG(found.st_mode):
                yield key, found.st_size


def _look_at(one: os.DirEntry[str], place: Place, key: str) -> os.stat_result | None:
    try:
        return one.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, url=place.url, key=key) from error


def _remote(place: Place, where: Range) -> Iterator[Sized]:
    store = open_store(place)
    try:
        for one in store.list(where.folder, without=where.without):
            if isinstance(one, Entry):
                yield one.path, one.size_bytes
    finally:
        store.close()


def trouble(error: StoreError) -> str:
    """Why a place could not be counted."""
    return f"{error.url}: {error.key}: {error.reason}" if error.key else f"{error.url}: {error.reason}"
