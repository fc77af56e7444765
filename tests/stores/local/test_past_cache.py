"""Does a large file arrive whole when it is written past the page cache, whatever the disk says to that?"""

from __future__ import annotations

import errno
import os
import random
import subprocess
from pathlib import Path

import pytest

from coldchain.errors import StoreError
from coldchain.stores.base import CHUNK_BYTES
from coldchain.stores.local import linux
from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import Mounts, content, entry, needs_root, send

LARGE = 32 << 20
pytestmark = needs_root


def carried(folder: Path, lengths: list[int]) -> None:
    """Write one large file in pieces of these lengths, over and over, and read it back from the medium."""
    store = LocalStore(str(folder))
    rest = random.Random(sum(lengths)).randbytes(LARGE + 12_345)
    whole, staging, at = rest, store.stage("ab12"), 0
    sink = staging.open("plate/a.tif", entry("plate/a.tif", whole))
    while rest:
        length = lengths[at % len(lengths)]
        sink.write(memoryview(rest)[:length] if at % 2 else rest[:length])
        rest, at = rest[length:], at + 1
    sink.close()
    staging.flush()
    with staging.read_back("plate/a.tif") as reader:
        assert b"".join(map(bytes, reader.chunks())) == whole
        assert reader.how == "direct"
    assert staging.publish({"plate/a.tif": None})["plate/a.tif"] == store.stat("plate/a.tif")
    staging.close()
    assert content(store, "plate/a.tif") == whole


@pytest.mark.parametrize(
    "lengths", [[CHUNK_BYTES], [CHUNK_BYTES - 1], [4096, 1, 300_000], [5 << 20], [LARGE * 2]], ids=str
)
def test_pieces_of_any_length_become_the_same_file(tmp_path: Path, mounts: Mounts, lengths: list[int]) -> None:
    carried(mounts.ext4(mounts.image("mkfs.ext4", "-q", size="100M")), lengths)


@pytest.mark.parametrize("size", [LARGE, LARGE + 1, LARGE + 4095, LARGE + 4096, LARGE + (4 << 20)])
def test_the_last_block_is_as_long_as_it_is(mounts: Mounts, size: int) -> None:
    store = LocalStore(str(mounts.ext4(mounts.image("mkfs.ext4", "-q", size="100M"))))
    whole = random.Random(size).randbytes(size)
    send(store, {"a": whole})
    assert content(store, "a", past_cache=True) == whole


def test_a_large_file_goes_past_the_cache_and_a_small_one_through_it(mounts: Mounts) -> None:
    place = mounts.ext4(mounts.image("mkfs.ext4", "-q", size="200M"))
    store, staging = LocalStore(str(place)), None
    for size, cached in ((LARGE - 1, True), (LARGE, False)):
        staging = store.stage("ab12")
        sink = staging.open("a", entry("a", bytes(size)))
        sink.write(bytes(size))
        sink.close()
        (temporary,) = place.glob(".~*")
        fd = os.open(temporary, os.O_RDONLY)
        assert linux.is_cached(fd) is cached
        os.close(fd)
        staging.close()


