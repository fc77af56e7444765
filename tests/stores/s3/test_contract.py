"""Does a bucket keep the contract of stores?"""

from __future__ import annotations

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

    @pytest.fixture
    def store(self, server: Server) -> Store:
        return server.store(server.bucket(), self.folder, **self.options)

    @pytest.fixture(autouse=True)
    def known(self, server: Server) -> None:
        self.server = server

    def reopen(self, store: Store) -> Store:
        return S3Store(store.url, options=self.server.options(**self.options), patience=HASTY)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        bucket, _, folder = store.url.removeprefix("s3://").partition("/")
        self.server.client.put_object(Bucket=bucket, Key=f"{folder}/{key}" if folder else key, Body=content)

    def remove_root(self, store: Store) -> None:
        bucket = store.url.removeprefix("s3://").partition("/")[0]
        for key in self.server.keys(bucket):
            self.server.client.delete_object(Bucket=bucket, Key=key)
        self.server.client.delete_bucket(Bucket=bucket)


class TestBucketOfSeaweedFS(InABucket):
    @pytest.fixture
    def server(self, weed: Server) -> Server:
        return weed


class TestFolderOfSeaweedFS(TestBucketOfSeaweedFS):
    folder = "lab/cold store"


class TestBucketOfMoto(InABucket):
    @pytest.fixture
    def server(self, moto: Server) -> Server:
        return moto
