"""Does a folder on an SSH server keep the contract of stores?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.stores.base import Store
from coldchain.stores.sftp.store import SftpStore
from coldchain.testing.contract import StoreContract
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
