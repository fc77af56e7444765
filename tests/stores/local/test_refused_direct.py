"""What if a disk refuses, in the middle of a file, to be read past the cache, or fails there?"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from coldchain.errors import Unreliable
from coldchain.stores.local.posix import PosixRoot
from coldchain.stores.local.reading import _BLOCK_BYTES
from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import Mounts, needs_root
from tests.stores.local.test_reading import descriptors, reached

pytestmark = needs_root
CONTENT = random.Random(2).randbytes(3 * _BLOCK_BYTES + 12_345)


def refuse(fd: int) -> None:
    """Put it where the kernel itself refuses a read past the cache: on no boundary of a block."""
    os.lseek(fd, 1, os.SEEK_SET)


class Refusing(PosixRoot):
    """A place at which the first read past the cache is refused."""

    def open_past_cache(self, key: str) -> tuple[int, str]:
        fd, how = super().open_past_cache(key)
        refuse(fd)
        return fd, how


class Failing(PosixRoot):
    """A place whose disk fails when it is read past the cache, while the cache still has the good bytes."""

    def open_past_cache(self, key: str) -> tuple[int, str]:
        return os.open("/proc/self/mem", os.O_RDONLY), "direct"  # nothing is mapped at its beginning: EIO


class Short(PosixRoot):
    """A place whose reads past the cache end early, in the middle of a file."""

    def open_past_cache(self, key: str) -> tuple[int, str]:
        return self.open(key), "direct"


@pytest.fixture
def disk(mounts: Mounts) -> Path:
    return mounts.ext4(mounts.image("mkfs.ext4", "-q", size="64M"))


def put(file: Path, content: bytes) -> None:
    """What is dirty cannot be forgotten by the cache."""
    with file.open("wb") as out:
        out.write(content)
        os.fsync(out.fileno())


@pytest.mark.parametrize("size", [2, 5000, _BLOCK_BYTES, len(CONTENT)])
def test_p02_where_reading_past_the_cache_is_refused_the_file_comes_whole_and_the_proof_says_how(
    disk: Path, size: int
) -> None:
    put(disk / "f", CONTENT[:size])
    store = LocalStore(str(disk), Refusing)
    store.stat("f")
    before = descriptors()
    with store.read("f", past_cache=True) as reader:
        assert reader.how == "direct"
        chunks = [bytes(chunk) for chunk in reader.chunks()]
        assert b"".join(chunks) == CONTENT[:size]
        assert all(len(chunk) <= 1 << 20 for chunk in chunks)
        assert reader.how in {"evicted", "dontneed"}, "it was not read past the cache"
        assert reader.look_again() == reader.entry
    assert descriptors() <= before
    store.close()


def test_p02_a_refusal_in_the_middle_costs_no_byte_and_doubles_none(disk: Path) -> None:
    put(disk / "f", CONTENT)
    store = LocalStore(str(disk))
    done = []
    with store.read("f", past_cache=True) as reader:
        for chunk in reader.chunks():
            done.append(bytes(chunk))
            if len(done) == 1:  # the second block is read ahead meanwhile; the third is then refused
                reached(disk / "f", 2 * _BLOCK_BYTES)
                refuse(reader._fd)
        assert reader.how != "direct"
    assert b"".join(done) == CONTENT
    store.close()


@pytest.mark.parametrize(
    ("size", "short"),
    [
        (10_500, 1000),
        (10_000, 1000),
        (10_001, 1000),
        (4_200_001, 100_000),
        (_BLOCK_BYTES + 10, 100_000),
        (_BLOCK_BYTES - 1, 100_000),
        (_BLOCK_BYTES, 1 << 16),
    ],
)
def test_p02_a_read_that_ends_early_is_no_end_of_the_file(mounts: Mounts, size: int, short: int) -> None:
    faulty = mounts.fuse({"short": short}, "--direct")
    (faulty.backing / "f").write_bytes(CONTENT[:size])
    store = LocalStore(str(faulty.place), Short)
    with store.read("f", past_cache=True) as reader:
        assert reader.how == "direct"
        assert b"".join(map(bytes, reader.chunks())) == CONTENT[:size]
    store.close()


def test_p02_a_disk_that_fails_past_the_cache_is_not_read_through_it(disk: Path) -> None:
    (disk / "f").write_bytes(CONTENT)
    store = LocalStore(str(disk), Failing)
    with store.read("f", past_cache=True) as reader, pytest.raises(Unreliable):
        list(reader.chunks())
    store.close()
