"""Does a container of Azure's kind keep the contract of stores?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from coldchain.stores.azure.store import AzureStore
from coldchain.stores.base import Store
from coldchain.testing.contract import StoreContract
from tests.stores.azure.serving import HASTY, Server


class TestContainer(StoreContract):
    options: ClassVar[dict[str, str]] = {}
    folder = ""
    server: Server

    @pytest.fixture
    def store(self, azurite: Server) -> Iterator[Store]:
        self.server = azurite
        container = azurite.bucket()
        yield azurite.store(container, self.folder, **self.options)
        azurite.remove(container)

    def reopen(self, store: Store) -> Store:
        return AzureStore(store.url, options=self.server.options(**self.options), patience=HASTY)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        container, _, folder = store.url.removeprefix("az://").partition("/")
        self.server.put(container, f"{folder}/{key}" if folder else key, content)

    def remove_root(self, store: Store) -> None:
        self.server.remove(store.url.removeprefix("az://").partition("/")[0])


class TestFolder(TestContainer):
    """A folder with a name that needs quoting, and every file piece by piece."""

    folder = "lab/cold store"
    options: ClassVar[dict[str, str]] = {"whole_size": "0", "part_size": "64 KiB"}
