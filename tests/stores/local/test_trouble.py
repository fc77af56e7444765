"""What becomes of a batch on a disk that is full, read-only or another one than it seems?"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coldchain.errors import (
    ConfigurationError,
    Denied,
    NameRefused,
    NotFound,
    Occupied,
    StoreError,
    StoreFull,
    StoreGone,
)
from coldchain.model import Entry
from coldchain.stores.local.base import LocalRoot
from coldchain.stores.local.store import LocalStore, path_of
from coldchain.stores.local.volume import share_among, uuid_among, volume_of
from tests.stores.local.carrying import OWNER, ROOTS, Mounts, content, entry, keys, needs_root, run, send, standing

pytestmark = needs_root


@pytest.fixture(params=ROOTS)
def opener(request: pytest.FixtureRequest) -> Callable[[str], LocalRoot]:
    return ROOTS[request.param]


def test_p03_a_full_disk_ends_the_store_and_leaves_no_partial_file(
    mounts: Mounts, opener: Callable[[str], LocalRoot]
) -> None:
    place = mounts.tmpfs("size=1m")
    store = LocalStore(str(place), opener)
    send(store, {"fits": b"x" * 1000})
    with pytest.raises(StoreFull) as caught:
        send(store, {"a/small": b"y", "a/large": bytes(2 << 20)})
    assert caught.value.ends_store
    assert standing(place) == {"fits": b"x" * 1000}
    assert isinstance(send(store, {"small": b"y"})["small"], Entry)
    store.close()


def test_p03_a_disk_without_inodes_ends_the_store(mounts: Mounts, opener: Callable[[str], LocalRoot]) -> None:
    place = mounts.tmpfs("size=1m,nr_inodes=8")
    store = LocalStore(str(place), opener)
    with pytest.raises(StoreFull):
        send(store, {f"f{number}": b"" for number in range(10)})
    assert standing(place) == {}
    store.close()


def test_p03_a_disk_that_becomes_read_only_ends_the_store(mounts: Mounts, opener: Callable[[str], LocalRoot]) -> None:
    place = mounts.tmpfs()
    store = LocalStore(str(place), opener)
    send(store, {"before": b"x"})
    staging = store.stage(OWNER)
    sink = staging.open("staged", entry("staged", b"x"))
    sink.write(b"x")
    sink.close()
    staging.flush()
    run("mount", "-o", "remount,ro", place)
    assert isinstance(staging.publish({"staged": None})["staged"], StoreGone)
    staging.close()
    with pytest.raises(StoreGone) as caught:
        send(store, {"after": b"x"})
    assert caught.value.ends_store
    with pytest.raises(StoreGone):
        store.delete("before")
    run("mount", "-o", "remount,rw", place)
    left = [key for key in keys(store) if not store.is_leftover(key, OWNER)]
    assert left == ["before"]
    store.close()


def test_p04_a_flush_on_a_disk_that_became_read_only_is_no_success(mounts: Mounts) -> None:
    """Where the kernel made it read-only after an error, syncfs does nothing and succeeds."""
    place = mounts.tmpfs()
    store = LocalStore(str(place))
    staging = store.stage(OWNER)
    staging.flush()
    run("mount", "-o", "remount,ro", place)
    with pytest.raises(Exception, match="flush failed"):
        staging.flush()
    staging.close()
    store.close()
    store = LocalStore(str(place))
    staging = store.stage(OWNER)
    staging.flush()  # read-only from the start: what stands there is as durable as it will ever be
    staging.close()
    store.close()


def test_a_share_that_hangs_up_ends_the_store(mounts: Mounts) -> None:
    faulty = mounts.fuse({})
    store = LocalStore(str(faulty.place))
    send(store, {"f": b"x"})
    for code, kind in ((107, StoreGone), (116, StoreGone), (122, StoreFull)):
        faulty.rules({"faults": [{"op": "write", "errno": code}]})
        with pytest.raises(kind):
            send(store, {"g": b"x"})
    faulty.rules({})
    assert keys(store) == ["f"]
    store.close()


def test_p05_a_place_without_links_and_atomic_renames_replaces_nothing_either(mounts: Mounts) -> None:
    faulty = mounts.fuse({})
    store = LocalStore(str(faulty.place))
    staging = store.stage(OWNER)
    staging.open("f", entry("f")).close()
    (faulty.place / "f").write_bytes(b"theirs")
    assert isinstance(staging.publish({"f": None})["f"], Occupied)
    staging.close()
    assert standing(faulty.backing) == {"f": b"theirs"}
    store.close()


@pytest.mark.parametrize(("code", "kind"), [(5, None), (16, None), (13, Denied), (22, NameRefused), (36, NameRefused)])
def test_p03_a_rename_that_fails_leaves_what_stood_there(
    mounts: Mounts, code: int, kind: type[Exception] | None
) -> None:
    faulty = mounts.fuse({})
    store = LocalStore(str(faulty.place))
    old = send(store, {"f": b"old"})["f"]
    assert isinstance(old, Entry)
    faulty.rules({"faults": [{"op": "rename", "errno": code}]})
    result = send(store, {"f": b"new", "g": b"new"}, old={"f": old})
    for error in result.values():
        assert isinstance(error, kind or Exception)
        assert getattr(error, "temporary", None) is (kind is None)
    assert standing(faulty.backing) == {"f": b"old"}
    store.close()


@pytest.mark.parametrize("kind", ["exfat", "ntfs"])
def test_what_other_systems_format_keeps_files_and_says_what_it_refuses(mounts: Mounts, kind: str) -> None:
    place: Path = getattr(mounts, kind)()
    store = LocalStore(str(place))
    sent = send(store, {"a/f": b"x" * 5000, "é": b"y"})
    assert sent == {key: store.stat(key) for key in sent}
    assert content(store, "a/f", past_cache=True) == b"x" * 5000
    result = send(store, {"a:b": b"x"})["a:b"]
    assert isinstance(result, NameRefused)
    with pytest.raises(NameRefused):
        send(store, {"a:b/f": b"x"})
    old = sent["a/f"]
    assert isinstance(old, Entry)
    assert isinstance(send(store, {"a/f": b"z"})["a/f"], Occupied)
    assert isinstance(send(store, {"a/f": b"z"}, old={"a/f": old})["a/f"], Entry)
    assert keys(store) == ["a/f", "é"]
    store.close()


def test_p10_another_disk_under_the_same_path_has_another_volume(mounts: Mounts, place: Path) -> None:
    before = volume_of(str(place))
    assert volume_of(str(place)) == before
    run("mount", "-t", "tmpfs", "tmpfs", place)
    first = volume_of(str(place))
    run("umount", place)
    run("mount", "-t", "tmpfs", "tmpfs", place)
    second = volume_of(str(place))
    run("umount", place)
    assert len({before, first, second}) == 3
    assert volume_of(str(mounts.fuse({}).place)).startswith("fuse")


def test_p10_a_disk_is_named_by_the_link_that_leads_to_it_and_by_no_other(tmp_path: Path) -> None:
    for name, node in (("AAAA-0001", "/dev/null"), ("bbbb", "/dev/zero"), ("cccc", "/dev/gone"), ("dddd", "/dev/full")):
        (tmp_path / name).symlink_to(node)
    for name, node in (("AAAA-0001", "/dev/null"), ("bbbb", "/dev/zero"), ("dddd", "/dev/full"), ("", "/dev/random")):
        assert uuid_among(tmp_path, os.stat(node).st_rdev) == name
    assert uuid_among(tmp_path / "gone", os.stat("/dev/null").st_rdev) == ""


def test_room_is_told(mounts: Mounts, opener: Callable[[str], LocalRoot]) -> None:
    assert LocalStore(str(mounts.tmpfs("size=1m")), opener).free_bytes() == 1 << 20


def test_a_url_names_a_folder_or_is_refused(tmp_path: Path) -> None:
    assert path_of("/a b#c?d") == "/a b#c?d"
    assert path_of("file:///a%20b/%23") == "/a b/#"
    assert os.fsencode(path_of("file:///%FF")) == b"/\xff"
    assert path_of("file://localhost/a") == "/a"
    for url in ("file://a/b", "file:///a?b", "file:///a#b"):
        with pytest.raises(ConfigurationError):
            path_of(url)


@pytest.fixture
def small_files() -> Iterator[int]:
    """Let no file of this process grow beyond so many bytes: the system writes up to there, and then says EFBIG."""
    limit_bytes = 1 << 16
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    yield limit_bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("before_bytes", [0, 1000, 1 << 16])
def test_p01_a_write_that_fails_on_its_way_is_told_of_and_nothing_is_published(
    both: LocalStore, place: Path, small_files: int, before_bytes: int
) -> None:
    staging = both.stage(OWNER)
    sink = staging.open("f", entry("f", b""))
    sink.write(b"x" * before_bytes)
    with pytest.raises(StoreError, match="too large"):
        sink.write(b"x" * (small_files + 1))
    sink.abort()
    with pytest.raises(NotFound):
        staging.read_back("f")
    staging.close()
    assert standing(place) == {}


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
36 35 0:42 / /mnt/my\\040nas rw master:1 unbindable - cifs //nas/share rw,vers=3
37 35 0:43 / /mnt/fuse rw - fuse.sshfs me@host:/data rw
"""


@pytest.mark.parametrize(
    ("device", "share"), [("0:42", "cifs://nas/share"), ("0:43", "fuse.sshfs:me@host:/data"), ("8:1", ""), ("9:9", "")]
)
@pytest.mark.parametrize("odd", ["", "x", "50 35 0:99 / /home/me/a\x0cb\u2028c\x85d rw - fuse.x y rw\n", " - \n\n"])
def test_p10_no_odd_name_of_a_folder_that_anybody_mounts_hides_a_share(device: str, share: str, odd: str) -> None:
    assert share_among(odd + "\n" + MOUNTS, device) == share
