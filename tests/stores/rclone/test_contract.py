"""Do remotes of several types keep the contract of stores?"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coldchain.errors import NotFound
from coldchain.stores.base import Store
from coldchain.stores.rclone.calling import Caller
from coldchain.stores.rclone.store import RcloneStore
from coldchain.stores.rclone.where import where
from coldchain.testing.contract import StoreContract
from coldchain.testing.contract.acts import Subject
from coldchain.testing.contract.publishing import PublishingContract
from coldchain.testing.contract.reading import ReadingContract
from tests.stores.rclone.serving import HASTY, Remotes


class OfARemote(Subject):
    """What all remotes share; ``remote`` names one, and ``above`` the folder in which tests have theirs."""

    remote = ""
    above = ""
    used: Remotes

    @pytest.fixture(autouse=True)
    def known(self, remotes: Remotes) -> None:
        self.used = remotes

    @pytest.fixture
    def store(self, known: None) -> Iterator[Store]:
        store = self.used.store(self.remote, f"{self.above}test-{uuid.uuid4().hex[:12]}")
        call = self.behind(store)
        call("operations/mkdir", remote="")
        yield store
        with contextlib.suppress(NotFound):  # `remove_root` did it
            call("operations/purge", remote="")

    def behind(self, store: Store) -> Caller:
        """Whoever comes by another way."""
        return Caller(where(store.url, self.used.options()), HASTY)

    def reopen(self, store: Store) -> Store:
        return RcloneStore(store.url, options=self.used.options(), patience=HASTY)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        call = self.behind(store)
        file = Path(call.daemon.spool, uuid.uuid4().hex)
        file.write_bytes(content)
        order: dict[str, Any] = {
            "srcFs": str(file.parent),
            "srcRemote": file.name,
            "dstFs": call.where.fs,
            "dstRemote": key,
        }
        call.once("operations/copyfile", **order, _config={"IgnoreTimes": True})
        file.unlink()

    def remove_root(self, store: Store) -> None:
        self.behind(store)("operations/purge", remote="")


class WholeContract(OfARemote, StoreContract):
    """Of remotes on this machine, where a request takes a millisecond."""


class PartOfTheContract(OfARemote, ReadingContract, PublishingContract):
    """Of remotes behind a server, where all of it would take minutes."""


class TestAlias(WholeContract):
    remote = "alias"


class TestCrypt(WholeContract):
    remote = "crypt"


class TestMemory(PartOfTheContract):
    remote = "memory"


class TestSftp(PartOfTheContract):
    remote = "sftp"

    @pytest.fixture(autouse=True)
    def known(self, remotes: Remotes) -> None:
        self.used = remotes
        self.above = f"{(remotes.config.parent / 'base').read_text()}/"


class TestSmb(PartOfTheContract):
    """rclone removes the old file before the new one gets its name, and samba lets nobody remove what is read."""

    remote = "smb"
    above = "data/"

    def test_reading_while_a_name_is_deleted_gives_the_whole_content_or_an_error(self, store: Store) -> None:
        """Not promised: the deletion is refused while somebody reads."""


class TestS3(PartOfTheContract):
    remote = "s3"


class TestWebdav(PartOfTheContract):
    remote = "webdav"
