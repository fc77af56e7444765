"""Which pages does a bucket show of what lies in it?

Amazon lists keys ascending by their UTF-8, which is the order of code points.  Others list folder by folder (SeaweedFS:
``a/b`` before ``a-b``), or in an order of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import groupby
from os.path import commonprefix

from coldchain.errors import StoreError, Unreliable
from coldchain.stores.s3.calling import Caller, Facts

_TRIES = 3
_LAST = "\U0010ffff"
_WORTH_A_PAGE = 50
"""A page of a thousand that shows so many of those that are looked for costs less than asking for each."""


def objects(call: Caller, prefix: str, without: tuple[str, ...], *, jump: bool) -> Iterator[Facts]:
    """Yield the objects whose keys begin with ``prefix``, and with none of ``without``.

    With ``jump``, for servers that list in order, what is left out costs one request, however long it is.
    """
    wanted: Facts = {"Prefix": prefix}
    while wanted:
        asked, wanted = wanted, {}
        for page in pages(call, asked):
            found: list[Facts] = page.get("Contents", [])
            yield from (facts for facts in found if not facts["Key"].startswith(without))
            last = found[-1]["Key"] if found else ""
            if jump and without and page.get("IsTruncated") and last.startswith(without):
                folder = next(folder for folder in without if last.startswith(folder))
                wanted = {"Prefix": prefix, "StartAfter": folder + _LAST}
                break


def together(call: Caller, keys: Collection[str]) -> Iterator[Facts]:
    """Yield those of many objects that listings show in far fewer requests; whatever goes wrong, the rest is left out.

    Objects that were written one after the other mostly have the beginning of their names in common.  Where many others
    lie between them, the first page shows that.
    """
    for _, group in groupby(sorted(keys), key=lambda key: key.rpartition("/")[0]):
        wanted = list(group)
        left = len(wanted)
        beginning = commonprefix([wanted[0], wanted[-1]])  # noqa: RUF071 - of the names, not of their folders
        with suppress(StoreError):
            for page in pages(call, {"Prefix": beginning}) if left >= _WORTH_A_PAGE else ():
                found = [facts for facts in page.get("Contents", ()) if facts["Key"] in keys]
                yield from found
                left -= len(found)
                if len(found) < _WORTH_A_PAGE or left < _WORTH_A_PAGE:
                    break


def pages(call: Caller, asked: Facts) -> Iterator[Facts]:
    """Yield one page after the other; raises Unreliable where the server cuts the listing short."""
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
