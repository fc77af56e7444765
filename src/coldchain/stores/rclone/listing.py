"""What lies in a folder of a remote, in the order that the contract promises?"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from coldchain.errors import NotFound, StoreError
from coldchain.model import Entry, Oddity
from coldchain.stores.rclone.calling import Facts
from coldchain.stores.rclone.remote import Remote
from coldchain.stores.rclone.where import fault_in

_Items = list[tuple[str, list[Facts]]]
"""Paths, those of folders with a slash at the end, and what goes by each of them."""


def listed(remote: Remote, prefix: str, without: Collection[str]) -> Iterator[Entry | Oddity]:
    """Yield what lies below the folder ``prefix``, ascending; one folder's names are in memory, and those above it."""
    stack = [iter(_top(remote, prefix))]
    while stack:
        path, found = next(stack[-1], ("", []))
        if not found:
            stack.pop()
        elif not found[0].get("IsDir"):
            yield _seen(remote, path, found)
        elif (folder := path.removesuffix("/")) not in without:
            below = _entered(remote, folder, found)
            if isinstance(below, Oddity):
                yield below
            else:
                stack.append(iter(below))


def _entered(remote: Remote, folder: str, found: list[Facts]) -> _Items | Oddity:
    if reason := _fault_of_folder(folder, found):
        return Oddity(f"{folder}/", "unreadable", reason)
    try:
        return _in_order(remote, folder)
    except NotFound:
        return []  # it went away meanwhile
    except StoreError as error:
        if error.ends_store or error.temporary:
            raise
        return Oddity(f"{folder}/", "unreadable", error.reason)


def folders_in(remote: Remote, prefix: str) -> Iterator[str]:
    """Yield the names of the folders directly below ``prefix``, ascending."""
    for path, items in _top(remote, prefix):
        folder = path.removesuffix("/")
        if items[0].get("IsDir") and not _fault_of_folder(folder, items):
            yield folder.rpartition("/")[2]


def _top(remote: Remote, prefix: str) -> _Items:
    """Where a listing begins; raises NotFound when the root itself is not there."""
    try:
        return _in_order(remote, prefix)
    except NotFound:
        if not prefix:
            raise
        remote.volume()
        return []


def _in_order(remote: Remote, folder: str) -> _Items:
    """What lies directly in a folder."""
    try:
        items, odd = remote.lying_in(folder)
    except StoreError as error:
        if isinstance(error, FileExistsError):  # a file stands there: below it is nothing
            raise NotFound("it is no folder", url=remote.where.url, key=folder) from error
        raise
    found: dict[str, list[Facts]] = {}
    for item in items:
        found.setdefault(f"{item['Path']}/" if item.get("IsDir") else str(item["Path"]), []).append(item)
    for one in odd:
        found[one.path] = [{"Odd": one}]
    return sorted(found.items())


def _seen(remote: Remote, path: str, found: list[Facts]) -> Entry | Oddity:
    if isinstance(odd := found[0].get("Odd"), Oddity):
        return odd
    if len(found) > 1:
        return Oddity(path, "special", f"{len(found)} files have this name; give all but one of them another")
    if reason := fault_in(path):
        return Oddity(path, "special", reason)
    if int(found[0]["Size"]) < 0:
        return Oddity(path, "special", "it has no size and no bytes of its own (a document of the web application)")
    return remote.entry_of(path, found[0])


def _fault_of_folder(folder: str, found: list[Facts]) -> str:
    if len(found) > 1:
        return f"{len(found)} folders have this name; put them together (rclone dedupe)"
    return fault_in(folder)
