"""Is a bucket listed whole and in order, whatever its server does and whatever lies in it?"""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest

from coldchain.errors import NotFound, Unreliable
from coldchain.model import Entry, Oddity
from coldchain.stores.objects.sorting import in_order
from coldchain.stores.s3.connection import _moment
from coldchain.stores.s3.store import S3Store
from tests.stores.s3.serving import Server


def telling(store: S3Store, call: object, *, ordered: bool) -> S3Store:
    """The same store, whose questions ``call`` answers; ``ordered`` if it is believed to list in order."""
    store._bucket.call = call  # type: ignore[assignment]
    store._bucket.in_order = ordered
    return store


def put(server: Server, bucket: str, keys: list[str]) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: server.client.put_object(Bucket=bucket, Key=key, Body=b"x"), keys))


@pytest.fixture
def here(weed: Server) -> Iterator[str]:
    bucket = weed.bucket()
    yield bucket
    weed.remove(bucket)


@pytest.fixture
def there(moto: Server) -> Iterator[str]:
    bucket = moto.bucket()
    yield bucket
    moto.remove(bucket)


def test_a_server_that_lists_folder_by_folder_is_put_in_order(weed: Server, here: str) -> None:
    """SeaweedFS lists a/x before a-b; several pages, so that the disorder crosses them."""
    keys = [f"{folder}{number:04d}" for folder in ("a/", "a-", "a.", "a/b/", "a/b-", "a0") for number in range(200)]
    put(weed, here, keys)
    assert weed.keys(here) != sorted(keys), "the server lists in order by now: the test shows nothing"
    assert [item.path for item in weed.store(here).list()] == sorted(keys)
    without = [item.path for item in weed.store(here).list(without=["a/b"])]
    assert without == [key for key in sorted(keys) if not key.startswith("a/b/")]


def test_a_long_listing_waits_on_disk() -> None:
    """P17: what is sorted does not lie in memory."""
    keys = [f"run{number % 977}/f{number:06d}.tif" for number in range(150_000)]
    random.Random(1).shuffle(keys)
    tracemalloc.start()
    found = sum(1 for before, after in pairs(in_order([key, 1, 2, 3] for key in keys)) if before < after)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == len(keys) - 1
    assert peak_bytes < 30 << 20


def pairs(rows: Iterator[list[str | int]]) -> Iterator[tuple[str, str]]:
    before = str(next(rows)[0])
    for row in rows:
        yield before, (before := str(row[0]))


@pytest.mark.parametrize("run", [1, 2, 3, 7, 100])
def test_whatever_order_rows_come_in_they_leave_sorted_and_once(run: int) -> None:
    keys = ["b", "a-b", "a/b", "\ufffd", "\U00010000", "a", "a", "é"]
    assert [row[0] for row in in_order(([key] for key in keys), run)] == sorted(set(keys))


def test_folders_that_are_left_out_are_jumped_over_where_the_order_is_known(moto: Server, there: str) -> None:
    """A folder of several pages costs one request."""
    keys = [f"big/{number:05d}" for number in range(120)] + ["a", "big-", "big0", "z"]
    put(moto, there, keys)
    store = moto.store(there)
    real = store._bucket.call
    asked: list[object] = []

    def call(operation: str, key: str = "", **arguments: Any) -> dict[str, object]:
        asked.append(arguments)
        return real(operation, key, MaxKeys=100, **arguments)

    call.url = store.url  # type: ignore[attr-defined]
    found = [item.path for item in telling(store, call, ordered=True).list(without=["big"])]
    assert found == ["a", "big-", "big0", "z"]
    assert len(asked) == 2


def test_a_server_that_breaks_the_order_it_promises_is_not_believed(weed: Server, here: str) -> None:
    put(weed, here, ["a/x", "a-x"])
    store = weed.store(here)
    with pytest.raises(Unreliable):
        list(telling(store, store._bucket.call, ordered=True).list())


WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = {"ok/file", "z +%20 #"}
ODD = {"//a", "a//b", "folder/", "full/", "/x"}
DOTTED = {"../x", "a/../b", "./y", "a/./b"}


def test_keys_that_can_be_no_path_are_shown_with_a_reason_and_never_merged(moto: Server, there: str) -> None:
    """faults.md: others skip such keys on the way back, and report success."""
    for key in ODD | PLAIN:
        moto.client.put_object(Bucket=there, Key=f"root/{key}", Body=b"" if key == "folder/" else b"x")
    store = moto.store(there, "root")
    items = list(store.list())
    assert [item.path for item in items] == sorted((ODD | PLAIN) - {"folder/"})
    assert {item.path for item in items if isinstance(item, Entry)} == PLAIN
    assert all(item.reason for item in items if isinstance(item, Oddity))
    assert list(store.folders()) == ["a", "folder", "full", "ok"]
    for key in ("a//b", "../x", "./y"):
        with pytest.raises(NotFound):
            store.read(key)


def test_keys_with_dots_for_folders_are_shown_with_a_reason(moto: Server, there: str) -> None:
    """No client of Python can make them, but others can: urllib3 resolves the dots."""

    def call(operation: str, **arguments: object) -> dict[str, object]:
        return {"Contents": [{"Key": key, "Size": 1, "LastModified": WRITTEN} for key in DOTTED | PLAIN]}

    call.url = ""  # type: ignore[attr-defined]
    items = list(telling(moto.store(there), call, ordered=False).list())
    assert [item.path for item in items] == sorted(DOTTED | PLAIN)
    assert {item.path for item in items if isinstance(item, Oddity)} == DOTTED


def test_a_hundred_thousand_keys_are_listed_each_once_whatever_their_order(moto: Server, there: str) -> None:
    """Pages as a server gives them that lists backwards."""
    keys = [f"run{number % 7}/f{number:05d}" for number in range(100_000)]
    backwards = sorted(keys, reverse=True)

    def call(operation: str, **arguments: object) -> dict[str, object]:
        start = int(str(arguments.get("ContinuationToken", 0)))
        page = [{"Key": key, "Size": 1, "LastModified": WRITTEN} for key in backwards[start : start + 1000]]
        more = start + 1000 < len(keys)
        return {"Contents": page, "IsTruncated": more, "NextContinuationToken": str(start + 1000)}

    call.url = ""  # type: ignore[attr-defined]
    found = [item.path for item in telling(moto.store(there), call, ordered=False).list()]
    assert found == sorted(keys)


def test_a_listing_that_the_server_cuts_short_is_an_error(moto: Server, there: str) -> None:
    def call(operation: str, **arguments: object) -> dict[str, object]:
        return {"IsTruncated": True}

    call.url = ""  # type: ignore[attr-defined]
    with pytest.raises(Unreliable):
        list(telling(moto.store(there), call, ordered=False).list())


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-21T13:14:15.123Z",
        "2026-11-21T13:14:15Z",
        "2026-11-21T13:14:15+02:00",
        "2026-11-21T13:14:15.123456789Z",
        "2026-11-21T13:14:15",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "1422172800",
        1422172800,
    ],
)
def test_a_time_is_what_botocore_says_it_is(said: object) -> None:
    assert _moment(said) == import_module("botocore.utils").parse_timestamp(said)
