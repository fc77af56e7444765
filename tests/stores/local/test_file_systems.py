"""Does the local store keep its contract on each file system of Linux that people keep data on?

They differ where it matters: btrfs shows a folder as it was when it was opened, XFS gives inodes of 64 bits, exFAT and
NTFS come through FUSE and have rules of Windows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.model import Place
from coldchain.stores.base import Store, open_store
from coldchain.testing.contract import StoreContract
from tests.stores.local.carrying import Mounts, needs_root

MADE = {"ext4": ("64M", "-F", "-q"), "xfs": ("320M", "-f", "-q"), "btrfs": ("128M", "-f", "-q")}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """One file system of each kind, for all tests."""
    with Mounts(tmp_path_factory.mktemp("systems")) as mounts:
        yield {
            kind: mounts.mount(kind, mounts.image(f"mkfs.{kind}", *options, size=size))
            for kind, (size, *options) in MADE.items()
        }


@needs_root
@pytest.mark.xdist_group("file systems")
@pytest.mark.parametrize("kind", MADE)
class TestFileSystems(StoreContract):
    @pytest.fixture
    def store(self, roots: dict[str, Path], kind: str) -> Iterator[Store]:
        folder = roots[kind] / "place"
        folder.mkdir()
        store = open_store(Place("place", str(folder)))
        yield store
        store.close()
        shutil.rmtree(folder, ignore_errors=True)

    def tamper(self, store: Store, key: str, content: bytes) -> None:
        Path(store.url, key).write_bytes(content)

    def remove_root(self, store: Store) -> None:
        store.close()
        shutil.rmtree(store.url)
