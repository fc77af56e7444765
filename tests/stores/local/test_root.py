"""Is a folder that is not there, or is none, told as that and never taken for an empty one (P10)?"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from coldchain.errors import NotFound, StoreError, StoreGone
from coldchain.stores.base import Store
from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import OWNER, ROOTS, Mounts, entry, needs_root, send
from tests.stores.local.test_reading import descriptors

ACTS: dict[str, Callable[[Store], object]] = {
    "list": lambda store: list(store.list()),
    "list below": lambda store: list(store.list("a")),
    "folders": lambda store: list(store.folders()),
    "stat": lambda store: store.stat("f"),
    "read": lambda store: store.read("f"),
    "stage": lambda store: store.stage(OWNER),
    "delete": lambda store: store.delete("f"),
    "busy": lambda store: store.busy("f"),
    "probe": lambda store: store.probe_names(),
    "traits": lambda store: store.traits,
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("root", ROOTS)
def test_p10_a_folder_that_is_not_there_is_an_error_whatever_is_asked(tmp_path: Path, act: str, root: str) -> None:
    with pytest.raises(StoreError, match="No such file") as caught:
        ACTS[act](LocalStore(str(tmp_path / "gone"), ROOTS[root]))
    assert caught.value.url == str(tmp_path / "gone")
    if act not in {"stat", "delete", "probe"}:
        assert isinstance(caught.value, NotFound)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("root", ROOTS)
def test_p10_a_file_in_its_place_is_no_folder(tmp_path: Path, act: str, root: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="not a folder") as caught:
        ACTS[act](LocalStore(str(tmp_path / "file"), ROOTS[root]))
    assert caught.value.url == str(tmp_path / "file")


@pytest.mark.parametrize("root", ROOTS)
def test_p10_nothing_is_written_into_a_folder_that_went_away(place: Path, root: str) -> None:
    store = LocalStore(str(place), ROOTS[root])
    staging = store.stage(OWNER)
    place.rmdir()
    for key in ("f", "a/b/f"):
        with pytest.raises(NotFound):
            staging.open(key, entry(key))
    staging.close()
    store.close()
    assert not place.exists()


def test_p10_the_volume_of_a_folder_that_is_not_there_has_no_name(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "gone"))
    with pytest.raises(NotFound):
        store.volume()
    with pytest.raises(NotFound):
        list(store.remarks())
    assert store.free_bytes() is None


@pytest.mark.parametrize("root", ROOTS)
def test_p10_only_the_folder_itself_is_made_and_nothing_above_it(tmp_path: Path, root: str) -> None:
    store = LocalStore(str(tmp_path / "mnt/nas"), ROOTS[root])
    with pytest.raises(StoreGone, match="cannot make the folder"):
        store.make()
    assert os.listdir(tmp_path) == []
    (tmp_path / "mnt").mkdir()
    store.make()
    store.make()
    assert list(store.list()) == []
    store.close()


def test_a_folder_can_be_opened_in_any_process(store: LocalStore) -> None:
    assert store.traits.opens_anywhere


@needs_root
def test_only_of_known_file_systems_an_inode_means_something(mounts: Mounts) -> None:
    ext4 = LocalStore(str(mounts.ext4(mounts.image("mkfs.ext4", "-q"))))
    assert (ext4.traits.largest_bytes, ext4.traits.stable_inodes) == (0, True)
    ext4.close()
    fuse = LocalStore(str(mounts.fuse({}).place))
    assert not fuse.traits.stable_inodes, "nobody knows what lies behind"
    fuse.close()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such bits")
@pytest.mark.parametrize(
    ("mode", "said"), [(0o755, False), (0o777, True), (0o1777, False), (0o702, True), (0o770, False)]
)
def test_who_may_write_besides_is_remarked(place: Path, mode: int, said: bool) -> None:
    place.chmod(mode)
    store = LocalStore(str(place))
    assert any("chmod o-w" in remark for remark in store.remarks()) is said


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="descriptors are seen through /proc")
def test_of_hundreds_of_folders_a_few_stay_open(place: Path, store: LocalStore) -> None:
    before = descriptors()
    send(store, {f"{number:03}/{number % 3}/f": b"x" for number in range(150)})
    assert len(descriptors() - before) <= 70
    assert len(list(store.list())) == 150
    assert len(descriptors() - before) <= 70
    for number in range(150):
        assert store.stat(f"{number:03}/{number % 3}/f").size_bytes == 1
    assert len(descriptors() - before) <= 70
    store.root().forget_folders()
    assert len(descriptors() - before) <= 1


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="descriptors are seen through /proc")
@pytest.mark.parametrize("root", ROOTS)
def test_a_store_that_is_closed_keeps_nothing_open(place: Path, root: str) -> None:
    before = descriptors()
    store = LocalStore(str(place), ROOTS[root])
    send(store, {"a/b/f": b"x", "g": b"y"})
    list(store.list())
    with pytest.raises(NotFound):
        store.read("a/b/gone")
    store.busy("g")
    store.probe_names()
    store.delete("a/b/f")
    failed: StoreError | None = None
    try:
        send(store, {"g/h": b"z"})
    except StoreError as error:
        failed = error
    assert failed is not None
    del failed
    store.close()
    assert descriptors() <= before


@needs_root
@pytest.mark.parametrize("code", [errno.EINVAL, errno.EOPNOTSUPP])
def test_p04_a_place_that_cannot_flush_is_remarked(mounts: Mounts, code: int) -> None:
    """A copy there is taken for durable, for nobody can do more; but a person shall know."""
    faulty = mounts.fuse({})
    store = LocalStore(str(faulty.place))
    assert list(store.remarks()) == []
    faulty.rules({"faults": [{"op": "fsync", "errno": code}]})
    again = LocalStore(str(faulty.place))
    (remark,) = again.remarks()
    assert "has no flush" in remark
    assert [name for _, _, names in os.walk(faulty.backing) for name in names] == [], "nothing is left there"
    store.close()
    again.close()
