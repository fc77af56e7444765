"""Does reading a batch back give each file its own bytes, and leave nothing open?"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.errors import NotFound
from coldchain.stores.local.posix import PosixRoot
from coldchain.stores.local.staging import LocalStaging
from coldchain.stores.local.store import LocalStore
from tests.stores.local.carrying import OWNER, Mounts, entry, needs_root
from tests.stores.local.test_reading import descriptors

AHEAD = 16
"""So many small files are opened before they are asked for."""


class Evicting(PosixRoot):
    """A place where nothing is read past the cache; it is told to forget."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._direct = False


@pytest.fixture(params=[PosixRoot, Evicting])
def store(request: pytest.FixtureRequest, place: Path) -> Iterator[LocalStore]:
    store = LocalStore(str(place), request.param)
    yield store
    store.close()


def put(staging: LocalStaging, *keys: str) -> None:
    for key in keys:
        sink = staging.open(key, entry(key))
        sink.write(key.encode() * 100)
        sink.close()


def back(staging: LocalStaging, key: str) -> bytes:
    with staging.read_back(key) as reader:
        return b"".join(map(bytes, reader.chunks()))


def test_p02_small_files_that_are_open_ahead_of_their_turn_are_their_own(store: LocalStore) -> None:
    """Also after another flush, at which those that were open were closed: their numbers belong to others by then."""
    names = [f"f{number:03}" for number in range(60)]
    staging = store.stage(OWNER)
    put(staging, *names[:30])
    staging.flush()
    assert back(staging, names[0]) == names[0].encode() * 100
    put(staging, *names[30:])
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    staging.flush()
    taken = [os.open("/proc/self/status", os.O_RDONLY) for _ in range(40)]
    for key in reversed(names):
        assert back(staging, key) == key.encode() * 100
    for fd in (*others, *taken):
        os.close(fd)
    staging.close()


def test_no_more_than_a_few_files_are_open_ahead_and_none_when_the_batch_is_over(store: LocalStore) -> None:
    store.root()
    before = descriptors()
    staging = store.stage(OWNER)
    names = [f"f{number:03}" for number in range(100)]
    put(staging, *names)
    staging.flush()
    staged = descriptors()
    for number, key in enumerate(names[:50]):
        assert back(staging, key) == key.encode() * 100
        if number % 12 == 0:
            assert 0 < len(descriptors() - staged) <= AHEAD
    for key in names[50:60]:
        staging.discard(key)
    staging.flush()
    assert descriptors() <= staged
    assert back(staging, names[60]) == names[60].encode() * 100
    staging.close()
    assert descriptors() <= before


class NotDirect(PosixRoot):
    """Many files could be read at once past the cache, but these are not opened so: as those that are encrypted."""

    def open_past_cache(self, key: str) -> tuple[int, str]:
        fd = self.open(key)
        return fd, self.evict(fd)


def test_p02_what_was_not_opened_past_the_cache_is_not_said_to_be(place: Path) -> None:
    store = LocalStore(str(place), NotDirect)
    staging = store.stage(OWNER)
    put(staging, *(f"f{number}" for number in range(40)))
    staging.flush()
    for number in range(40):
        with staging.read_back(f"f{number}") as reader:
            assert reader.how != "direct"
            assert b"".join(map(bytes, reader.chunks())) == f"f{number}".encode() * 100
    staging.close()
    store.close()


SIZES = [1, 4095, 4096, 4097, 8192, (256 << 10) - 1, 256 << 10, (256 << 10) + 1]


def test_p02_files_of_every_size_come_whole_and_say_what_they_are(store: LocalStore) -> None:
    bodies = {f"f{size}": os.urandom(size) for size in SIZES}
    staging = store.stage(OWNER)
    for key, body in bodies.items():
        sink = staging.open(key, entry(key, body))
        sink.write(body)
        sink.close()
    staging.flush()
    before = descriptors()
    for key, body in bodies.items():
        with staging.read_back(key) as reader:
            assert reader.how != "direct" or not isinstance(store.root(), Evicting)
            assert reader.entry.size_bytes == reader.look_again().size_bytes == len(body)
            assert [b"".join(map(bytes, reader.chunks())) for _ in range(2)] == [body, body]
            assert not reader.being_written()
            if reader.how == "direct":
                with pytest.raises(ValueError, match="past the cache"):
                    reader.piece(0, 1)
    assert descriptors() <= before
    staging.close()


def test_files_that_nobody_asks_for_are_let_go_of(store: LocalStore) -> None:
    """Some of a group are out of the batch, and so are whole groups; the rest are their own all the same."""
    store.root()
    before = descriptors()
    names = [f"f{number:02}" for number in range(64)]
    staging = store.stage(OWNER)
    put(staging, *names)
    staging.flush()
    for key in (*names[:3], *names[9:12], *names[40:]):
        assert back(staging, key) == key.encode() * 100
    staging.flush()
    put(staging, "one")
    staging.flush()
    assert back(staging, "one") == b"one" * 100
    assert len(descriptors() - before) <= 2 * AHEAD
    staging.close()
    assert descriptors() <= before


@needs_root
def test_where_the_cache_does_not_forget_nothing_stays_open_either(mounts: Mounts) -> None:
    store = LocalStore(str(mounts.tmpfs()))
    store.root()
    before = descriptors()
    staging = store.stage(OWNER)
    put(staging, "a", "b", "c")
    staging.flush()
    for key in ("a", "b", "c"):
        with staging.read_back(key) as reader:
            assert reader.how == "cached"
            assert b"".join(map(bytes, reader.chunks())) == key.encode() * 100
    staging.close()
    assert descriptors() <= before
    store.close()


@needs_root
def test_p02_what_the_cache_does_not_forget_is_not_said_to_come_from_the_medium(mounts: Mounts) -> None:
    """Pages that a program has mapped stay in the cache whatever it is asked to forget."""
    place = mounts.ext4(mounts.image("mkfs.ext4", "-q"))
    store = LocalStore(str(place))
    with (place / "f").open("w+b") as file:
        file.write(b"x" * 5000)
        file.flush()
        os.fsync(file.fileno())
        with mmap.mmap(file.fileno(), 5000, prot=mmap.PROT_READ) as mapped:
            assert mapped[0] == ord("x")
            assert store.root().evict(file.fileno()) == "cached"
        assert store.root().evict(file.fileno()) == "evicted"
    store.close()


def test_p02_what_somebody_removed_meanwhile_is_not_proved(both: LocalStore, place: Path) -> None:
    staging = both.stage(OWNER)
    put(staging, "small")
    sink = staging.open("large", entry("large"))
    sink.write(bytes(1 << 20))
    sink.close()
    staging.flush()
    for path in place.iterdir():
        path.unlink()
    for key in ("small", "large"):
        with pytest.raises(NotFound) as caught:
            staging.read_back(key)
        assert caught.value.key == key
    staging.close()
