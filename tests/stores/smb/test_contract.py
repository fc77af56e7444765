"""Does a folder of a share keep the contract of stores?"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from coldchain.stores.base import Store
from coldchain.stores.smb.store import SmbStore
from coldchain.testing.contract import StoreContract
from coldchain.testing.contract.staging import StagingContract
from tests.stores.smb.serving import HASTY, Server, said


class OnAShare:
    """What all shares have in common; encrypted, as Samba offers it."""

    options: ClassVar[dict[str, str]] = {}
    protection = "encrypted"
    root: Path

    @pytest.fixture
    def store(self, samba: Server) -> Iterator[Store]:
        name = f"place µ {uuid.uuid4().hex[:8]}"
        self.root = samba.place(name)
        store = samba.store(name.replace(" ", "%20"), **self.options)
        assert self.protection in store.agreed
        yield store
        store.close()

    def reopen(self, store: Store) -> Store:
        return SmbStore(store.url, options=said(**self.options), patience=HASTY)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        (self.root / key).write_bytes(content)

    def remove_root(self, store: Store) -> None:
        shutil.rmtree(self.root)


class TestShareOfSamba(OnAShare, StoreContract):
    """All of it."""


class TestSignedShareOfSamba(OnAShare, StagingContract):
    """What signing alone could change is how bytes travel."""

    options: ClassVar[dict[str, str]] = {"encrypt": "no", "auth": "ntlm"}
    protection = "signed"
