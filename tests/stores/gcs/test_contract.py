"""Does a bucket of Google's kind keep the contract of stores?"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from coldchain.errors import Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.base import Store
from coldchain.stores.gcs.store import GcsStore
from coldchain.testing.contract import StoreContract
from coldchain.testing.contract.acts import content_of, everything, put_in, some_bytes, staging_of
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
        """Google's server lets one have it (see TestBucket for requests that are whole).

        fake-gcs-server looks what stands under a name when a session begins, not when it ends: so several may be told
        that they have it.  What stands there then is the whole content of one of those, and the others are told.
        """

        def want(number: int) -> Entry | StoreError:
            with staging_of(store) as staging:
                put_in(staging, "run/wanted", some_bytes(5000, salt=number))
                staging.flush()
                return staging.publish({"run/wanted": None})["run/wanted"]

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(want, range(4)))
        told = [number for number, result in enumerate(results) if isinstance(result, Entry)]
        assert all(isinstance(result, Entry | Occupied) for result in results)
        assert content_of(store, "run/wanted") in [some_bytes(5000, salt=number) for number in told]
        assert everything(store) == ["run/wanted"]
        with staging_of(store) as staging:  # whoever comes later finds it occupied
            put_in(staging, "run/wanted", b"late")
            staging.flush()
            assert isinstance(staging.publish({"run/wanted": None})["run/wanted"], Occupied)
