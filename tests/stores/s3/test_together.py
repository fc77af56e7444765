"""Are many objects that were just written looked at together, and is none taken for there that is not?"""

from __future__ import annotations

from typing import Any

import pytest

from coldchain.errors import FlushFailed, Unreliable
from coldchain.model import Entry
from coldchain.stores.s3.bucket import S3Bucket
from coldchain.stores.s3.store import S3Store
from coldchain.testing.contract.acts import carry, put_in, staging_of
from tests.stores.s3.serving import Server

FILES = {f"run/image-{number:03}.tif": b"%d" % number * 50 for number in range(120)}
FILES |= {f"run/{number:03}/only": b"one" for number in range(3)} | {"top": b"t"}


class Asked:
    """What is asked by botocore, and by obstore."""

    def __init__(self, bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operations: list[str] = []
        self.looks: list[str] = []
        self.bucket, call, quick = bucket, bucket.call, bucket.call.quick
        assert quick is not None, "obstore is not installed"
        look = quick.look

        def asked(operation: str, key: str = "", **arguments: Any) -> dict[str, Any]:
            self.operations.append(operation)
            return self.answer(operation, call(operation, key, **arguments))

        def looked(key: str) -> dict[str, Any] | None:
            self.looks.append(key)
            return look(key)

        for name in ("quick", "url"):
            setattr(asked, name, getattr(call, name))
        monkeypatch.setattr(bucket, "call", asked)
        monkeypatch.setattr(quick, "look", looked)

    def answer(self, operation: str, facts: dict[str, Any]) -> dict[str, Any]:
        """What the server says, unless a test says otherwise."""
        return facts


@pytest.fixture
def store(weed: Server, bucket: str) -> S3Store:
    store = weed.store(bucket)
    store._bucket.whole("")  # what the server can do was found out before
    return store


def entries(store: S3Store) -> dict[str, Entry]:
    return {item.path: item for item in store.list() if isinstance(item, Entry)}


def test_p02_a_hundred_objects_cost_one_listing_and_not_a_hundred_looks(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(store._bucket, monkeypatch)
    results = carry(store, FILES)
    assert results == entries(store)
    assert asked.operations.count("head_object") == 0
    assert asked.operations.count("list_objects_v2") == 2, "one for the images, one by this test"
    assert sorted(asked.looks) == ["run/000/only", "run/001/only", "run/002/only", "top"]


def test_p02_what_the_listing_does_not_show_or_shows_otherwise_is_looked_at_by_itself(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server may list what was, for a while."""

    class Behind(Asked):
        def answer(self, operation: str, facts: dict[str, Any]) -> dict[str, Any]:
            if operation == "list_objects_v2":
                first, second, *rest = facts["Contents"]
                facts = {**facts, "Contents": [{**first, "ETag": '"earlier"'}, *rest], "KeyCount": len(rest) + 1}
                assert second
            return facts

    asked = Behind(store._bucket, monkeypatch)
    results = carry(store, FILES)
    monkeypatch.undo()
    assert results == entries(store)
    assert len(asked.looks) == 4 + 2


def test_p02_where_no_listing_is_to_be_had_each_is_looked_at(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden(Asked):
        def answer(self, operation: str, facts: dict[str, Any]) -> dict[str, Any]:
            if operation == "list_objects_v2":
                raise Unreliable("no listing", url=store.url)
            return facts

    asked = Forbidden(store._bucket, monkeypatch)
    results = carry(store, FILES)
    monkeypatch.undo()
    assert results == entries(store)
    assert len(asked.looks) == len(FILES)


def test_p02_an_object_that_the_server_lost_is_not_there_whatever_it_said(
    weed: Server, bucket: str, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = "run/image-007.tif"
    quick = store._bucket.call.quick
    assert quick is not None
    put = quick.put

    def losing(key: str, *arguments: Any) -> dict[str, Any] | None:
        sent = put(key, *arguments)
        if key == lost:
            weed.client.delete_object(Bucket=bucket, Key=key)
        return sent

    monkeypatch.setattr(quick, "put", losing)
    with staging_of(store) as staging:
        for key, content in FILES.items():
            put_in(staging, key, content)
        results = staging.publish(dict.fromkeys(FILES))
    assert isinstance(results.pop(lost), FlushFailed)
    assert results == entries(store)


def test_a_folder_with_many_others_between_is_not_listed_for_ever(
    weed: Server, bucket: str, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names without a common beginning, in a bucket of many: after one page they are looked at one by one."""
    names = {f"{'az'[number >= 40]}{number}": b"x" for number in range(200)}
    carry(store, {f"b{number:04}": b"o" for number in range(2500)})
    asked = Asked(store._bucket, monkeypatch)
    carry(store, names)
    assert asked.operations.count("list_objects_v2") == 1
    assert sorted(asked.looks) == sorted(name for name in names if name.startswith("z"))


def test_p02_as_many_pages_as_show_them_are_read(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {f"f{number:04}": b"x" for number in range(2030)}
    asked = Asked(store._bucket, monkeypatch)
    carry(store, names)
    assert asked.operations.count("list_objects_v2") == 2
    assert len(asked.looks) == 30, "for so few another page is not worth it"
