"""Does what all buckets share keep the contract of stores, whatever a server can do and cannot?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ClassVar

import pytest

from coldchain.errors import StoreError
from coldchain.model import Entry
from coldchain.stores.base import Store
from coldchain.stores.objects.bucket import Abilities
from coldchain.testing.contract import StoreContract
from coldchain.testing.contract.acts import content_of, everything, put_in, some_bytes, staging_of
from tests.stores.objects.remembering import WHOLE_BYTES, Server, store_of

HEEDLESS = Abilities(heeds=False, vouches="")


class TestBucket(StoreContract):
    """As good a server as there is."""

    manner: ClassVar[dict[str, object]] = {}
    whole_bytes = WHOLE_BYTES

    @pytest.fixture
    def store(self) -> Store:
        self.server = replace(Server(), **self.manner)  # type: ignore[arg-type]
        return store_of(self.server, whole_bytes=self.whole_bytes)

    def reopen(self, store: Store) -> Store:
        return store_of(self.server, whole_bytes=self.whole_bytes)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        self.server.make(key, content, {})

    def remove_root(self, store: Store) -> None:
        self.server.is_there = False


class TestEachFilePieceByPiece(TestBucket):
    whole_bytes = 0


class TestServerThatTellsNothing(TestBucket):
    """No conditions, no checksums, no order, and no word of what was written."""

    manner: ClassVar[dict[str, object]] = {
        "in_order": False,
        "whole": HEEDLESS,
        "large": HEEDLESS,
        "shows": frozenset(),
        "tells": False,
    }

    def test_of_many_that_want_one_name_one_gets_it(self, store: Store) -> None:
        """Nobody can keep two writers apart whom the server does not; but what stands there is the whole of one."""
        contents = [some_bytes(5000, salt=number) for number in range(8)]
        with ThreadPoolExecutor(len(contents)) as pool:
            results = list(pool.map(lambda content: self._want(store, content), contents))
        assert content_of(store, "run/wanted") in contents
        assert any(isinstance(result, Entry) for result in results)
        assert everything(store) == ["run/wanted"]

    @staticmethod
    def _want(store: Store, content: bytes) -> Entry | StoreError:
        with staging_of(store) as staging:
            put_in(staging, "run/wanted", content)
            staging.flush()
            return staging.publish({"run/wanted": None})["run/wanted"]
