"""Does a folder on an SSH server keep the contract of stores?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.stores.base import Store
from coldchain.stores.sftp.store import SftpStore
from coldchain.testing.contract import StoreContract
from coldchain.testing.contract.publishing import PublishingContract
from coldchain.testing.contract.staging import StagingContract
from tests.stores.sftp.failing import Server
from tests.stores.sftp.serving import HASTY, Sshd


class OverSftp(StoreContract):
    """What all servers share."""

    place: Path
    options: dict[str, str]

    @pytest.fixture
    def store(self, sshd: Sshd, tmp_path: Path) -> Iterator[Store]:
        self.place, self.options = tmp_path / "a place", sshd.options()
        self.place.mkdir()
        store = sshd.store(str(self.place).replace(" ", "%20"))
        yield store
        store.close()

    def reopen(self, store: Store) -> Store:
        return SftpStore(store.url, options=self.options, patience=HASTY)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        (self.place / key).write_bytes(content)

    def remove_root(self, store: Store) -> None:
        shutil.rmtree(self.place)


class TestOpenSsh(OverSftp):
    """sftp-server within sshd, with all extensions of OpenSSH."""


class TestWithoutExtensions(StagingContract, PublishingContract):
    """A server that has nothing but version 3 of the protocol; it cannot keep a name standing while it is replaced."""

    @pytest.fixture
    def store(self, bare: Server, tmp_path: Path) -> Iterator[Store]:
        place = tmp_path / "place"
        place.mkdir()
        store = bare.store(place)
        yield store
        store.close()