def test_a_file_that_turns_out_longer_or_shorter_than_it_was_is_whole_all_the_same(mounts: Mounts) -> None:
    store = LocalStore(str(mounts.ext4(mounts.image("mkfs.ext4", "-q", size="100M"))))
    for size in (0, 10, LARGE * 3 // 2):
        whole, staging = random.Random(size).randbytes(size), store.stage("ab12")
        sink = staging.open(f"a{size}", entry(f"a{size}", bytes(LARGE)))
        sink.write(whole)
        sink.close()
        staging.flush()
        assert not isinstance(staging.publish({f"a{size}": None})[f"a{size}"], StoreError)
        staging.close()
        assert content(store, f"a{size}", past_cache=True) == whole


@pytest.mark.parametrize("taken", [1000, 4096, 100_000])
def test_where_the_disk_takes_a_part_of_a_block_the_rest_follows(
    mounts: Mounts, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """After a part that is no whole block, the next write is refused by the kernel itself."""
    place = mounts.ext4(mounts.image("mkfs.ext4", "-q", size="100M"))
    write = os.write

    def a_part(fd: int, data: bytes | memoryview) -> int:
        return write(fd, memoryview(data)[:taken] if len(data) > CHUNK_BYTES else data)

    monkeypatch.setattr(os, "write", a_part)
    carried(place, [CHUNK_BYTES])


def test_where_blocks_are_larger_than_ours_the_cache_is_used(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    place = mounts.ext4(mounts.image("mkfs.ext4", "-q", size="100M"))
    write, asked = os.write, list[int]()

    def refused_once(fd: int, data: bytes | memoryview) -> int:
        asked.append(len(data))
        if len(asked) == 1:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return write(fd, data)

    monkeypatch.setattr(os, "write", refused_once)
    carried(place, [CHUNK_BYTES])
    assert asked[0] == asked[1] == 4 << 20


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_p02_what_the_disk_says_is_not_hidden_by_a_second_try_through_the_cache(
    mounts: Mounts, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = LocalStore(str(mounts.ext4(mounts.image("mkfs.ext4", "-q", size="100M"))))
    write, asked = os.write, list[int]()

    def failing_once(fd: int, data: bytes | memoryview) -> int:
        asked.append(len(data))
        if len(asked) == 1:
            raise OSError(code, os.strerror(code))
        return write(fd, data)

    monkeypatch.setattr(os, "write", failing_once)
    staging = store.stage("ab12")
    sink = staging.open("a", entry("a", bytes(LARGE)))
    with pytest.raises(StoreError, match=os.strerror(code)):
        sink.write(bytes(LARGE))
    assert len(asked) == 1
    sink.abort()
    staging.close()


def test_a_refusal_that_stays_is_an_error_and_no_endless_loop(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(str(mounts.ext4(mounts.image("mkfs.ext4", "-q", size="100M"))))
    asked = list[int]()

    def refused(fd: int, data: bytes | memoryview) -> int:
        asked.append(len(data))
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "write", refused)
    staging = store.stage("ab12")
    sink = staging.open("a", entry("a", bytes(LARGE)))
    with pytest.raises(StoreError, match="Invalid argument"):
        sink.write(bytes(LARGE))
    assert len(asked) == 2, "past the cache, and through it"
    sink.abort()
    staging.close()


def test_a_full_disk_is_told_at_once_and_nothing_is_left(mounts: Mounts) -> None:
    place = mounts.ext4(mounts.image("mkfs.ext4", "-q", size="30M"))
    store = LocalStore(str(place))
    staging = store.stage("ab12")
    sink = staging.open("a", entry("a", bytes(LARGE)))
    with pytest.raises(StoreError, match="No space left"):
        sink.write(bytes(LARGE))
    sink.abort()
    staging.close()
    assert [item.name for item in place.iterdir()] == ["lost+found"]


def test_a_disk_that_dies_under_a_large_file_is_told_by_the_write(mounts: Mounts) -> None:
    image = mounts.image("mkfs.ext4", "-q", size="100M")
    place = mounts.ext4(image)
    store = LocalStore(str(place))
    staging = store.stage("ab12")
    sink = staging.open("a", entry("a", bytes(LARGE)))
    sink.write(bytes(CHUNK_BYTES * 8))
    os.truncate(image, 1 << 20)  # what lies behind the file system is no longer there
    subprocess.run(["losetup", "-c", *loops(image)], check=True)
    with pytest.raises(StoreError):
        sink.write(bytes(LARGE))
    sink.abort()
    staging.close()


def loops(image: Path) -> list[str]:
    """The devices that a file lies behind."""
    said = subprocess.run(["losetup", "-j", image, "-O", "NAME", "-n"], capture_output=True, text=True, check=True)
    return said.stdout.split()
