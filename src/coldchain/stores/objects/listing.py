"""What lies in a bucket, in the order that the contract promises?

A server that is known to list by code point is believed, and watched; what others list is sorted here, on disk where it
is long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from coldchain.errors import Unreliable
from coldchain.model import Entry, Oddity
from coldchain.stores.objects.bucket import Bucket, Found
from coldchain.stores.objects.keys import fault_in
from coldchain.stores.objects.sorting import Row, in_order


def listed(bucket: Bucket, folder: str, without: Collection[str]) -> Iterator[Entry | Oddity]:
    """Yield what lies below ``folder``, ascending."""
    left_out = tuple(f"{other}/" for other in without)
    items = (
        item
        for path, found in bucket.objects(folder, without)
        if not path.startswith(left_out) and (item := _item(path, found)) is not None
    )
    if bucket.in_order:
        yield from _ascending(items, bucket.url)
    else:
        yield from map(_from_row, in_order(map(_to_row, items)))


def folders_in(bucket: Bucket, folder: str) -> Iterator[str]:
    """Yield the names of the folders directly below, ascending."""
    names: Iterator[Row] = ([name] for name in bucket.folders(folder))
    for (name,) in in_order(names):
        if not fault_in(str(name)):  # a listing says what is wrong with it
            yield str(name)


def _item(path: str, found: Found) -> Entry | Oddity | None:
    if found.is_folder or path == "":
        return None
    if path.endswith("/") and not found.size_bytes and not fault_in(path[:-1]):
        return None  # an empty object that consoles make for an empty folder
    if reason := fault_in(path):
        return Oddity(path, "special", reason)
    return found.entry(path)


def _ascending(items: Iterator[Entry | Oddity], url: str) -> Iterator[Entry | Oddity]:
    before = ""
    for item in items:
        if item.path <= before:
            raise Unreliable("the server lists its objects out of order", url=url, key=item.path)
        before = item.path
        yield item


def _to_row(item: Entry | Oddity) -> Row:
    if isinstance(item, Oddity):
        return [item.path, item.what, item.reason]
    return [item.path, item.size_bytes, item.mtime_ns, item.inode]


def _from_row(row: Row) -> Entry | Oddity:
    path, *facts = row
    if len(facts) == 2:
        return Oddity(str(path), str(facts[0]), str(facts[1]))
    return Entry(str(path), int(facts[0]), int(facts[1]), inode=int(facts[2]))
