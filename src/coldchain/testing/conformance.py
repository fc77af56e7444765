"""Does somebody's own place keep the contract?  ``coldchain doctor --conformance`` runs this file with pytest.

The place comes in the environment, as JSON: ``{"url": ..., "options": {...}}``.  Each test works in a folder of its own
below it, which is emptied afterwards; nothing else of the place is touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator

import pytest

from coldchain.errors import StoreError
from coldchain.model import Place
from coldchain.stores.base import Store, open_store
from coldchain.testing.contract import StoreContract

PLACE = "COLDCHAIN_CONFORMANCE"
FOLDER = "coldchain-conformance-"


def _place(url: str) -> Place:
    options = json.loads(os.environ[PLACE]).get("options", {})
    return Place("conformance", url, tuple(sorted(options.items())))


class TestConformance(StoreContract):
    """Every sentence of the contract, at the place of the environment."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """An empty folder below the place."""
        url = json.loads(os.environ[PLACE])["url"].rstrip("/")
        store = open_store(_place(f"{url}/{FOLDER}{uuid.uuid4().hex[:8]}"))
        store.make()
        yield store
        with contextlib.suppress(StoreError):
            for found in list(store.list()):
                with contextlib.suppress(StoreError):
                    store.delete(found.path)
        store.close()
        if "://" not in store.url:
            shutil.rmtree(store.url, ignore_errors=True)

    def reopen(self, store: Store) -> Store:
        """The same folder, with the options of the place."""
        return open_store(_place(store.url))
