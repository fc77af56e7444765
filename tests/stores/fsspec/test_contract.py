"""Do file systems of fsspec keep the contract of stores?"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.errors import StoreError
from coldchain.stores.base import Store
from coldchain.stores.fsspec.store import FsspecStore
from coldchain.testing.contract import StoreContract
from coldchain.testing.contract.acts import arrived, carry, content_of, replace, some_bytes
from tests.stores.fsspec.conftest import Served

LOGIN = {"credentials": "env:LAB"}
pytestmark = pytest.mark.filterwarnings(  # a killed process closes nothing, and so do the tests that act one
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


class TestMemoryOfFsspec(StoreContract):
    """A place without rename: what is wrong is seen when it has its name."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        import fsspec

        store = FsspecStore(f"fsspec+memory://{uuid.uuid4()}/place")
        memory = fsspec.filesystem("memory")
        memory.makedirs(store.url.removeprefix("fsspec+memory://"))
        yield store
        memory.rm(store.url.removeprefix("fsspec+memory:/").rpartition("/")[0], recursive=True)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        import fsspec

        fsspec.filesystem("memory").pipe_file(f"{store.url.removeprefix('fsspec+memory:/')}/{key}", content)

    def remove_root(self, store: Store) -> None:
        import fsspec

        fsspec.filesystem("memory").rm(store.url.removeprefix("fsspec+memory:/"), recursive=True)


class InAFolder(StoreContract):
    """What all file systems share whose folder lies on this machine."""

    folder: Path
    options: dict[str, str] | None = None

    def reopen(self, store: Store) -> Store:
        return FsspecStore(store.url, options=self.options)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        (self.folder / key).write_bytes(content)

    def remove_root(self, store: Store) -> None:
        shutil.rmtree(self.folder)


class TestFolderThroughFsspec(InAFolder):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        self.folder = tmp_path / "place"
        self.folder.mkdir()
        return FsspecStore(f"fsspec+file://{self.folder}")


class OnAServer(InAFolder):
    options = LOGIN

    def served(self, server: Served, scheme: str) -> Store:
        self.folder = server.folder / uuid.uuid4().hex
        self.folder.mkdir()
        return FsspecStore(f"{scheme}://127.0.0.1:{server.port}/{self.folder.name}", options=LOGIN)


def whole_or_nothing(store: Store) -> None:
    """Replace a file again and again; who reads meanwhile gets a whole content or an error, never a mixture."""
    contents = sorted(some_bytes(200_000, salt=number) for number in range(6))
    expected = carry(store, {"a": contents[0]})["a"]
    done, seen = threading.Event(), set[bytes]()

    def read() -> None:
        while not done.is_set():
            with contextlib.suppress(StoreError):
                seen.add(content_of(store, "a"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for content in contents[1:]:
            expected = arrived(replace(store, "a", content, expected))
    finally:
        done.set()
        reader.join()
    assert seen <= set(contents)
    assert content_of(store, "a") == contents[-1]


class TestWebdav(OnAServer):
    @pytest.fixture
    def store(self, webdav: Served) -> Store:
        return self.served(webdav, "webdav")

    def test_who_reads_while_others_replace_reads_a_whole_file(self, store: Store) -> None:
        """Or nothing: rclone's server removes the old file before it renames, so for a moment none is there."""
        whole_or_nothing(store)


class TestFtp(OnAServer):
    @pytest.fixture
    def store(self, ftp: Served) -> Store:
        return self.served(ftp, "ftp")

    def test_who_reads_while_others_replace_reads_a_whole_file(self, store: Store) -> None:
        """Or nothing: this server renames over no file, so for a moment nothing stands under the name."""
        whole_or_nothing(store)

    def test_looking_again_sees_a_change(self, store: Store) -> None:
        """Not at once: this server remembers for a moment how long a file was."""
        carry(store, {"file.bin": some_bytes(10)})
        until = time.monotonic() + 30
        with store.read("file.bin") as reader:
            self.tamper(store, "file.bin", some_bytes(11))
            while reader.look_again() == reader.entry:
                assert time.monotonic() < until
                time.sleep(0.05)
