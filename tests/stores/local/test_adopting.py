"""Is what already stood there durable before it is called proved (P4)?"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from coldchain.errors import FlushFailed
from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import OWNER, Mounts, needs_root, run, watched
from tests.stores.local.test_durability import flushed
from tests.stores.local.test_reading import descriptors

pytestmark = needs_root


def settled(folder: Path, trace: Path, key: str = "a/b/f") -> list[str]:
    """Adopt what somebody put there, and say what was flushed, in order; "" stands for the whole."""
    (folder / key).parent.mkdir(parents=True, exist_ok=True)
    (folder / key).write_bytes(b"theirs")
    store = LocalStore(str(folder))
    staging = store.stage(OWNER)
    try:
        with watched("fsync,fdatasync,syncfs", trace):
            staging.settle(key)
            staging.flush()
        before = descriptors()
        staging.settle(key)
        assert descriptors() <= before
    finally:
        staging.close()
        store.close()
    return flushed(trace, folder)


def test_p04_what_is_adopted_is_flushed_with_the_whole_and_not_on_its_own(place: Path, tmp_path: Path) -> None:
    assert settled(place, tmp_path / "trace") == ["syncfs ."]


def test_p04_where_there_is_no_flush_of_the_whole_file_and_folders_are_flushed(mounts: Mounts, tmp_path: Path) -> None:
    place = mounts.fuse({}).place
    assert settled(place, tmp_path / "trace") == ["fsync a/b/f", "fsync a/b", "fsync a", "fsync ."]


def test_p04_what_is_adopted_below_another_mount_is_flushed_there(mounts: Mounts, place: Path, tmp_path: Path) -> None:
    inner = place / "a"
    inner.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", inner)
    mounts.callback(run, "umount", "-l", inner)
    calls = settled(place, tmp_path / "trace")
    assert calls == ["fsync a/b/f", "fsync a/b", "fsync a", "fsync .", "syncfs ."]


@pytest.mark.parametrize("op", ["fsync", "fsyncdir"])
def test_p04_a_flush_that_fails_adopts_nothing(mounts: Mounts, op: str) -> None:
    faulty = mounts.fuse({"faults": [{"op": op, "errno": errno.EIO}]})
    (faulty.backing / "f").write_bytes(b"theirs")
    store = LocalStore(str(faulty.place))
    staging = store.stage(OWNER)
    try:
        with pytest.raises(FlushFailed):  # nobody keeps the error, which would keep the folder open
            staging.settle("f")
    finally:
        staging.close()
        store.close()


def test_p04_what_is_gone_cannot_be_adopted(place: Path, store: LocalStore) -> None:
    staging = store.stage(OWNER)
    with pytest.raises(FlushFailed):
        staging.settle("gone")
    staging.close()
