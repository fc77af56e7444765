"""Does a bucket of Google's kind keep the contract of stores?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from coldchain.stores.base import Store
from coldchain.stores.gcs.store import GcsStore
from coldchain.testing.contract import StoreContract
from tests.stores.gcs.serving import HASTY, Server


class TestBucket(StoreContract):
    options: ClassVar[dict[str, str]] = {}
    folder = ""
    server: Server

    @pytest.fixture
    def store(self, gcs: Server) -> Iterator[Store]:
        self.server = gcs
        bucket = gcs.bucket()
        yield gcs.store(bucket, self.folder, **self.options)
        gcs.remove(bucket)

    def reopen(self, store: Store) -> Store:
        return GcsStore(store.url, options=self.server.options(**self.options), patience=HASTY)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        bucket, _, folder = store.url.removeprefix("gs://").partition("/")
        self.server.put(bucket, f"{folder}/{key}" if folder else key, content)

    def remove_root(self, store: Store) -> None:
        self.server.remove(store.url.removeprefix("gs://").partition("/")[0])


class TestFolder(TestBucket):
    """A folder with a name that needs quoting, and every file piece by piece."""

    folder = "lab/cold store"
    options: ClassVar[dict[str, str]] = {"whole_size": "0", "part_size": "256 KiB"}

    def test_of_many_that_want_one_name_one_gets_it(self, store: Store) -> None:
        """Not tried: fake-gcs-server looks what stands under a name when a session begins, not when it ends."""
