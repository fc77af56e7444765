"""Does a bucket keep the contract of stores?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from coldchain.stores.base import Store
from coldchain.stores.s3.store import S3Store
from coldchain.testing.contract import StoreContract
from tests.stores.s3.serving import HASTY, Server


class InABucket(StoreContract):
    """What all buckets share; the fixture ``server`` is where it lies."""

    options: ClassVar[dict[str, str]] = {}
    folder = ""
    server_used: Server

    @pytest.fixture
    def server(self) -> Server:
        raise NotImplementedError

    @pytest.fixture
    def store(self, server: Server) -> Iterator[Store]:
        bucket = server.bucket()
        yield server.store(bucket, self.folder, **self.options)
        server.remove(bucket)

    @pytest.fixture(autouse=True)
    def known(self, server: Server) -> None:
        self.server_used = server

    def reopen(self, store: Store) -> Store:
        return S3Store(store.url, options=self.server_used.options(**self.options), patience=HASTY)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        bucket, _, folder = store.url.removeprefix("s3://").partition("/")
        self.server_used.client.put_object(Bucket=bucket, Key=f"{folder}/{key}" if folder else key, Body=content)

    def remove_root(self, store: Store) -> None:
        bucket = store.url.removeprefix("s3://").partition("/")[0]
        self.server_used.remove(bucket)


class TestBucketOfSeaweedFS(InABucket):
    @pytest.fixture
    def server(self, weed: Server) -> Server:
        return weed


class TestFolderOfSeaweedFS(TestBucketOfSeaweedFS):
    """A folder with a name that needs quoting, and every file in parts."""

    folder = "lab/cold store"
    options: ClassVar[dict[str, str]] = {"whole_size": "0"}


class TestBucketOfMoto(InABucket):
    @pytest.fixture
    def server(self, moto: Server) -> Server:
        return moto
