"""Do remotes of several types keep the contract of stores?"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coldchain.errors import NotFound, StoreError
from coldchain.model import Entry
from coldchain.stores.base import CHUNK_BYTES, Store
from coldchain.stores.rclone.calling import Caller
from coldchain.stores.rclone.store import RcloneStore
from coldchain.stores.rclone.where import where
from coldchain.testing.contract import StoreContract
from coldchain.testing.contract.acts import MTIME_NS, Subject, carry, joined, replace, some_bytes
from coldchain.testing.contract.leftovers import LeftoversContract
from coldchain.testing.contract.listing import ListingContract
from coldchain.testing.contract.names import NamesContract
from coldchain.testing.contract.place import PlaceContract
from coldchain.testing.contract.publishing import PublishingContract
from coldchain.testing.contract.reading import ReadingContract
from coldchain.testing.contract.staging import StagingContract
from coldchain.testing.contract.threads import ThreadsContract
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
        with contextlib.suppress(StoreError):  # `remove_root` did it
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


class TestAlias(OfARemote, StoreContract):
    remote = "alias"


class TestCrypt(OfARemote, StoreContract):
    remote = "crypt"


class TestMemory(OfARemote, StoreContract):
    remote = "memory"


class TestSftp(OfARemote, StoreContract):
    remote = "sftp"

    @pytest.fixture(autouse=True)
    def known(self, remotes: Remotes) -> None:
        self.used = remotes
        self.above = f"{(remotes.config.parent / 'base').read_text()}/"


class NotAtOnce(StoreContract):
    """rclone takes the old file away before the new one gets its name: for a moment there is none, or another one."""

    def test_who_reads_while_others_replace_reads_a_whole_file(self, store: Store) -> None:
        """Or is told, by an error or by looking again; never half of one.  These servers count time in seconds."""
        contents = {some_bytes(200_000, salt=number) for number in range(4)}
        expected = carry(store, {"a": min(contents)})["a"]
        done, whole, told = threading.Event(), list[bytes](), list[StoreError]()

        def read() -> None:
            while not done.is_set():
                try:
                    with store.read("a") as reader:
                        content = joined(reader)
                        if reader.look_again() == reader.entry:
                            whole.append(content)
                except StoreError as error:
                    told.append(error)

        reading = threading.Thread(target=read)
        reading.start()
        try:
            for second, content in enumerate(sorted(contents)):
                time.sleep(1.1)
                entry = replace(store, "a", content, expected, MTIME_NS + second * 10**9)
                expected = entry if isinstance(entry, Entry) else store.stat("a")  # refused while somebody reads it
        finally:
            done.set()
            reading.join()
        assert whole or told
        assert set(whole) <= contents


class TestSmb(OfARemote, NotAtOnce):
    """rclone removes the old file before the new one gets its name, and samba lets nobody remove what is read."""

    remote = "smb"
    above = "data/"

    def test_reading_while_a_name_is_deleted_gives_the_whole_content_or_an_error(self, store: Store) -> None:
        """The deletion is refused while somebody reads, and succeeds after that."""
        content = some_bytes(2 * CHUNK_BYTES)
        carry(store, {"file.bin": content})
        with store.read("file.bin") as reader:
            pieces = reader.chunks()
            first = bytes(next(pieces))
            with contextlib.suppress(StoreError):  # whether rclone still has the file open is a matter of moments
                store.delete("file.bin")
            assert first + b"".join(map(bytes, pieces)) == content
        with contextlib.suppress(NotFound):
            store.delete("file.bin")
        with pytest.raises(NotFound):
            store.stat("file.bin")


class TestS3(OfARemote, StoreContract):
    remote = "s3"


class TestWebdav(OfARemote, NotAtOnce):
    remote = "webdav"


class OfBox(OfARemote):
    """rclone's own box backend, against a fake of Box: it waits 10 ms between two requests, whoever answers them."""

    remote = "box"

    @pytest.fixture(autouse=True)
    def known(self, box: Remotes) -> None:
        self.used = box


class TestBox(OfBox, PublishingContract, LeftoversContract):
    """What keeps files from being lost."""


@pytest.mark.faults
class TestRestOfBox(
    OfBox, ReadingContract, ListingContract, StagingContract, NamesContract, PlaceContract, ThreadsContract
):
    """The other parts of the contract, which wait for a minute in all."""
