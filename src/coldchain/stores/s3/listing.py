"""What lies in a bucket, in the order that the contract promises?

Amazon lists keys ascending by their UTF-8, which is the order of code points.  Others list folder by folder (SeaweedFS:
``a/b`` before ``a-b``), or in an order of their own: what they list is sorted here, on disk where it is long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from coldchain.errors import Unreliable
from coldchain.model import Entry, Oddity
from coldchain.stores.s3.calling import Caller, Facts
from coldchain.stores.s3.keys import entry_of, fault_in
from coldchain.stores.s3.sorting import Row, in_order
from coldchain.stores.s3.where import Where

_TRIES = 3
_LAST = "\U0010ffff"


def listed(
    call: Caller, where: Where, prefix: str, without: Collection[str], *, ordered: bool
) -> Iterator[Entry | Oddity]:
    """Yield what lies below the folder ``prefix``, ascending; ``ordered`` when the server is known to list so."""
    folders = tuple(f"{where.prefix}{folder}/" for folder in without)
    objects = _objects(call, where.prefix + (f"{prefix}/" if prefix else ""), folders, jump=ordered)
    items = (item for facts in objects if (item := _item(where, facts)) is not None)
    if ordered:
        yield from _ascending(items, where)
    else:
        yield from map(_from_row, in_order(map(_to_row, items)))


def folders_in(call: Caller, where: Where, prefix: str) -> Iterator[str]:
    """Yield the names of the folders directly below ``prefix``, ascending."""
    start = where.prefix + (f"{prefix}/" if prefix else "")
    names: Iterator[Row] = (
        [found["Prefix"][len(start) : -1]]
        for page in _pages(call, {"Prefix": start, "Delimiter": "/"})
        for found in page.get("CommonPrefixes", ())
    )
    for (name,) in in_order(names):
        if not fault_in(str(name)):  # a listing says what is wrong with it
            yield str(name)


def _objects(call: Caller, prefix: str, without: tuple[str, ...], *, jump: bool) -> Iterator[Facts]:
    wanted: Facts = {"Prefix": prefix}
    while wanted:
        asked, wanted = wanted, {}
        for page in _pages(call, asked):
            objects: list[Facts] = page.get("Contents", [])
            yield from (facts for facts in objects if not facts["Key"].startswith(without))
            last = objects[-1]["Key"] if objects else ""
            if jump and without and page.get("IsTruncated") and last.startswith(without):
                folder = next(folder for folder in without if last.startswith(folder))
                wanted = {"Prefix": prefix, "StartAfter": folder + _LAST}
                break


def _pages(call: Caller, asked: Facts) -> Iterator[Facts]:
    token: str | None = None
    while True:
        page = _page(call, {**asked, **({"ContinuationToken": token} if token else {})})
        yield page
        if not page.get("IsTruncated"):
            return
        before, token = token, page.get("NextContinuationToken")
        if not token or token == before:
            raise Unreliable("the server lists its objects only in part", url=call.url)


def _page(call: Caller, asked: Facts) -> Facts:
    """One page, which holds as much as the server says it does; what is not listed would be taken for absent."""
    for _ in range(_TRIES):
        page = call("list_objects_v2", **asked)
        found = len(page.get("Contents", ())) + len(page.get("CommonPrefixes", ()))
        if page.get("KeyCount", found) == found:
            return page
    raise Unreliable("the server lists fewer objects than it says there are", url=call.url)


def _item(where: Where, facts: Facts) -> Entry | Oddity | None:
    path = facts["Key"][len(where.prefix) :]
    if path.endswith("/") and not facts["Size"] and not fault_in(path[:-1]):
        return None  # an empty object that consoles make for an empty folder
    if path == "":
        return None  # the one of the root
    if reason := fault_in(path):
        return Oddity(path, "special", reason)
    return entry_of(path, facts)


def _ascending(items: Iterator[Entry | Oddity], where: Where) -> Iterator[Entry | Oddity]:
    before = ""
    for item in items:
        if item.path <= before:
            raise Unreliable("the server lists its objects out of order", url=where.url, key=item.path)
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
